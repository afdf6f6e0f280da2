//! Which process is meant, beyond doubt: its pid, its start time, its pid namespace, its boot.

use alloc::string::String;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::fs::MetadataExt;
use tangelo_core::local::{find_process, process_ref};
use tangelo_core::{Error, Result};

/// A process of this host since it was booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Clock ticks since boot: a pid is reused, a pid with its start time is not.
    pub(super) start_time: u64,
    /// The inode of the namespace that `pid` counts in; containers may share one `run/`.
    pub(super) pid_namespace: u64,
    /// The kernel's id of this boot: `CLOCK_BOOTTIME` and pids begin anew with each.
    pub(super) boot: String,
}

impl Process {
    /// This process.
    pub(super) fn current() -> Result<Self> {
        let read = |path: &str| {
            std::fs::read_to_string(path)
                .map_err(|e| Error::io(format_args!("read {path} (is /proc mounted?)"), e))
        };
        let process = process_ref("")
            .map_err(|e| Error::io("find the start time of this process in /proc (is it mounted?)", e))?;
        let namespace = std::fs::metadata("/proc/self/ns/pid")
            .map_err(|e| Error::io("read /proc/self/ns/pid (is /proc mounted?)", e))?;
        Ok(Self {
            pid: getpid().as_raw_nonzero().get().unsigned_abs(),
            start_time: process.start_time,
            pid_namespace: namespace.ino(),
            boot: read("/proc/sys/kernel/random/boot_id")?.trim().into(),
        })
    }

    /// Whether the two belong to one boot of one host, so that their clocks compare.
    pub(super) fn same_boot(&self, other: &Self) -> bool {
        self.boot == other.boot
    }

    /// Whether `me` can tell if this process lives, and may signal it: its pid means the same to both.
    pub(super) fn is_visible_to(&self, me: &Self) -> bool {
        self.same_boot(me) && self.pid_namespace == me.pid_namespace
    }

    /// Whether it lives; only sensible if it [is visible](Self::is_visible_to). A zombie does not.
    pub(super) fn is_alive(&self) -> bool {
        // One that cannot be looked at is not known to live.
        let found = find_process("", self.pid).ok().flatten();
        found.is_some_and(|process| process.start_time == self.start_time)
    }

    /// Sends SIGKILL to it and never to another: the pidfd is opened first, then it is verified that
    /// the pid still is this process, and that `still_wanted` says so. `false`: it was gone, or is wanted no longer.
    pub(super) fn kill(&self, still_wanted: impl FnOnce() -> bool) -> io::Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(false);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(false),
            Err(e) => return Err(e.into()),
        };
        if !self.is_alive() || !still_wanted() {
            return Ok(false);
        }
        match pidfd_send_signal(pidfd, Signal::KILL) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_with_another_start_time_does_not() {
        let me = Process::current().unwrap();
        assert!(me.is_alive());
        let other = Process { start_time: me.start_time + 1, ..me.clone() };
        assert!(!other.is_alive());
        assert!(!other.kill(|| panic!("asked about a stranger")).unwrap(), "a reused pid was hit");
    }
}
