//! System packages and cargo's tools: installed where that is possible, named where it is not.

use crate::{processes, repo, run};
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something of the system that a task cannot do without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// What is missing, in words.
    pub(crate) what: &'static str,
    /// How to see that it is there.
    pub(crate) probe: Probe,
    /// How to get it.
    pub(crate) source: Source,
}

/// A tool of cargo's, at one version, as a program below our target directory: nothing of the user's changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// The crate and its program.
    pub(crate) name: &'static str,
    /// Exactly.
    pub(crate) version: &'static str,
}

impl Tool {
    /// The directory of its program.
    pub(crate) fn dir(self) -> PathBuf {
        self.root().join("bin")
    }

    fn root(self) -> PathBuf {
        repo::target().join("tools").join(format!("{}-{}", self.name, self.version))
    }

    /// Whether it is `cargo <command>`.
    pub(crate) fn is(self, command: &str) -> bool {
        self.name.strip_prefix("cargo-") == Some(command)
    }

    /// What installs it. Unoptimized, which takes half the time: such a tool mostly waits for cargo.
    fn command<'a>(&'a self, root: &'a str) -> [&'a str; 8] {
        ["install", "--locked", "--debug", "--root", root, "--version", self.version, self.name]
    }

    fn install(self) -> Result<()> {
        let root = self.root();
        let root = root.to_str().context("the target directory's name is no UTF-8")?;
        let install = self.command(root);
        let log = repo::target().join("xtask").join(format!("{}.log", self.name));
        let mut install = processes::cargo(&install);
        run::must(install.env("CARGO_PROFILE_DEV_DEBUG", "0"), &log, Duration::from_secs(600))
    }
}

/// How to see that something is there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Probe {
    /// A program on the PATH.
    Program(&'static str),
    /// A command of cargo that answers to `--version`.
    CargoCommand(&'static str),
    /// Installed by us.
    Tool(Tool),
    /// A program on the PATH, and these files.
    ProgramWithFiles(&'static str, &'static [&'static str]),
    /// What this finds.
    Found(fn() -> bool),
}

/// How to get something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// These Debian packages; installed by us where we may.
    Debian(&'static [&'static str]),
    /// Installed by us.
    Tool(Tool),
    /// The user's own decision: this command.
    Command(&'static str),
}

impl Probe {
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::ProgramWithFiles(name, files) => {
                on_path(name).is_some() && files.iter().all(|file| Path::new(file).is_file())
            }
            Self::Tool(tool) => tool.dir().join(tool.name).is_file(),
            Self::Program(name) => on_path(name).is_some(),
            Self::Found(there) => there(),
            Self::CargoCommand(name) => {
                processes::cargo(&[name, "--version"]).output().is_ok_and(|output| output.status.success())
            }
        }
    }
}

/// Where `program` is found, the system directories included that an ordinary user's PATH lacks.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Makes sure of all `needs`.
///
/// # Errors
/// Names everything that is missing and could not be installed, with the command that would.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing =
        |needs: &[Need]| needs.iter().copied().filter(|need| !need.probe.is_there()).collect::<Vec<Need>>();
    let absent = missing(needs);
    let packages: Vec<_> = absent
        .iter()
        .filter_map(|need| match need.source {
            Source::Debian(packages) => Some(packages),
            Source::Tool(_) | Source::Command(_) => None,
        })
        .flatten()
        .copied()
        .collect();
    let mut tried = if packages.is_empty() { Ok(()) } else { packages_installed(&packages) };
    for need in &absent {
        if let Source::Tool(tool) = need.source {
            // One that fails keeps no other from being tried.
            let installed = tool.install();
            tried = tried.and(installed);
        }
    }
    let absent = missing(&absent);
    if absent.is_empty() {
        return Ok(());
    }
    let mut message = String::from("missing on this machine:");
    for need in absent {
        let how = match need.source {
            Source::Debian(packages) => format!("sudo {}", shown_install(packages)),
            Source::Tool(tool) => format!("cargo {}", tool.command(&tool.root().to_string_lossy()).join(" ")),
            Source::Command(command) => command.to_owned(),
        };
        message = format!("{message}\n  {}: install it with `{how}`", need.what);
    }
    if let Err(e) = tried {
        message = format!("{message}\n(tried to: {e:#})");
    }
    bail!(message)
}

fn shown_install(packages: &[&str]) -> String {
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs Debian packages as root or by a sudo that asks for no password.
fn packages_installed(packages: &[&str]) -> Result<()> {
    let Some(mut prefix) = become_root() else {
        bail!("neither root nor a sudo without a password");
    };
    let log = repo::target().join("xtask/apt.log");
    prefix.extend(["apt-get", "-y", "-o", "DPkg::Lock::Timeout=120"].map(str::to_owned));
    let install: Vec<_> = ["install", "--no-install-recommends"].iter().chain(packages).copied().collect();
    if apt(&prefix, &install, &log).is_ok() {
        return Ok(());
    }
    // The lists of a fresh image are empty or old.
    apt(&prefix, &["update"], &log)?;
    apt(&prefix, &install, &log)
}

/// Brings apt's lists up to date where we may.
pub(crate) fn refresh_package_lists() -> Result<()> {
    let Some(mut prefix) = become_root() else {
        bail!("apt knows no such package; run `sudo apt-get update`");
    };
    prefix.push("apt-get".to_owned());
    apt(&prefix, &["update"], &repo::target().join("xtask/apt.log"))
}

fn apt(prefix: &[String], args: &[&str], log: &Path) -> Result<()> {
    let Some((program, first)) = prefix.split_first() else { bail!("no apt-get") };
    let mut command: Command = processes::command(program);
    // A runlevel of 1 keeps packages from starting their services.
    command.args(first).args(args).envs([("RUNLEVEL", "1"), ("DEBIAN_FRONTEND", "noninteractive")]);
    run::must(&mut command, log, Duration::from_secs(600))
}

/// What to write before a command so that root runs it; none if that would need a password.
fn become_root() -> Option<Vec<String>> {
    if rustix::process::geteuid().is_root() {
        return Some(Vec::new());
    }
    let mut probe = processes::command("sudo");
    let may = probe.args(["-n", "true"]).output().is_ok_and(|output| output.status.success());
    may.then(|| ["sudo", "-n", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive"].map(str::to_owned).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let need = Need {
            what: "the frobnicator",
            probe: Probe::Program("no-such-program-anywhere"),
            source: Source::Command("cargo install frobnicator"),
        };
        let error = ensure(&[need]).expect_err("it is missing").to_string();
        assert!(error.contains("the frobnicator: install it with `cargo install frobnicator`"), "{error}");
        assert!(ensure(&[Need { probe: Probe::Program("sh"), ..need }]).is_ok());
    }
}
