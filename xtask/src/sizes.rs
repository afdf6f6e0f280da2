//! `cargo xtask sizes`: what a choice of features costs to build, and to ship.

use crate::install::{self, Need, Probe, Source};
use crate::machine::Machine;
use crate::{clock, processes, repo, run, section};
use alloc::collections::BTreeSet;
use anyhow::{Context as _, Result};
use comfy_table::{Table, presets};
use core::time::Duration;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Builds the binary `tangelo` with several choices of features: crates, time of a cold build, size of the binary
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; may be given several times
    #[arg(long, value_name = "NAME", value_parser = CHOICES.map(|choice| choice.name))]
    only: Vec<String>,
    /// Leave the release builds out, and with them the sizes of the binary
    #[arg(long)]
    quick: bool,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
    /// Write the tables into docs/benchmarks.md and README.md, too
    #[arg(long)]
    write: bool,
}

/// What takes the symbols out of a binary.
const STRIP: Need =
    Need { what: "strip", probe: Probe::Program("strip"), source: Source::Debian(&["binutils"]) };

/// Features that go together.
struct Choice {
    name: &'static str,
    /// In words.
    what: &'static str,
    /// For cargo.
    args: &'static [&'static str],
}

const CHOICES: [Choice; 8] = [
    Choice {
        name: "minimal",
        what: "tokio, a command line, nothing else",
        args: &["--no-default-features", "--features", "runtime-tokio,cli"],
    },
    Choice { name: "default", what: "the default: tokio, SQLite", args: &[] },
    Choice {
        name: "smol",
        what: "the same on smol",
        args: &["--no-default-features", "--features", "runtime-smol,channel-sqlite,affinity,cli"],
    },
    Choice {
        name: "zookeeper",
        what: "the default and ZooKeeper",
        args: &["--features", "coordinator-zookeeper"],
    },
    Choice { name: "redis", what: "the default and Redis", args: &["--features", "channel-redis"] },
    Choice {
        name: "postgres",
        what: "the default and PostgreSQL",
        args: &["--features", "channel-postgres"],
    },
    Choice { name: "mysql", what: "the default and MySQL", args: &["--features", "channel-mysql"] },
    Choice { name: "all", what: "everything, both runtimes too", args: &["--all-features"] },
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Size {
    name: &'static str,
    #[serde(skip)]
    what: &'static str,
    /// As cargo is told.
    features: String,
    /// Our own among them, and those that only run while building.
    crates: usize,
    /// From nothing, debug.
    build_seconds: f64,
    /// Of all cores together: what other work on the machine does not lengthen.
    build_cpu_seconds: f64,
    /// Release, as it is built and without symbols.
    binary_mib: Option<f64>,
    stripped_mib: Option<f64>,
}

/// One build.
const LIMIT: Duration = Duration::from_secs(1800);

/// Measures.
///
/// # Errors
/// If something does not build.
pub(crate) fn run(args: &Args) -> Result<()> {
    install::ensure(if args.quick { &[] } else { &[STRIP] })?;
    let machine = Machine::here();
    // Builds are timed, downloads are not.
    run::must(&mut processes::cargo(&["fetch", "--locked"]), &dir().join("fetch.log"), LIMIT)?;
    let chosen = |choice: &&Choice| args.only.is_empty() || args.only.iter().any(|name| name == choice.name);
    let chosen: Vec<_> = CHOICES.iter().filter(chosen).collect();
    let mut sizes = Vec::new();
    for choice in &chosen {
        eprintln!("building {} from nothing …", choice.name);
        sizes.push(cold_build(choice)?);
    }
    if !args.quick {
        // The size of a binary does not depend on what was built before it, so these share a directory.
        let dir = fresh("release")?;
        for (choice, size) in chosen.iter().zip(&mut sizes) {
            eprintln!("building {} in release mode …", choice.name);
            (size.binary_mib, size.stripped_mib) = released(choice, &dir)?;
        }
        removed(&dir)?;
    }
    let text = format!("{}\n\n{}", table(&sizes), origin(&machine, args));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json!({"machine": machine, "sizes": sizes}))?);
    } else {
        println!("{text}");
    }
    if args.write {
        section::write("docs/benchmarks.md", "bench", "sizes", &text)?;
        section::write("README.md", "sizes", "choices", &short_table(&sizes).to_string())?;
    }
    Ok(())
}

