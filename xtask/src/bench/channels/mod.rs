//! `cargo xtask bench channels`: how fast members enter and leave channels in each store, and what pushes and members cost.

mod field;
mod load;
mod purge;
mod push;
mod redis;
mod sql;

use crate::bench::builds;
use crate::bench::common::Common;
use crate::bench::cores::Cores;
use crate::bench::report::Report;
use crate::runtime::Runtime;
use crate::{install, processes, run, services};
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use load::Work;
use std::path::PathBuf;
use tangelo_services::redis::{Options, Redis};

/// Measures changes of channels in their stores, pushes, purges and memory
///
/// Starts a private Redis (and whatever else it measures) on ports of its own, and takes some minutes once all is
/// built. Servers of stores have one core, their clients another.
///
/// Examples: `cargo xtask bench channels` measures all and writes docs/benchmarks.md;
/// `cargo xtask bench channels --quick --only redis` looks whether it works.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Measure only this; may be given several times
    #[arg(long, value_name = "WHAT")]
    only: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// add, leave and `add_many` in Redis, beside redis-benchmark and Pomelo's manager
    Redis,
    /// `add_many` in PostgreSQL, MariaDB and SQLite, beside the best statements written by hand
    Sql,
    /// A frontend with 100 000 members is purged, in each store
    Purge,
    /// Pushes over 8 frontends, and the memory of a frontend's members
    Push,
}

/// Over so many channels members are spread.
const CHANNELS: usize = 1000;

/// What all parts have in common.
pub(crate) struct Setting {
    pub(crate) cores: Cores,
    /// What drives channel managers.
    pub(crate) load: PathBuf,
    pub(crate) runtimes: Vec<Runtime>,
    pub(crate) rounds: usize,
    /// Of each change of members.
    pub(crate) members: usize,
    /// Of those that go to disks.
    pub(crate) rows: usize,
    /// Of each size of channel, in a round.
    pub(crate) pushes: usize,
}

impl Setting {
    /// For `tangelo-load` with a store.
    fn work(&self, store: String, runtime: Runtime, members: usize) -> Work<'_> {
        Work { program: &self.load, store, runtime, members, channels: CHANNELS }
    }
}

fn redis_url(redis: &Redis) -> String {
    format!("redis://127.0.0.1:{}", redis.port())
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let has = |part| args.only.is_empty() || args.only.contains(&part);
    install::ensure(&[services::REDIS, services::NETWORK])?;
    if !args.common.built {
        println!("building");
    }
    let runtimes = args.common.runtimes();
    let stores = has(Part::Sql) || has(Part::Purge);
    if stores {
        install::ensure(&[services::POSTGRES, services::MARIADB])?;
    }
    let load = if has(Part::Redis) || stores { builds::load(args.common.built)? } else { PathBuf::new() };
    let mut apps = Vec::new();
    if has(Part::Push) {
        for &runtime in &runtimes {
            apps.push((runtime, builds::channels(runtime, args.common.built)?));
        }
    }
    let few = |few, many| if args.common.quick { few } else { many };
    let setting = Setting {
        cores: Cores::two()?,
        load,
        runtimes,
        rounds: few(1, 5),
        members: few(100_000, 300_000),
        rows: few(20_000, 100_000),
        pushes: few(20, 100),
    };

    let mut report = Report::begin(args.common.shown("channels"));
    let redis = Redis::start(&Options::default())?;
    let pid = redis.pid().context("Redis has ended")?;
    setting.cores.pin_server(pid)?;
    report.versions.push(("Redis".to_owned(), redis_version()?));
    if has(Part::Redis) {
        redis::measure(&setting, &redis, &mut report)?;
    }
    if stores {
        let databases = sql::Databases::start(&setting)?;
        report.versions.extend(databases.versions()?);
        if has(Part::Sql) {
            sql::measure(&setting, &databases, &mut report)?;
        }
        if has(Part::Purge) {
            purge::measure(&setting, &redis, &databases, &mut report)?;
        }
    }
    for (runtime, app) in &apps {
        push::measure(&setting, *runtime, app, &redis, &mut report)?;
    }
    report.print();
    if let Some(file) = &args.common.json {
        report.write_json(file)?;
    }
    if args.common.quick || !args.only.is_empty() || args.common.runtime.is_some() {
        println!("docs/benchmarks.md is left as it is: this was a partial run");
    } else {
        report.write_section("channels")?;
        println!("written to docs/benchmarks.md");
    }
    Ok(())
}

/// Such as `7.0.15`.
pub(crate) fn redis_version() -> Result<String> {
    let printed = run::output(processes::command("redis-server").arg("--version"))?;
    let version = printed.split(' ').find_map(|word| word.strip_prefix("v="));
    Ok(version.with_context(|| format!("redis-server --version printed {printed}"))?.to_owned())
}
