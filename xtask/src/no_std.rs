//! `cargo xtask no-std`: the core linked into a program that has no std, and run.

use crate::matrix::first_error;
use crate::{processes, repo, run};
use anyhow::{Context as _, Result, bail, ensure};
use core::time::Duration;

/// The program; outside of this workspace, so that nobody else's features are on.
const MANIFEST: &str = "xtask/no-std/Cargo.toml";
/// Where it is built, below the target directory.
const BUILT: &str = "no-std";
/// Some thirty crates on a slow machine.
const LIMIT: Duration = Duration::from_secs(300);

/// Links the core into a program without std and runs its machines there; shows that std would be noticed
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the second build, which has std and must be refused
    #[arg(long)]
    no_counterproof: bool,
}

/// Builds and runs it.
///
/// # Errors
/// If the core needs std, if its machines do something wrong there, or if the proof would not notice.
pub(crate) fn run(args: &Args) -> Result<()> {
    let dir = repo::target().join(BUILT);
    let target = dir.to_str().context("the target directory's name is no UTF-8")?;
    let build = ["build", "--locked", "--manifest-path", MANIFEST, "--target-dir", target];
    let log = dir.join("build.log");
    run::must(&mut processes::cargo(&build), &log, LIMIT).context("the core does not build without std")?;
    let said = run::output(&mut processes::command(dir.join("debug/no-std-proof")))?;
    print!("{said}");
    if args.no_counterproof {
        return Ok(());
    }
    let output = processes::cargo(&[&build[..], &["--features", "std"]].concat())
        .output()
        .context("cannot run cargo")?;
    ensure!(!output.status.success(), "the core's feature `std` is on and it builds: this proves nothing");
    let errors = String::from_utf8_lossy(&output.stderr);
    match first_error(&errors) {
        // Two panic handlers: std's, and that of the program.
        Some(error) if error.starts_with("error[E0152]") && error.contains("panic_impl") => {
            println!("with std it is refused: {error}");
            Ok(())
        }
        _ => bail!("with std it should be refused for its panic handler, but this is why:\n{errors}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    /// Each package of a Cargo.lock.
    fn locked(file: &str) -> BTreeSet<String> {
        let text = std::fs::read_to_string(repo::root().join(file)).expect(file);
        let packages = text.split("[[package]]\n").skip(1);
        packages.map(|package| package.lines().take(2).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn what_is_proven_is_of_the_versions_that_the_workspace_uses() {
        let proven = locked("xtask/no-std/Cargo.lock");
        let others: Vec<_> = proven.difference(&locked("Cargo.lock")).cloned().collect();
        assert_eq!(others, [r#"name = "no-std-proof" version = "0.1.0""#]);
    }
}