fn dir() -> PathBuf {
    repo::target().join("sizes")
}

/// The name of an empty place to build in.
fn fresh(name: &str) -> Result<PathBuf> {
    let dir = dir().join(name);
    removed(&dir)?;
    Ok(dir)
}

/// Each has hundreds of MiB.
fn removed(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

/// A debug build, in a directory of its own.
fn cold_build(choice: &Choice) -> Result<Size> {
    let (dir, crates) = (fresh(choice.name)?, crates(choice)?);
    let (began, cpu) = (clock::now(), cpu_of_children()?);
    build(choice, &dir, &[])?;
    let build_seconds = clock::now().saturating_sub(began).as_secs_f64();
    let build_cpu_seconds = cpu_of_children()? - cpu;
    removed(&dir)?;
    Ok(Size {
        name: choice.name,
        what: choice.what,
        features: choice.args.join(" "),
        crates,
        build_seconds,
        build_cpu_seconds,
        binary_mib: None,
        stripped_mib: None,
    })
}

/// The size of the binary as it is built, and without its symbols.
fn released(choice: &Choice, dir: &Path) -> Result<(Option<f64>, Option<f64>)> {
    build(choice, dir, &["--release"])?;
    let (binary, stripped) = (dir.join("release/tangelo"), dir.join("release/tangelo.stripped"));
    let mut strip = processes::command("strip");
    run::must(strip.arg("-o").arg(&stripped).arg(&binary), &log_of(choice), LIMIT)?;
    Ok((Some(mib(&binary)?), Some(mib(&stripped)?)))
}

fn build(choice: &Choice, dir: &Path, more: &[&str]) -> Result<()> {
    let target = dir.to_str().context("the target directory's name is no UTF-8")?;
    let build = ["build", "--locked", "-p", "tangelo", "--bin", "tangelo", "--target-dir", target];
    run::must(&mut processes::cargo(&[&build, choice.args, more].concat()), &log_of(choice), LIMIT)
}

fn log_of(choice: &Choice) -> PathBuf {
    dir().join(format!("{}.log", choice.name))
}

/// How many crates are compiled.
fn crates(choice: &Choice) -> Result<usize> {
    let tree =
        ["tree", "--locked", "-p", "tangelo", "-e", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = run::output(&mut processes::cargo(&[&tree, choice.args].concat()))?;
    let packages = tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    Ok(packages.collect::<BTreeSet<_>>().len())
}

fn mib(file: &Path) -> Result<f64> {
    let bytes = std::fs::metadata(file).with_context(|| format!("cannot see {}", file.display()))?.len();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    Ok(bytes as f64 / f64::from(1 << 20))
}

/// The CPU time of all our children that have ended, and of theirs, in seconds.
fn cpu_of_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    // Fields 16 and 17 of proc_pid_stat(5), cutime and cstime; the second field ends with the last bracket.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    #[expect(clippy::cast_precision_loss, reason = "it is 100")]
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn table(sizes: &[Size]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let header = [
        "choice",
        "features, as cargo is told",
        "crates",
        "build, s",
        "CPU, s",
        "release, MiB",
        "stripped, MiB",
    ];
    table.set_header(header);
    for size in sizes {
        table.add_row([
            size.name.to_owned(),
            if size.features.is_empty() { String::new() } else { format!("`{}`", size.features) },
            size.crates.to_string(),
            format!("{:.0}", size.build_seconds),
            format!("{:.0}", size.build_cpu_seconds),
            figure(size.binary_mib),
            figure(size.stripped_mib),
        ]);
    }
    table
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"))
}

/// What README.md shows of it.
fn short_table(sizes: &[Size]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["what it costs", "crates", "cold debug build, s", "release binary, MiB"]);
    for size in sizes {
        let (crates, seconds) = (size.crates.to_string(), format!("{:.0}", size.build_seconds));
        table.add_row([size.what.to_owned(), crates, seconds, figure(size.stripped_mib)]);
    }
    table
}

fn origin(machine: &Machine, args: &Args) -> String {
    let Machine { cpu, cores, rustc, busy_percent, date, revision, .. } = machine;
    let quick = if args.quick { " --quick" } else { "" };
    format!(
        "`cargo xtask sizes{quick}` on {date} at revision {revision}. Machine: {cpu}, {cores} cores, \
         {busy_percent:.0} % busy with other things before the run; {rustc}."
    )
}
