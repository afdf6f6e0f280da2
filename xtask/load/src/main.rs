//! Drives a channel manager as hard as it goes, and prints how fast it was: a line of JSON, each thing done with how
//! many members it was done for, in how many seconds, with how many seconds of this process's own CPU.
//!
//! It checks that what it has measured was done.

extern crate alloc;

mod meter;
mod statements;
mod store;
mod work;

use alloc::sync::Arc;
use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use meter::Meter;
use std::process::ExitCode;
use store::Store;
use tangelo_core::runtime::Runtime;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

/// Loads a channel manager, on one thread
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Cli {
    /// Where members are kept, which must be empty: redis://…, postgres://…, mysql://… or sqlite:…; one with a
    /// password is better not an argument
    #[arg(env = "TANGELO_LOAD_STORE", hide_env_values = true)]
    url: String,
    /// What it runs on
    #[arg(long, value_enum, default_value = "tokio")]
    runtime: Executor,
    /// How many members
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// In so many channels
    #[arg(long, default_value_t = 1000)]
    channels: usize,
    #[command(subcommand)]
    work: Work,
}

#[derive(Clone, Copy, ValueEnum)]
enum Executor {
    Tokio,
    Smol,
}

#[derive(Clone, Copy, Subcommand)]
enum Work {
    /// All members enter one by one, many at once, and then leave
    Single {
        /// So many at once
        #[arg(long, default_value_t = 1024)]
        outstanding: usize,
    },
    /// All members enter by `add_many`, one call after the other, each into the next channel
    Batches {
        /// So many in a call
        #[arg(long, default_value_t = 1000)]
        batch: usize,
    },
    /// A frontend that has all members is purged
    Purge,
    /// The rows of `batches` in a database by statements written by hand, without a manager
    Statements {
        /// So many in a statement
        #[arg(long, default_value_t = 1000)]
        batch: usize,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let runtime: Arc<dyn Runtime> = match cli.runtime {
        Executor::Tokio => Arc::new(TokioRuntime::with_threads(1)?),
        Executor::Smol => Arc::new(SmolRuntime::with_threads(1)?),
    };
    let mut outcome = Ok(());
    runtime.block_on(Box::pin(async { outcome = drive(cli, &runtime).await }));
    outcome
}

async fn drive(cli: &Cli, runtime: &Arc<dyn Runtime>) -> Result<()> {
    let mut meter = Meter::default();
    let shape = work::Shape { members: cli.members, channels: cli.channels };
    if let Work::Statements { batch } = cli.work {
        statements::run(&cli.url, shape, batch, &mut meter).await?;
        println!("{}", meter.json());
        return Ok(());
    }
    let manager = Store::parse(&cli.url)?.manager(runtime)?;
    manager.start().await?;
    match cli.work {
        Work::Single { outstanding } => {
            work::single(&manager, runtime, shape, outstanding, &mut meter).await?;
        }
        Work::Batches { batch } => work::batches(&*manager, shape, batch, &mut meter).await?,
        Work::Purge => work::purge(&*manager, shape, &mut meter).await?,
        Work::Statements { .. } => {}
    }
    manager.stop().await?;
    println!("{}", meter.json());
    Ok(())
}
