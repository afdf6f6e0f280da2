//! `cargo xtask fuzz`: libFuzzer on whatever reads bytes of strangers.
//!
//! Stable Rust is enough: it is cargo-fuzz's way of building without a sanitizer. The core forbids
//! unsafe code, so a sanitizer would find little more than the checks of a debug build do.

use crate::{clock, processes, repo, run};
use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use core::cmp::Reverse;
use core::time::Duration;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The targets; outside of this workspace, so that they are built with coverage.
const MANIFEST: &str = "xtask/fuzz/Cargo.toml";
/// Where they are built and work, below the target directory.
const BUILT: &str = "fuzz";
/// What makes libFuzzer see where the code goes.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];
/// All crates of the facade, on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
/// What choosing the files to keep may take.
const MERGE_LIMIT: Duration = Duration::from_secs(600);
/// How many files a target keeps.
const KEPT: usize = 200;
/// The longest input, in bytes.
const MAX_LEN: usize = 1024;

/// What is fuzzed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Target {
    /// Packages and messages of clients, and what is compressed in them
    PackageMessage,
    /// Handshakes of clients, and everything that may happen to a connection
    Handshake,
    /// Protobuf bodies and definitions
    Protobuf,
    /// The handshake and the frames of links
    LinkFrame,
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::PackageMessage => "package_message",
            Self::Handshake => "handshake",
            Self::Protobuf => "protobuf",
            Self::LinkFrame => "link_frame",
        }
    }
}

/// Feeds arbitrary bytes to whatever reads bytes of strangers, and keeps what reaches new code
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to fuzz; all, one after the other, if none is named
    target: Vec<Target>,
    /// How long each is fuzzed
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Fuzzes; whether nothing was found.
///
/// # Errors
/// If the targets cannot be built or run.
pub(crate) fn run(args: &Args) -> Result<bool> {
    ensure!(args.seconds > 0, "--seconds 0 would fuzz for ever");
    let built = build()?;
    let targets = if args.target.is_empty() { Target::value_variants() } else { &args.target };
    let mut clean = true;
    for &target in targets {
        clean &= fuzz(target, &built, args.seconds)?;
    }
    Ok(clean)
}

/// Builds all targets; where they are.
fn build() -> Result<PathBuf> {
    let dir = repo::target().join(BUILT);
    let target = dir.to_str().context("the target directory's name is no UTF-8")?;
    let version = run::output(processes::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    // With a target named, cargo leaves build scripts and macros without coverage.
    let build = [
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        MANIFEST,
        "--target-dir",
        target,
        "--target",
        host,
    ];
    let mut command = processes::cargo(&build);
    command.env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f")).env_remove("RUSTFLAGS");
    run::must(&mut command, &dir.join("build.log"), BUILD_LIMIT).context("the fuzz targets do not build")?;
    Ok(dir.join(host).join("release"))
}

fn fuzz(target: Target, built: &Path, seconds: u64) -> Result<bool> {
    let name = target.name();
    let program = built.join(name);
    let kept = repo::root().join("xtask/fuzz/corpus").join(name);
    let artifacts = repo::root().join("xtask/fuzz/artifacts").join(name);
    // What is found on the way is worth more to the next run here than to the repository.
    let work = repo::target().join(BUILT).join("corpus").join(name);
    for dir in [&kept, &artifacts, &work] {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let log = repo::target().join(BUILT).join(format!("{name}.log"));
    drop(fs::remove_file(&log));
    let mut command = processes::command(&program);
    let mut prefix = OsString::from("-artifact_prefix=");
    // libFuzzer puts the file's name right behind it.
    prefix.push(artifacts.join(""));
    command.arg(prefix).args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={MAX_LEN}"),
        "-timeout=10".into(),
        "-rss_limit_mb=1024".into(),
        "-print_final_stats=1".into(),
    ]);
    command.arg(&work).arg(&kept);
    let limit = Duration::from_secs(seconds.saturating_mul(2)) + MERGE_LIMIT;
    let run::Ended::Exit(status) = run::run(&mut command, &log, clock::now() + limit, &mut || {})? else {
        bail!("{name} did not end by itself; see {}", log.display());
    };
    if !status.success() {
        println!("{}", run::tail(&log, 40));
        let Some(found) = newest(&artifacts) else { bail!("{name}: {status}; see {}", log.display()) };
        println!("{name}: FOUND {}\nreplay: {} {}", found.display(), program.display(), found.display());
        return Ok(false);
    }
    let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let runs = stat(&text, "stat::number_of_executed_units:");
    let covered =
        text.lines().rev().find_map(|line| line.split_once(" cov: ")).map_or("?", |(_, rest)| first(rest));
    let files = keep(&program, &work, &kept, &log)?;
    println!("{name}: nothing found in {runs} runs of {seconds} s; {covered} edges, {files} files kept");
    Ok(true)
}

/// Replaces the files that are kept by fewer that reach as much; how many these are.
fn keep(program: &Path, work: &Path, kept: &Path, log: &Path) -> Result<usize> {
    let merged = work.with_extension("merged");
    if merged.exists() {
        fs::remove_dir_all(&merged)?;
    }
    fs::create_dir_all(&merged)?;
    let mut command = processes::command(program);
    // Edges alone: how often each was taken would take thousands of files.
    let options = ["-set_cover_merge=1", "-use_counters=0", "-timeout=10", "-rss_limit_mb=1024"];
    command.args(options).arg(&merged).args([work, kept]);
    run::must(&mut command, log, MERGE_LIMIT)?;
    let mut files = files(&merged)?;
    ensure!(!files.is_empty(), "nothing is worth keeping; see {}", log.display());
    // Should there be too many, the longest ones reach most.
    files.sort_by_key(|(path, length)| (Reverse(*length), path.clone()));
    files.truncate(KEPT);
    fs::remove_dir_all(kept)?;
    fs::create_dir_all(kept)?;
    for (path, _) in &files {
        fs::copy(path, kept.join(path.file_name().context("a file has a name")?))?;
    }
    fs::remove_dir_all(&merged)?;
    Ok(files.len())
}

/// The files in a directory, and their lengths.
fn files(dir: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    entries
        .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.metadata()?.len()))).map_err(Into::into))
        .collect()
}

fn newest(dir: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(dir).ok()?.flatten();
    files.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok()).map(|file| file.path())
}

fn stat<'a>(log: &'a str, name: &str) -> &'a str {
    log.lines().rev().find_map(|line| line.strip_prefix(name)).map_or("?", first)
}

fn first(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("?")
}
