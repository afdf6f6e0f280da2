//! Every process that a run starts, directly or not, can be found and ended by its pid.
//!
//! All of them inherit one environment variable. Process groups and parents would not do: the
//! servers under test live in sessions of their own, and supervisors outlive whoever started them.

use crate::{clock, repo};
use anyhow::{Context as _, Result};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Set for every process of a run; one token for each xtask on the way, so that runs nest.
const MARK: &str = "TANGELO_XTASK_RUN";

static TOKEN: LazyLock<String> =
    LazyLock::new(|| format!("{}-{}", std::process::id(), clock::now().as_nanos()));

/// A command that this run can find again, in a process group of its own and without input.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    halt_if_interrupted();
    let mark = match std::env::var(MARK) {
        Ok(outer) => format!("{outer}/{}", *TOKEN),
        Err(_) => TOKEN.clone(),
    };
    let mut command = Command::new(program);
    command.env(MARK, mark).process_group(0).stdin(Stdio::null());
    command
}

/// `cargo` with `args`, in the workspace, without what the outer `cargo run` told us about xtask.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(repo::root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let of_a_package = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if of_a_package.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    // Its output goes to logs.
    command.env("CARGO_TERM_COLOR", "never");
    command.env_remove("LD_LIBRARY_PATH").env_remove("RUST_RECURSION_COUNT").env_remove("CARGO");
    command
}

/// A process of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pid: Pid,
    pub(crate) exe: PathBuf,
    pub(crate) command_line: String,
}

/// The processes of this run that live, other than this one.
pub(crate) fn alive() -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = rustix::process::getpid();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|&pid| pid != own && is_ours(pid))
        .map(|pid| Found {
            pid,
            exe: std::fs::read_link(proc(pid, "exe")).unwrap_or_default(),
            command_line: std::fs::read(proc(pid, "cmdline"))
                .map(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned())
                .unwrap_or_default(),
        })
        .collect()
}

/// Those of this run's processes that run a program which the run itself built.
pub(crate) fn alive_from(dir: &Path) -> Vec<Found> {
    alive().into_iter().filter(|found| found.exe.starts_with(dir)).collect()
}

/// Those of this run's processes that work in `dir`.
pub(crate) fn alive_in(dir: &Path) -> Vec<Found> {
    // The link has no link in it.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let works_there = |found: &Found| std::fs::read_link(proc(found.pid, "cwd")).is_ok_and(|cwd| cwd == dir);
    alive().into_iter().filter(works_there).collect()
}

/// Ends every process of this run; true once none is left.
pub(crate) fn sweep() -> bool {
    // Supervisors may start a successor between the look and the kill, hence the rounds.
    for _ in 0..50 {
        let found = alive();
        if found.is_empty() {
            return true;
        }
        let ended: Vec<_> = found.iter().filter_map(|found| kill(found.pid)).collect();
        let deadline = clock::now() + Duration::from_secs(2);
        for pidfd in ended {
            let _ = clock::readable_before(pidfd, deadline);
        }
    }
    false
}

/// Kills `pid` if it is still of this run; gives its pidfd, which becomes readable when it is gone.
fn kill(pid: Pid) -> Option<rustix::fd::OwnedFd> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // The number may be somebody else's by now; from here on the pidfd holds it fast.
    if !is_ours(pid) {
        return None;
    }
    pidfd_send_signal(&pidfd, Signal::KILL).ok()?;
    Some(pidfd)
}

fn is_ours(pid: Pid) -> bool {
    let Ok(environment) = std::fs::read(proc(pid, "environ")) else { return false };
    environment.split(|&b| b == 0).any(|entry| {
        core::str::from_utf8(entry)
            .ok()
            .and_then(|entry| entry.strip_prefix(MARK)?.strip_prefix('='))
            .is_some_and(|tokens| tokens.split('/').any(|token| token == *TOKEN))
    })
}

fn proc(pid: Pid, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{file}", pid.as_raw_nonzero()))
}

/// Ends the run's processes when it goes, also in a panic.
pub(crate) struct Sweeper;

impl Drop for Sweeper {
    fn drop(&mut self) {
        if !sweep() {
            eprintln!("warning: these processes would not end: {:?}", alive());
        }
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// After Ctrl-C nothing may go on as if commands had failed by themselves: waits for the process's end.
pub(crate) fn halt_if_interrupted() {
    while INTERRUPTED.load(Ordering::Acquire) {
        std::thread::park();
    }
}

/// On Ctrl-C, SIGTERM and SIGHUP: end the run's processes, then leave with 130.
pub(crate) fn sweep_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::Release);
        sweep();
        std::process::exit(130);
    })
    .context("signal handler")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_left_its_session_and_parent_is_found_and_ended() {
        let _sweeper = Sweeper;
        // In a group of its own already, setsid forks and its first process ends.
        let status = command("setsid").args(["sleep", "1000"]).status().expect("setsid and sleep");
        assert!(status.success());
        let deadline = clock::now() + Duration::from_secs(10);
        while !alive().iter().any(|found| found.command_line == "sleep 1000") {
            assert!(clock::now() < deadline, "not found: {:?}", alive());
            std::thread::yield_now();
        }
        assert!(sweep());
        assert_eq!(alive(), []);
    }

    #[test]
    fn a_process_of_somebody_else_is_left_alone() {
        let mut other = Command::new("sleep").arg("1000").spawn().expect("sleep");
        let pid = Pid::from_child(&other);
        assert!(alive().iter().all(|found| found.pid != pid));
        assert!(kill(pid).is_none());
        other.kill().and_then(|()| other.wait()).expect("end it");
    }
}
