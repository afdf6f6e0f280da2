//! `cargo xtask sizes`: what a choice of features costs to build, and to ship.

use crate::machine::Machine;
use crate::{clock, processes, repo, run, section};
use alloc::collections::BTreeSet;
use anyhow::{Context as _, Result};
use comfy_table::{Table, presets};
use core::time::Duration;
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// Builds the binary `tangelo` from nothing with several choices of features: crates, time and size
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; may be given several times
    #[arg(long, value_name = "NAME", value_parser = CHOICES.map(|choice| choice.name))]
    only: Vec<String>,
    /// Build in release mode too, which takes minutes, for the size of the binary
    #[arg(long)]
    release: bool,
    /// The outcome as JSON
    #[arg(long)]
    json: bool,
    /// Write the table into docs/benchmarks.md, too
    #[arg(long)]
    write: bool,
}

/// Features that go together.
struct Choice {
    name: &'static str,
    /// For cargo.
    args: &'static [&'static str],
}

const CHOICES: [Choice; 6] = [
    Choice { name: "default", args: &[] },
    Choice {
        name: "smol",
        args: &["--no-default-features", "--features", "runtime-smol,channel-sqlite,affinity,cli"],
    },
    Choice { name: "zookeeper", args: &["--features", "coordinator-zookeeper"] },
    Choice { name: "redis", args: &["--features", "channel-redis"] },
    Choice { name: "postgres", args: &["--features", "channel-postgres"] },
    Choice { name: "all", args: &["--all-features"] },
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Size {
    name: &'static str,
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
    let machine = Machine::here();
    let chosen = |choice: &&Choice| args.only.is_empty() || args.only.iter().any(|name| name == choice.name);
    let mut sizes = Vec::new();
    for choice in CHOICES.iter().filter(chosen) {
        eprintln!("building {} …", choice.name);
        sizes.push(measured(choice, args.release)?);
    }
    let text = format!("{}\n\n{}", table(&sizes), origin(&machine, args));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json!({"machine": machine, "sizes": sizes}))?);
    } else {
        println!("{text}");
    }
    if args.write { section::write("benchmarks.md", "bench", "sizes", &text) } else { Ok(()) }
}

fn measured(choice: &Choice, release: bool) -> Result<Size> {
    let dir = repo::target().join("sizes").join(choice.name);
    // From nothing.
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let crates = crates(choice)?;
    let (began, cpu) = (clock::now(), cpu_of_children()?);
    build(choice, &dir, &[])?;
    let build_seconds = clock::now().saturating_sub(began).as_secs_f64();
    let build_cpu_seconds = cpu_of_children()? - cpu;
    let mut sizes = [None, None];
    if release {
        for (size, strip) in sizes.iter_mut().zip(["none", "symbols"]) {
            build(choice, &dir, &["--release", "--config", &format!("profile.release.strip=\"{strip}\"")])?;
            *size = Some(mib(&dir.join("release/tangelo"))?);
        }
    }
    // Each has hundreds of MiB.
    std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    let [binary_mib, stripped_mib] = sizes;
    let features = choice.args.join(" ");
    Ok(Size {
        name: choice.name,
        features,
        crates,
        build_seconds,
        build_cpu_seconds,
        binary_mib,
        stripped_mib,
    })
}

fn build(choice: &Choice, dir: &Path, more: &[&str]) -> Result<()> {
    let target = dir.to_str().context("the target directory's name is no UTF-8")?;
    let build = ["build", "--locked", "-p", "tangelo", "--bin", "tangelo", "--target-dir", target];
    let log = repo::target().join("sizes").join(format!("{}.log", choice.name));
    run::must(&mut processes::cargo(&[&build, choice.args, more].concat()), &log, LIMIT)
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
    let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
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

fn origin(machine: &Machine, args: &Args) -> String {
    let Machine { cpu, cores, rustc, busy_percent, date, revision, .. } = machine;
    let release = if args.release { " --release" } else { "" };
    format!(
        "`cargo xtask sizes{release}` on {date} at revision {revision}. Machine: {cpu}, {cores} cores, \
         {busy_percent:.0} % busy with other things before the run; {rustc}."
    )
}
