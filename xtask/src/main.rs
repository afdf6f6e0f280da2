//! `cargo xtask`: Tangelo's own tasks, the test matrix and the benchmarks.

extern crate alloc;

mod bench;
mod chaos;
mod clients;
mod fuzz;
mod install;
mod machine;
mod matrix;
mod no_std;
mod processes;
mod repo;
mod run;
mod runtime;
mod section;
mod services;
mod sim;
mod sizes;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tangelo_services::clock;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tangelo's own tasks", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds and tests every combination of features that we promise
    TestMatrix(matrix::Args),
    /// Measures Tangelo beside its peers
    #[command(subcommand)]
    Bench(bench::Bench),
    Chaos(chaos::Args),
    Clients(clients::Args),
    Sim(sim::Args),
    Fuzz(fuzz::Args),
    NoStd(no_std::Args),
    Sizes(sizes::Args),
    /// The servers that tests, chaos runs and benchmarks start
    #[command(subcommand)]
    Services(services::Task),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whatever way this ends, no process that it started stays behind.
    let _sweeper = processes::Sweeper;
    if let Err(e) = processes::sweep_on_signals() {
        eprintln!("error: cannot watch for Ctrl-C: {e}");
        return ExitCode::FAILURE;
    }
    let done = match cli.task {
        Task::TestMatrix(args) => matrix::run(&args),
        Task::Bench(bench) => bench::run(&bench).map(|()| true),
        Task::Chaos(args) => chaos::run(&args),
        Task::Clients(args) => clients::run(&args),
        Task::Sim(args) => sim::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::NoStd(args) => no_std::run(&args).map(|()| true),
        Task::Sizes(args) => sizes::run(&args).map(|()| true),
        Task::Services(task) => services::run(&task).map(|()| true),
    };
    processes::halt_if_interrupted();
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
