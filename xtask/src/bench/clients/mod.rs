//! `cargo xtask bench clients`: what real clients get of Tangelo, Pomelo and socket.io, and of a bare loop of writes.

mod candidate;
mod fanout;
mod generator;
mod idle;
mod limit;
mod requests;
mod tangelo;

use crate::bench::builds;
use crate::bench::channels::redis_version;
use crate::bench::common::Common;
use crate::bench::peers::{PomeloCluster, SocketIo};
use crate::bench::report::Report;
use crate::bench::scratch;
use crate::{install, services};
use anyhow::{Context as _, Result};
pub(crate) use candidate::{Candidate, Servers};
use clap::ValueEnum;
use limit::Limit;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::path::PathBuf;
use tangelo::Tangelo;
use tangelo_services::redis::{Options, Redis};

/// Measures what clients get: pushes to thousands, requests, idle connections
///
/// Starts a private Redis, and one after the other the servers that it compares: two frontends, whose clients are in
/// one channel. Clients are real connections over WebSocket, all made by one process. It takes about ten minutes once
/// all is built.
///
/// Examples: `cargo xtask bench clients` measures all and writes docs/benchmarks.md;
/// `cargo xtask bench clients --quick --only fanout` looks whether it works.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Measure only this; may be given several times
    #[arg(long, value_name = "WHAT")]
    only: Vec<Part>,
    /// Without Pomelo and socket.io
    #[arg(long)]
    without_peers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Pushes to a channel of 1000 and of 5000 clients
    Fanout,
    /// Requests that a backend's handler answers
    Requests,
    /// 10 000 connections, made and held
    Idle,
}

/// What all parts have in common.
pub(crate) struct Setting {
    pub(crate) quick: bool,
    pub(crate) redis: Redis,
    /// The clients, and the bare loop.
    pub(crate) program: PathBuf,
    pub(crate) ours: Vec<Tangelo>,
    pub(crate) pomelo: Option<PomeloCluster>,
    pub(crate) socket_io: Option<SocketIo>,
}

impl Setting {
    /// Fewer in a quick run.
    pub(crate) const fn few(&self, few: usize, many: usize) -> usize {
        if self.quick { few } else { many }
    }

    /// Tangelo on each runtime, then Pomelo.
    pub(crate) fn with_backends(&self) -> Vec<&dyn Candidate> {
        let ours = self.ours.iter().map(|tangelo| tangelo as &dyn Candidate);
        ours.chain(self.pomelo.as_ref().map(|pomelo| pomelo as &dyn Candidate)).collect()
    }

    /// Tangelo on each runtime, Pomelo and socket.io.
    pub(crate) fn with_channels(&self) -> Vec<&dyn Candidate> {
        let mut all = self.with_backends();
        all.extend(self.socket_io.as_ref().map(|socket_io| socket_io as &dyn Candidate));
        all
    }
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let has = |part| args.only.is_empty() || args.only.contains(&part);
    install::ensure(&[services::REDIS])?;
    files()?;
    if !args.common.built {
        println!("building");
    }
    let program = builds::clients(args.common.built)?;
    let runtimes = args.common.runtimes();
    let mut ours = Vec::new();
    for runtime in runtimes {
        ours.push(Tangelo { runtime, app: builds::clients_app(runtime, args.common.built)? });
    }
    let mut report = Report::begin(args.common.shown("clients"));
    report.versions.push(("Tangelo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    let mut setting = Setting {
        quick: args.common.quick,
        redis: Redis::start(&Options::default())?,
        program,
        ours,
        pomelo: None,
        socket_io: None,
    };
    report.versions.push(("Redis".to_owned(), redis_version()?));
    if !args.without_peers {
        setting.pomelo = noted("Pomelo", PomeloCluster::installed(), PomeloCluster::version, &mut report);
        setting.socket_io = noted("socket.io", SocketIo::installed(), SocketIo::version, &mut report);
    }
    if has(Part::Fanout) {
        fanout::measure(&setting, &mut report)?;
    }
    if has(Part::Requests) {
        requests::measure(&setting, &mut report)?;
    }
    if has(Part::Idle) {
        idle::measure(&setting, &mut report)?;
    }
    report.print();
    if let Some(file) = &args.common.json {
        report.write_json(file)?;
    }
    if args.common.quick || args.without_peers || !args.only.is_empty() || args.common.runtime.is_some() {
        println!("docs/benchmarks.md is left as it is: this was a partial run");
    } else {
        report.write_section("clients")?;
        println!("written to docs/benchmarks.md");
    }
    Ok(())
}

/// A peer and its version, or a line that says why it is not there.
fn noted<T>(name: &str, installed: Result<T>, version: fn(&T) -> String, report: &mut Report) -> Option<T> {
    match installed {
        Ok(peer) => {
            report.versions.push((name.to_owned(), version(&peer)));
            Some(peer)
        }
        Err(why) => {
            let note = format!("Not measured: {name} cannot be had: {why:#}");
            println!("{note}");
            report.notes.push(note);
            None
        }
    }
}

/// Servers have as many open files as we may have: thousands of connections each.
fn files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("the limit of open files")
}

/// Starts a candidate on an empty store, in a directory of its own, and has `work` done with it.
fn with<T>(
    setting: &Setting,
    candidate: &dyn Candidate,
    work: impl FnOnce(&Servers) -> Result<T>,
) -> Result<T> {
    setting.redis.ask(&["FLUSHALL"])?;
    let dir = scratch::Dir::new("clients")?;
    let done = candidate.start(dir.path(), &setting.redis).and_then(|servers| {
        let done = work(&servers)?;
        servers.stop().map(|()| done)
    });
    let done = done.with_context(|| format!("{}; see {}", candidate.name(), dir.path().display()))?;
    dir.remove();
    Ok(done)
}

/// The bare loop.
fn limit(setting: &Setting) -> Limit<'_> {
    Limit { program: &setting.program }
}
