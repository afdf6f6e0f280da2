//! `cargo xtask bench supervision`: how fast a killed process is back, beside other supervisors;
//! how fast a cluster is up; what it costs at rest; how fast a standby takes over.

mod failover;
mod footprint;
mod restart;
mod startup;

use crate::bench::builds;
use crate::bench::cluster::Tangelo;
use crate::bench::peers::{Debian, Floor, Peer, Pm2, Runit, S6, Supervisord};
use crate::bench::report::{Report, Row, Target};
use crate::bench::stats::Summary;
use crate::repo;
use crate::runtime::Runtime;
use anyhow::Result;
use clap::ValueEnum;
use core::time::Duration;
use std::path::PathBuf;

/// Measures restarts, starts, footprint and failover
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Few rounds: to see that it works, not for figures
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given several times
    #[arg(long, value_name = "WHAT")]
    only: Vec<Part>,
    /// The runtime that Tangelo is built with
    #[arg(long, value_enum, default_value = "tokio")]
    runtime: Runtime,
    /// Write all figures there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Restarts by the floor and the peers, without Tangelo
    Peers,
    /// Restarts by the floor, the peers and Tangelo
    Restart,
    /// `start` of 8 and of 100 servers
    Startup,
    /// Memory and processor time at rest
    Footprint,
    /// A standby takes over
    Failover,
}

/// What is measured, with how many rounds.
pub(crate) struct Plan {
    /// The trivial child.
    pub(crate) child: PathBuf,
    floor: PathBuf,
    /// The app of our own.
    pub(crate) app: PathBuf,
    /// Restarts go over all peers this many times, so that a change of the machine's mood hits all.
    batches: usize,
    /// Kills in a batch.
    pub(crate) rounds: usize,
    /// Kills in a batch where each takes a second.
    pub(crate) slow_rounds: usize,
    small_starts: usize,
    large_starts: usize,
    failovers: usize,
}

impl Plan {
    fn new(quick: bool) -> Self {
        let release = repo::target().join("release");
        let few = |few, many| if quick { few } else { many };
        Self {
            child: release.join("bench_child"),
            floor: release.join("bench_floor"),
            app: release.join("examples/bench_server"),
            batches: few(1, 3),
            rounds: few(8, 20),
            slow_rounds: few(3, 4),
            small_starts: few(3, 20),
            large_starts: few(1, 5),
            failovers: few(4, 30),
        }
    }
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let has = |part| args.only.is_empty() || args.only.contains(&part);
    let tangelo = has(Part::Restart) || has(Part::Startup) || has(Part::Footprint) || has(Part::Failover);
    let plan = Plan::new(args.quick);
    println!("building");
    builds::helpers()?;
    if tangelo {
        builds::app(args.runtime)?;
    }
    let mut report = Report::begin(shown(args));
    if has(Part::Restart) || has(Part::Peers) {
        restarts(&plan, args.runtime, has(Part::Restart), &mut report)?;
    }
    if has(Part::Startup) {
        starts(&plan, &mut report)?;
    }
    if has(Part::Footprint) {
        footprints(&plan, &mut report)?;
    }
    if has(Part::Failover) {
        failovers(&plan, &mut report)?;
    }
    report.print();
    if let Some(file) = &args.json {
        report.write_json(file)?;
    }
    if args.quick || !args.only.is_empty() {
        println!("docs/benchmarks.md is left as it is: this was a partial run");
    } else {
        report.write_section("supervision")?;
        println!("written to docs/benchmarks.md");
    }
    Ok(())
}

fn shown(args: &Args) -> String {
    let mut shown = "cargo xtask bench supervision".to_owned();
    if args.quick {
        shown += " --quick";
    }
    if args.runtime == Runtime::Smol {
        shown += " --runtime smol";
    }
    shown
}

