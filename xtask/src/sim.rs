//! `cargo xtask sim`: many seeds of the simulation in core's tests, on all cores.

use crate::processes;
use anyhow::{Context as _, Result, bail, ensure};
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::{BufRead as _, BufReader, IsTerminal as _, stderr};
use std::process::{Command, Stdio};
use tangelo_services::clock;

/// The test that runs seeds; see `core/tests/simulation/main.rs` for its variables.
const TEST: &str = "no_law_is_broken_whatever_fails";

/// Runs seeds of simulated cluster life, and checks the laws after every step
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run this one seed and print its trace
    #[arg(long, conflicts_with_all = ["seeds", "from", "json"])]
    seed: Option<u64>,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Runs it; whether no law was broken.
///
/// # Errors
/// If the simulation cannot be built or run.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut command = simulation()?;
    if let Some(seed) = args.seed {
        let status = command.env("TANGELO_SIM_SEED", seed.to_string()).status().context("the simulation")?;
        return Ok(status.success());
    }
    command
        .env("TANGELO_SIM_SEEDS", args.seeds.to_string())
        .env("TANGELO_SIM_FROM", args.from.to_string())
        .env("TANGELO_SIM_PROGRESS", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let began = clock::now();
    let mut child = command.spawn().context("cannot run the simulation")?;
    let out = child.stdout.take().context("its output")?;
    let (bar, mut total) = (bar(args.seeds), None);
    for line in BufReader::new(out).lines() {
        let line = line.context("cannot read what the simulation says")?;
        match serde_json::from_str::<Value>(&line) {
            Ok(mut said) if said.get("done").is_some() => {
                bar.set_position(said["done"].as_u64().unwrap_or_default());
                if let Some(Value::Object(sums)) = said.get_mut("total").map(Value::take) {
                    total = Some((said["done"].as_u64().unwrap_or_default(), sums));
                }
            }
            // What the test framework says; a violation and its trace come on stderr.
            _ => {}
        }
    }
    bar.finish_and_clear();
    let passed = child.wait().context("the simulation")?.success();
    let seconds = clock::now().saturating_sub(began).as_secs_f64();
    let Some((done, total)) = total else { bail!("the simulation ended without a result") };
    ensure!(!passed || done == args.seeds, "the simulation ran {done} seeds of {}", args.seeds);
    if args.json {
        println!("{}", json!({"seeds": done, "seconds": seconds, "passed": passed, "total": total}));
    } else {
        println!("{}", table(done, seconds, passed, &total));
    }
    Ok(passed)
}

/// The built simulation, ready to run.
fn simulation() -> Result<Command> {
    let mut build = processes::cargo(&[
        "test",
        "--release",
        "-p",
        "tangelo-core",
        "--test",
        "simulation",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let output = build.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the simulation does not build");
    let artifacts = output.stdout.split(|byte| *byte == b'\n');
    let program = artifacts
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|artifact| artifact["target"]["name"] == "simulation")
        .find_map(|artifact| artifact["executable"].as_str().map(str::to_owned));
    let program = program.context("cargo does not say where the simulation is")?;
    let mut command = processes::command(program);
    command.args([TEST, "--exact", "--nocapture"]);
    Ok(command)
}

fn bar(seeds: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left");
    ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn table(done: u64, seconds: f64, passed: bool, total: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["simulated", "sum"]);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = done as f64 / seconds;
    table.add_row(["seeds".to_owned(), format!("{done} in {seconds:.1} s ({rate:.0}/s)")]);
    table.add_row(["laws broken".to_owned(), if passed { "none" } else { "one: see above" }.to_owned()]);
    for (name, sum) in total {
        let sum = match (name.as_str(), sum.as_f64()) {
            // Virtual microseconds.
            ("simulated", Some(micros)) => format!("{:.0} h", micros / 3.6e9),
            ("longest_heal", Some(micros)) => format!("{:.1} s", micros / 1e6),
            _ => sum.to_string(),
        };
        let name = if name == "simulated" { "cluster life".to_owned() } else { name.replace('_', " ") };
        table.add_row([name, sum]);
    }
    table
}
