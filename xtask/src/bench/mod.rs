//! `cargo xtask bench`: Tangelo beside its peers, measured in one run.

pub(crate) mod cluster;
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
}

/// Runs a benchmark.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Supervision(args) => supervision::run(args),
    }
}
