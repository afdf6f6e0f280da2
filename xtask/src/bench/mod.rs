//! `cargo xtask bench`: Tangelo beside its peers, measured in one run.

mod builds;
mod channels;
mod clients;
pub(crate) mod cluster;
mod common;
mod cores;
mod failover;
mod lines;
mod peers;
mod procfs;
mod report;
mod scratch;
mod stamps;
pub(crate) mod stats;
mod supervision;

use anyhow::Result;

/// Measures Tangelo beside its peers.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    Supervision(supervision::Args),
    Failover(failover::Args),
    Channels(channels::Args),
    Clients(clients::Args),
}

/// Runs a benchmark.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Supervision(args) => supervision::run(args),
        Bench::Failover(args) => failover::run(args),
        Bench::Channels(args) => channels::run(args),
        Bench::Clients(args) => clients::run(args),
    }
}
