//! `cargo xtask test-matrix`: every combination that we promise, built, tested and counted.

mod cell;
mod cells;
mod choices;
mod count;
mod report;
mod step;

pub(crate) use count::first_error;

use crate::{clock, install, repo};
use anyhow::{Result, bail};
use cell::{Cell, Counts, Outcome};
use cells::CELLS;
use core::time::Duration;
use report::Live;
use std::path::{Path, PathBuf};

/// All cells together end within this: CI would kill the whole after 90 minutes, and then nothing tells why.
const WHOLE: Duration = Duration::from_secs(85 * 60);

/// Builds and tests every combination of features that we promise.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the cells, and run none
    #[arg(long)]
    list: bool,
    /// Run only this cell; may be given several times
    #[arg(long = "cell", value_name = "NAME")]
    cells: Vec<String>,
    /// Run only the cells that say most in the shortest time
    #[arg(long, conflicts_with = "cells")]
    quick: bool,
}

/// Runs the cells that `args` choose; true if all passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let chosen = chosen(args)?;
    if args.list {
        println!("{}", report::list(&chosen));
        return Ok(true);
    }
    let live = Live::new(chosen.len());
    let end = clock::now() + WHOLE;
    let mut outcomes = Vec::new();
    for (index, cell) in chosen.iter().enumerate() {
        live.begins(index, cell);
        let log = log_of(cell);
        let outcome =
            run_cell(cell, &log, end, &mut |command, counts| live.progresses(index, cell, command, counts));
        live.ends(&outcome, &log);
        outcomes.push(outcome);
    }
    live.done();
    println!("{}", report::table(&outcomes));
    if args.quick {
        let left_out: Vec<_> = CELLS.iter().filter(|cell| !cell.quick).map(|cell| cell.name).collect();
        println!("left out by --quick: {}", left_out.join(", "));
    }
    let mut total = Counts::default();
    for outcome in &outcomes {
        total += outcome.counts;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0 && outcomes.iter().all(|outcome| outcome.failure.is_none()))
}

fn chosen(args: &Args) -> Result<Vec<&'static Cell>> {
    if let Some(unknown) = args.cells.iter().find(|name| CELLS.iter().all(|cell| cell.name != **name)) {
        let names: Vec<_> = CELLS.iter().map(|cell| cell.name).collect();
        bail!("there is no cell `{unknown}`; there are {}", names.join(", "));
    }
    let wanted = |cell: &&Cell| {
        if args.cells.is_empty() {
            cell.quick || !args.quick
        } else {
            args.cells.iter().any(|n| n == cell.name)
        }
    };
    Ok(CELLS.iter().filter(wanted).collect())
}

fn log_of(cell: &Cell) -> PathBuf {
    repo::target().join("test-matrix").join(format!("{}.log", cell.name))
}

/// Runs a cell up to its first failure, its limit or `end`; what keeps it from running is a failure, too.
fn run_cell(cell: &'static Cell, log: &Path, end: Duration, tick: &mut dyn FnMut(&str, Counts)) -> Outcome {
    let start = clock::now();
    let limit = end.min(start + cell.limit());
    let mut counts = Counts::default();
    let mut steps = || -> Result<Option<String>> {
        if log.exists() {
            std::fs::remove_file(log)?;
        }
        install::ensure(cell.needs)?;
        for step in cell.steps {
            let command = format!("cargo {}", step.arguments().join(" "));
            let before = counts;
            tick(&command, before);
            let (of_step, failure) = step::run(step, log, limit, &mut |so_far| {
                let mut all = before;
                all += so_far;
                tick(&command, all);
            })?;
            counts += of_step;
            if failure.is_some() {
                return Ok(failure);
            }
        }
        Ok(None)
    };
    let failure = match steps() {
        Ok(failure) => failure,
        Err(e) => {
            counts.failed += 1;
            Some(format!("{e:#}"))
        }
    };
    Outcome { cell, counts, time: clock::now().saturating_sub(start), failure }
}
