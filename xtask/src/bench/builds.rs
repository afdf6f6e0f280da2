//! The programs that are measured, built in release mode.

use crate::{processes, repo, run};
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use core::time::Duration;
use std::path::PathBuf;

const LIMIT: Duration = Duration::from_secs(1200);

/// What Tangelo runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    Tokio,
    Smol,
}

impl Runtime {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
        }
    }

    const fn features(self) -> &'static str {
        match self {
            Self::Tokio => "runtime-tokio,affinity,cli",
            Self::Smol => "runtime-smol,affinity,cli",
        }
    }
}

/// The trivial child and the floor that it is measured against.
pub(crate) fn helpers() -> Result<()> {
    build(&["-p", "xtask", "--bin", "bench_child", "--bin", "bench_floor"])
}

/// The app whose servers do nothing, for one machine, where cargo puts it.
pub(crate) fn app(runtime: Runtime) -> Result<()> {
    let features = ["--no-default-features", "--features", runtime.features()];
    build(&[&["-p", "tangelo", "--example", "bench_server"], &features[..]].concat())
}

/// Programs for masters on ZooKeeper.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The app whose servers do nothing.
    pub(crate) app: PathBuf,
    /// All servers of a cluster in one process.
    pub(crate) members: PathBuf,
}

/// For masters on ZooKeeper; each runtime's in a place of its own. With `built` as they were built last.
pub(crate) fn on_zookeeper(runtime: Runtime, built: bool) -> Result<Programs> {
    let to = repo::target().join("bench-run/programs").join(runtime.name());
    if built {
        return Ok(Programs { app: to.join("bench_server"), members: to.join("bench_members") });
    }
    let features = format!("{},coordinator-zookeeper,load-test", runtime.features());
    let examples = ["-p", "tangelo", "--example", "bench_server", "--example", "bench_members"];
    build(&[&examples[..], &["--no-default-features", "--features", &features]].concat())?;
    std::fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    let place = |name: &str| -> Result<PathBuf> {
        let (from, to) = (repo::target().join("release/examples").join(name), to.join(name));
        // What runs cannot be written to, but replaced.
        let new = to.with_extension("new");
        std::fs::copy(&from, &new)
            .and_then(|_| std::fs::rename(&new, &to))
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        Ok(to)
    };
    Ok(Programs { app: place("bench_server")?, members: place("bench_members")? })
}

fn build(arguments: &[&str]) -> Result<()> {
    let log = repo::target().join("bench-run/build.log");
    run::must(&mut processes::cargo(&[&["build", "--release"], arguments].concat()), &log, LIMIT)
}