fn restarts(plan: &Plan, runtime: Runtime, with_tangelo: bool, report: &mut Report) -> Result<()> {
    let debian = Debian::unpacked()?;
    let floor = Floor { program: plan.floor.clone() };
    let runit = Runit { debian: &debian, script: true };
    let bare_runit = Runit { debian: &debian, script: false };
    let pm2 = Pm2::installed()?;
    let (s6, supervisord) = (S6 { debian: &debian }, Supervisord { debian: &debian });
    let tangelo = Tangelo { app: &plan.app, runtime: runtime.name() };
    let mut peers: Vec<&dyn Peer> = vec![&floor];
    if with_tangelo {
        peers.push(&tangelo);
    }
    peers.extend([&runit as &dyn Peer, &bare_runit, &pm2, &s6, &supervisord]);

    let mut measured: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 0.0); peers.len()];
    for batch in 0..plan.batches {
        for (peer, (latencies, rss)) in peers.iter().zip(&mut measured) {
            println!("restart, batch {} of {}: {}", batch + 1, plan.batches, peer.name());
            let more = restart::measure(*peer, plan)?;
            latencies.extend(more.latencies);
            *rss = rss.max(more.rss);
        }
    }
    let medians = measured.iter().map(|(latencies, _)| Summary::of(latencies).map_or(f64::NAN, |s| s.median));
    let medians: Vec<_> = medians.collect();
    for (index, (peer, (latencies, rss))) in peers.iter().zip(&measured).enumerate() {
        let row = Row::of(format!("kill -9 → successor's main: {}", peer.name()), "ms", latencies)?;
        let ratio_to_floor = Some(medians[index] / medians[0]);
        report.rows.push(Row { ratio_to_floor, rss_mib: Some(*rss), ..row });
        report.versions.push((peer.name(), peer.version()));
    }
    if with_tangelo {
        // In the order of `peers`: floor, Tangelo, runit, runit without a shell, pm2.
        let ours = medians[1];
        let what = "restart, median: ";
        report.targets.extend([
            Target::at_most(format!("{what}2 × the floor"), "ms", 2.0 * medians[0], ours),
            Target::at_most(format!("{what}below runit"), "ms", medians[2], ours),
            Target::at_most(format!("{what}below pm2"), "ms", medians[4], ours),
        ]);
    }
    Ok(())
}

fn starts(plan: &Plan, report: &mut Report) -> Result<()> {
    for (servers, rounds, limit) in [(8, plan.small_starts, 300.0), (100, plan.large_starts, 3000.0)] {
        println!("start of {servers} servers");
        let row = Row::of(
            format!("start → all {servers} registered"),
            "ms",
            &startup::measure(plan, servers, rounds)?,
        )?;
        report.targets.push(Target::at_most(
            format!("{}, median", row.what),
            "ms",
            limit,
            row.summary.median,
        ));
        report.rows.push(row);
    }
    Ok(())
}

fn footprints(plan: &Plan, report: &mut Report) -> Result<()> {
    println!("footprint of 3 servers");
    let small = footprint::measure(plan, 3, Duration::from_secs(1))?;
    println!("footprint of 100 servers");
    let large = footprint::measure(plan, 100, Duration::from_secs(30))?;
    report.rows.extend([
        Row::of("RSS of a master and 3 servers at rest", "MiB", &[small.rss])?,
        Row::of("PSS of a master and 3 servers at rest", "MiB", &[small.pss])?,
        Row::of("RSS of the master of 100 servers", "MiB", &[large.master_rss])?,
        Row::of("PSS of a master and 100 servers at rest", "MiB", &[large.pss])?,
        Row::of("CPU of a master and 100 servers at rest", "% of a core", &[large.cpu])?,
    ]);
    report.targets.extend([
        Target::at_most("RSS of a master and 3 servers", "MiB", 40.0, small.rss),
        Target::at_most("RSS of the master of 100 servers", "MiB", 25.0, large.master_rss),
        Target::at_most("CPU of a master and 100 servers at rest", "% of a core", 2.0, large.cpu),
    ]);
    Ok(())
}

fn failovers(plan: &Plan, report: &mut Report) -> Result<()> {
    println!("failover");
    let measured = failover::measure(plan, plan.failovers)?;
    let registered =
        Row::of("kill -9 of the leader → all 8 registered with the standby", "ms", &measured.registered)?;
    let what = format!("{}, median", registered.what);
    report.targets.push(Target::at_most(what, "ms", 50.0, registered.summary.median));
    report.rows.push(Row::of("kill -9 of the leader → the standby leads", "ms", &measured.leads)?);
    report.rows.push(registered);
    Ok(())
}
