//! Processes, as /proc shows them.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;

/// Sends a signal to a process that this test has started.
#[track_caller]
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(to_pid(pid), signal).unwrap_or_else(|error| panic!("cannot signal {pid}: {error}"));
}

fn to_pid(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap_or_else(|| panic!("{pid} is no process id"))
}

/// Whether the process runs; one that waits to be reaped does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// The processes whose command line names `dir`, with that line: all masters, guards and servers of its cluster.
pub(crate) fn of_dir(dir: &Path) -> Vec<(u32, String)> {
    let dir = dir.to_string_lossy();
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let lines = pids.map(|pid| (pid, command_line(pid)));
    lines.filter(|(pid, line)| line.contains(&*dir) && is_alive(*pid)).collect()
}

/// Its parent.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Its arguments, joined by NULs.
pub(crate) fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Kills it, if it is still there.
pub(crate) fn kill(pid: u32) {
    let _ = kill_process(to_pid(pid), Signal::KILL);
}

/// A variable of its environment, as it was when it started.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let all = String::from_utf8_lossy(&bytes).into_owned();
    all.split('\0').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(String::from))
}
