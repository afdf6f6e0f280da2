//! What /proc says, for the cases to compare with.

use crate::ProcessRef;
use crate::local::stat;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;

pub(super) fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a pid")
}

/// Sends a signal past the supervisor.
pub(super) fn kill(process: &ProcessRef, signal: Signal) {
    kill_process(pid(process.pid), signal).expect("a signal to a process of this case");
}

/// The process that has this pid now.
pub(super) fn process(id: &str) -> ProcessRef {
    let pid: u32 = id.trim().parse().unwrap_or_else(|_| panic!("`{id}` is no pid"));
    let start_time = stat(pid).expect("read /proc").expect("the process is there").start_time;
    ProcessRef { host: "127.0.0.1".into(), pid, start_time }
}

/// A field of proc_pid_stat(5), counted as there; only for those after the second.
pub(super) fn stat_field(id: u32, number: usize) -> String {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("read /proc");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    fields.split_ascii_whitespace().nth(number - 3).expect("that many fields").into()
}

/// The `Cpus_allowed_list` of each thread of a process.
pub(super) fn thread_masks(id: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("the threads of a process");
    tasks
        .map(|task| {
            let status =
                fs::read_to_string(task.expect("a thread").path().join("status")).expect("its status");
            status_line(&status, "Cpus_allowed_list").into()
        })
        .collect()
}

/// The value of a line of proc_pid_status(5).
pub(super) fn status_line<'a>(status: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    status.lines().find_map(value).unwrap_or_else(|| panic!("no {name} in: {status}")).trim()
}
