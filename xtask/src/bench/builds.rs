//! The programs that are measured, built in release mode.

use crate::runtime::Runtime;
use crate::{processes, repo, run};
use anyhow::{Context as _, Result};
use core::time::Duration;
use std::path::{Path, PathBuf};

const LIMIT: Duration = Duration::from_secs(1200);

const fn features(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Tokio => "runtime-tokio,affinity,cli",
        Runtime::Smol => "runtime-smol,affinity,cli",
    }
}

/// The trivial child and the floor that it is measured against.
pub(crate) fn helpers() -> Result<()> {
    build(&["-p", "xtask", "--bin", "bench_child", "--bin", "bench_floor"])
}

/// The app whose servers do nothing, for one machine, where cargo puts it.
pub(crate) fn app(runtime: Runtime) -> Result<()> {
    let features = ["--no-default-features", "--features", features(runtime)];
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
    let features = format!("{},coordinator-zookeeper,load-test", features(runtime));
    let programs = examples(runtime, &["bench_server", "bench_members"], &features, built)?;
    let [app, members] = <[PathBuf; 2]>::try_from(programs).map_err(|_| anyhow::anyhow!("two programs"))?;
    Ok(Programs { app, members })
}

/// What drives channel managers, on either runtime.
pub(crate) fn load(built: bool) -> Result<PathBuf> {
    if !built {
        build(&["-p", "tangelo-load"])?;
    }
    Ok(repo::target().join("release/tangelo-load"))
}

/// The app of the channels; each runtime's in a place of its own. With `built` as it was built last.
pub(crate) fn channels(runtime: Runtime, built: bool) -> Result<PathBuf> {
    let features = format!("{},channel-redis", features(runtime));
    Ok(examples(runtime, &["bench_channels"], &features, built)?.remove(0))
}

/// The clients and the bare loop of `bench clients`.
pub(crate) fn clients(built: bool) -> Result<PathBuf> {
    if !built {
        build(&["-p", "tangelo-clients"])?;
    }
    Ok(repo::target().join("release/tangelo-clients"))
}

/// The app that clients connect to; each runtime's in a place of its own. With `built` as it was built last.
pub(crate) fn clients_app(runtime: Runtime, built: bool) -> Result<PathBuf> {
    let features = format!("{},channel-redis", features(runtime));
    Ok(examples(runtime, &["bench_clients"], &features, built)?.remove(0))
}

/// Examples of the facade; each runtime's in a place of its own.
fn examples(runtime: Runtime, names: &[&str], features: &str, built: bool) -> Result<Vec<PathBuf>> {
    let to = repo::target().join("bench-run/programs").join(runtime.name());
    if !built {
        let mut arguments = vec!["-p", "tangelo", "--no-default-features", "--features", features];
        names.iter().for_each(|name| arguments.extend(["--example", name]));
        build(&arguments)?;
        std::fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        names.iter().try_for_each(|name| place(name, &to))?;
    }
    Ok(names.iter().map(|name| to.join(name)).collect())
}

/// Copies an example from where cargo puts it.
fn place(name: &str, dir: &Path) -> Result<()> {
    let (from, to) = (repo::target().join("release/examples").join(name), dir.join(name));
    // What runs cannot be written to, but replaced.
    let new = to.with_extension("new");
    std::fs::copy(&from, &new)
        .and_then(|_| std::fs::rename(&new, &to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn build(arguments: &[&str]) -> Result<()> {
    let log = repo::target().join("bench-run/build.log");
    run::must(&mut processes::cargo(&[&["build", "--release"], arguments].concat()), &log, LIMIT)
}
