//! `cargo xtask clients`: the chat demo as people have it: Pomelo's own clients from npm, the page in a browser,
//! terminals; and servers killed while they chat.

mod cluster;

use crate::install::{self, Need, Probe, Source};
use crate::runtime::Runtime;
use crate::{clock, processes, repo, run};
use anyhow::{Context as _, Result, ensure};
use cluster::Cluster;
use core::time::Duration;
use std::path::{Path, PathBuf};

/// What the scripts run on, and in which.
pub(crate) const NODE: Need =
    Need { what: "Node.js", probe: Probe::Program("node"), source: Source::Debian(&["nodejs"]) };
pub(crate) const NPM: Need =
    Need { what: "npm", probe: Probe::Program("npm"), source: Source::Debian(&["npm"]) };
pub(crate) const CHROMIUM: Need =
    Need { what: "Chromium", probe: Probe::Program("chromium"), source: Source::Debian(&["chromium"]) };

/// Clients of Pomelo, and what one of them needs beside it.
const PACKAGES: [&str; 3] =
    ["pomelo-client-websocket@1.0.13", "pomelo-jsclient-websocket@0.1.1", "pomelo-protocol@0.1.6"];

/// All trials together may take so long.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs the chat demo with Pomelo's own clients from npm, a browser and terminals, and kills servers while they chat
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The runtime that the demo is built with
    #[arg(long, value_enum, default_value = "tokio")]
    runtime: Runtime,
    /// Keep the servers' logs when all is well, too
    #[arg(long)]
    keep: bool,
}

/// Runs all trials; false if one has failed, which has been told.
///
/// # Errors
/// If they cannot be run.
pub(crate) fn run(args: &Args) -> Result<bool> {
    install::ensure(&[NODE, NPM, CHROMIUM])?;
    let modules = modules()?;
    let program = program(args.runtime)?;
    let scratch = repo::target().join("clients/scratch");
    std::fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let mut passed = true;
    for protos in [false, true] {
        let mut dir = tempfile::tempdir_in(&scratch)?;
        let cluster = Cluster::configure(dir.path(), protos)?;
        let good = trials(&program, &modules, &cluster, dir.path(), protos)?;
        if args.keep || !good {
            dir.disable_cleanup(true);
            println!("logs in {}", dir.path().display());
        }
        passed &= good;
    }
    Ok(passed)
}

fn trials(program: &Path, modules: &Path, cluster: &Cluster, dir: &Path, protos: bool) -> Result<bool> {
    let mut node = processes::command("node");
    node.arg(repo::root().join("xtask/src/clients/scripts/main.mjs"));
    node.arg("--program")
        .arg(program)
        .arg("--modules")
        .arg(modules)
        .arg("--dir")
        .arg(dir)
        .arg("--scratch")
        .arg(dir);
    node.args(["--gate", &cluster.gate().to_string()]);
    if protos {
        node.args(["--protos", "yes"]);
    }
    let mut child = node.spawn().context("cannot run node")?;
    let status = run::wait(&mut child, clock::now() + LIMIT);
    ensure!(processes::sweep(), "what the trials have started does not end");
    Ok(status?.success())
}

/// A directory with the clients in its `node_modules`, as they are in the registry.
fn modules() -> Result<PathBuf> {
    let dir = repo::target().join("clients/npm");
    let installed = |package: &&str| {
        let (name, version) = package.split_once('@').unwrap_or((package, ""));
        let manifest = std::fs::read_to_string(dir.join("node_modules").join(name).join("package.json"));
        manifest.is_ok_and(|manifest| manifest.contains(&format!("\"version\": \"{version}\"")))
    };
    if !PACKAGES.iter().all(installed) {
        std::fs::create_dir_all(&dir)?;
        let mut npm = processes::command("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"])
            .arg(&dir);
        run::must(npm.args(PACKAGES), &repo::target().join("clients/npm.log"), Duration::from_secs(300))?;
    }
    Ok(dir)
}

/// Builds the demo; a copy of it that no other build replaces.
fn program(runtime: Runtime) -> Result<PathBuf> {
    let mut build = processes::cargo(&["build", "-p", "tangelo", "--example", "chat"]);
    if runtime == Runtime::Smol {
        build.args(["--no-default-features", "--features", "runtime-smol,channel-sqlite,affinity,cli"]);
    }
    let dir = repo::target().join("clients").join(runtime.name());
    run::must(&mut build, &repo::target().join("clients/build.log"), Duration::from_secs(1200))?;
    std::fs::create_dir_all(&dir)?;
    let (from, to) = (repo::target().join("debug/examples/chat"), dir.join("chat"));
    // What runs cannot be written to, but replaced.
    std::fs::copy(&from, dir.join("new"))
        .and_then(|_| std::fs::rename(dir.join("new"), &to))
        .context("chat")?;
    Ok(to)
}
