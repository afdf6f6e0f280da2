//! `cargo xtask bench failover`: how fast another master leads, with masters on ZooKeeper, and what that costs at rest.

mod expiry;
mod handover;
mod kill;
mod members;
mod observer;
mod rest;
mod stage;
mod summary;

use crate::bench::builds;
use crate::bench::common::Common;
use crate::bench::report::Report;
use crate::{clock, install, processes, repo, run, services};
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use core::time::Duration;
use stage::Setting;
use tangelo_services::zookeeper::{Ensemble, Options};

/// Measures fail-overs, hand-overs and rest of masters on ZooKeeper
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Measure only this; may be given several times
    #[arg(long, value_name = "WHAT")]
    only: Vec<Part>,
    /// Only on a ZooKeeper of so many nodes, 1 or 3
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// kill -9 of the leader
    Kill,
    /// kill -9 of the leader of many servers
    Members,
    /// `handover`
    Handover,
    /// kill -9 of leader and guard, and SIGSTOP of the leader
    Expiry,
    /// Processor time and ZooKeeper's transactions at rest
    Rest,
}

/// Servers of the clusters whose leaders go.
const SERVERS: usize = 10;

/// How much of everything.
struct Plan {
    kills: usize,
    handovers: usize,
    expiries: usize,
    members: usize,
    member_kills: usize,
    few: usize,
    many: usize,
    rest: Duration,
}

impl Plan {
    const fn new(quick: bool) -> Self {
        if quick {
            let rest = Duration::from_secs(10);
            Self {
                kills: 4,
                handovers: 4,
                expiries: 2,
                members: 500,
                member_kills: 3,
                few: 10,
                many: 100,
                rest,
            }
        } else {
            let rest = Duration::from_secs(60);
            Self {
                kills: 30,
                handovers: 30,
                expiries: 10,
                members: 500,
                member_kills: 30,
                few: 10,
                many: 100,
                rest,
            }
        }
    }
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let has = |part| args.only.is_empty() || args.only.contains(&part);
    let plan = Plan::new(args.common.quick);
    install::ensure(&[services::ZOOKEEPER])?;
    if !args.common.built {
        println!("building");
    }
    let runtimes = args.common.runtimes();
    let built =
        runtimes.into_iter().map(|runtime| Ok((runtime, builds::on_zookeeper(runtime, args.common.built)?)));
    let built = built.collect::<Result<Vec<_>>>()?;
    let nodes: Vec<usize> = args.nodes.map_or_else(|| vec![1, 3], |one| vec![one.into()]);
    let ensembles = || nodes.iter().map(|&nodes| Ensemble::start(nodes, Options::stock()));
    let shared = ensembles().collect::<Result<Vec<_>>>()?;
    let on = |ensemble| {
        built.iter().map(move |(runtime, programs)| Setting { runtime: *runtime, programs, ensemble })
    };
    let settings: Vec<_> = shared.iter().flat_map(on).collect();

    let mut report = Report::begin(args.common.shown("failover"));
    report.versions = versions()?;
    if has(Part::Kill) {
        let measured = each(&settings, "kill -9 of the leader", |s| kill::measure(s, SERVERS, plan.kills))?;
        summary::kills(&measured, SERVERS, &mut report)?;
    }
    if has(Part::Members) {
        let what = format!("kill -9 of the leader of {} servers", plan.members);
        let measured = each(&settings, &what, |s| members::measure(s, plan.members, plan.member_kills))?;
        summary::members(&measured, plan.members, &mut report)?;
    }
    if has(Part::Handover) {
        let measured = each(&settings, "handover", |s| handover::measure(s, SERVERS, plan.handovers))?;
        summary::handovers(&measured, SERVERS, &mut report)?;
    }
    if has(Part::Expiry) {
        let what = "kill -9 of leader and guard, SIGSTOP of the leader";
        let measured = each(&settings, what, |s| expiry::measure(s, SERVERS, plan.expiries))?;
        summary::expiries(&measured, &mut report)?;
    }
    if has(Part::Rest) {
        for &(runtime, ref programs) in &built {
            println!("at rest with {} and {} servers: {}", plan.few, plan.many, runtime.name());
            // A ZooKeeper of its own for each, so that its transactions are theirs.
            let own = [ensembles().collect::<Result<Vec<_>>>()?, ensembles().collect::<Result<Vec<_>>>()?];
            let each = own.iter().zip([plan.few, plan.many]);
            let each =
                each.flat_map(|(ensembles, servers)| ensembles.iter().zip(core::iter::repeat(servers)));
            let clusters = each.map(|(ensemble, servers)| (Setting { runtime, programs, ensemble }, servers));
            let clusters: Vec<_> = clusters.collect();
            summary::rests(&rest::measure(&clusters, plan.rest)?, plan.rest, &mut report)?;
        }
    }
    report.print();
    if let Some(file) = &args.common.json {
        report.write_json(file)?;
    }
    if args.common.quick
        || args.common.built
        || !args.only.is_empty()
        || args.common.runtime.is_some()
        || args.nodes.is_some()
    {
        println!("docs/benchmarks.md is left as it is: this was a partial run");
    } else {
        report.write_section("failover")?;
        report.write_json(&repo::root().join("docs/benchmarks/failover.json"))?;
        println!("written to docs/benchmarks.md; all samples to docs/benchmarks/failover.json");
    }
    Ok(())
}

/// What was measured in each setting, by the setting's name.
type Measured<T> = Vec<(String, T)>;

fn each<T>(
    settings: &[Setting<'_>],
    what: &str,
    measure: impl Fn(Setting<'_>) -> Result<T>,
) -> Result<Measured<T>> {
    let measured = settings.iter().map(|&setting| {
        println!("{what}: {setting}");
        let begin = clock::now();
        let measured = measure(setting).with_context(|| format!("{what}: {setting}"))?;
        println!("  took {:.0} s", (clock::now() - begin).as_secs_f64());
        Ok((setting.to_string(), measured))
    });
    measured.collect()
}

fn versions() -> Result<Vec<(String, String)>> {
    let java = processes::command("java").arg("-version").output().context("java")?;
    let java = String::from_utf8_lossy(&java.stderr);
    let package = ["-W", "-f", "Debian ${Version}", "zookeeper"];
    let zookeeper = run::output(processes::command("dpkg-query").args(package))?;
    let data = ["-n", "-o", "FSTYPE", "--target"];
    let data = run::output(processes::command("findmnt").args(data).arg(std::env::temp_dir()))?;
    let zookeeper = format!("{zookeeper}, tickTime 2000, each write synced to {}", data.trim());
    let java = java.lines().next().unwrap_or("unknown").trim();
    let versions = [("Tangelo", env!("CARGO_PKG_VERSION")), ("ZooKeeper", &zookeeper), ("java", java)];
    Ok(versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into())
}
