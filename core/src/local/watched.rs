//! One process under watch.

use super::procfs;
use crate::process::{Exit, ProcessRef, Signal};
use crate::{Error, ErrorKind, Result};
use alloc::format;
use async_channel::{Receiver, Sender};
use core::convert::Infallible;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A process, held by a pidfd.
#[derive(Debug)]
pub(super) struct Watched {
    process: ProcessRef,
    pid: Pid,
    pidfd: OwnedFd,
    /// Whether it is ours to reap.
    child: bool,
    /// How it ended. Locked while it is reaped and while it is signalled, so that no signal goes
    /// to a pid that has just become free.
    exit: Mutex<Option<Exit>>,
    /// Closed when `exit` is there.
    ended: Receiver<Infallible>,
}

/// Dropped by the watcher of a process once it has ended.
pub(super) type Running = Sender<Infallible>;

impl Watched {
    /// A child of ours.
    pub(super) fn child(process: ProcessRef, pidfd: OwnedFd) -> Result<(Self, Running)> {
        Self::new(process, pidfd, true)
    }

    /// A running process that somebody else has started.
    pub(super) fn find(process: &ProcessRef) -> Result<(Self, Running)> {
        let pidfd = match pidfd_open(pid(process)?, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // EINVAL: the pid is that of a thread of another process.
            Err(Errno::SRCH | Errno::INVAL) => return Err(gone(process)),
            Err(e) => return Err(Error::io(format!("open {process}"), e.into())),
        };
        // After the open, since the descriptor keeps to whatever process had the pid then.
        if !procfs::stat(process.pid)
            .map_err(|e| Error::io(format!("look at {process}"), e))?
            .is_some_and(|stat| stat.start_time == process.start_time && !stat.ended)
        {
            return Err(gone(process));
        }
        Self::new(process.clone(), pidfd, false)
    }

    fn new(process: ProcessRef, pidfd: OwnedFd, child: bool) -> Result<(Self, Running)> {
        let (running, ended) = async_channel::bounded(1);
        let pid = pid(&process)?;
        Ok((Self { process, pid, pidfd, child, exit: Mutex::new(None), ended }, running))
    }

    pub(super) fn process(&self) -> &ProcessRef {
        &self.process
    }

    /// A second descriptor of the process, for a runtime to wait for.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.pidfd.try_clone()
    }

    /// Waits until [`collect`](Self::collect) has had an answer. Cancel safe.
    pub(super) async fn wait(&self) -> Exit {
        // Nothing is ever sent: this ends when the channel is closed.
        let _ = self.ended.recv().await;
        self.exit().unwrap_or(Exit::Unknown)
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let exit = self.exit();
        if exit.is_some() || self.is_over().map_err(|e| self.failed("look at", e))? {
            return Err(gone(&self.process));
        }
        let sent = match signal {
            Signal::Terminate => pidfd_send_signal(&self.pidfd, rustix::process::Signal::TERM),
            Signal::Kill => {
                // The group first: a leader that is gone may leave its pid to another process. It
                // has no group if it is an adopted one that was started in another way than ours.
                let group = kill_process_group(self.pid, rustix::process::Signal::KILL);
                let leader = pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
                if group.is_ok() { group } else { leader }
            }
        };
        match sent {
            Ok(()) => Ok(()),
            Err(Errno::SRCH) => Err(gone(&self.process)),
            Err(e) => Err(self.failed("signal", e)),
        }
    }

    /// If the process has ended: kills what is left of its group, reaps it if it is our child, and
    /// says how it ended.
    pub(super) fn collect(&self) -> Option<Exit> {
        let mut exit = self.exit();
        if exit.is_none() {
            *exit = if self.child { self.reap() } else { self.see_off() };
        }
        *exit
    }

    fn reap(&self) -> Option<Exit> {
        match self.status(WaitIdOptions::NOWAIT) {
            Ok(None) => return None,
            // Somebody else in this program has reaped it, or ignores SIGCHLD.
            Err(_) => return if self.is_over().unwrap_or(true) { self.see_off() } else { None },
            Ok(Some(_)) => {}
        }
        // Descendants that outlive their leader may hold its port and files against its
        // successor. Its pid, and so the group's id, is taken until it is reaped.
        let _ = kill_process_group(self.pid, rustix::process::Signal::KILL);
        Some(self.status(WaitIdOptions::empty()).ok().flatten().unwrap_or(Exit::Unknown))
    }

    /// The end of a process that is not ours to reap. Its pid may be free by now, so what is left of its group
    /// is killed only if no other process has the pid; a descendant keeps the number from being given to anyone.
    fn see_off(&self) -> Option<Exit> {
        if !self.is_over().unwrap_or(false) {
            return None;
        }
        let reused = procfs::stat(self.process.pid)
            .map_or(true, |stat| stat.is_some_and(|stat| stat.start_time != self.process.start_time));
        if !reused {
            let _ = kill_process_group(self.pid, rustix::process::Signal::KILL);
        }
        // A child of this program that somebody else in it has started: it is theirs to reap.
        Some(self.status(WaitIdOptions::NOWAIT).ok().flatten().unwrap_or(Exit::Unknown))
    }

    /// How it ended, if it has and is a child of this program.
    fn status(&self, options: WaitIdOptions) -> rustix::io::Result<Option<Exit>> {
        let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd.as_fd()), options)?;
        Ok(status.map(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (_, Some(signal)) => Exit::Signal(signal),
            _ => Exit::Unknown,
        }))
    }

    /// Whether the process has ended, reaped or not (pidfd_open(2): the descriptor is readable then).
    fn is_over(&self) -> rustix::io::Result<bool> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
    }

    fn exit(&self) -> MutexGuard<'_, Option<Exit>> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, error: Errno) -> Error {
        Error::io(format!("{doing} {}", self.process), error.into())
    }
}

fn pid(process: &ProcessRef) -> Result<Pid> {
    // Never 0 or negative: kill(2) would take it for a group or for everybody.
    i32::try_from(process.pid)
        .ok()
        .filter(|&pid| pid > 0)
        .and_then(Pid::from_raw)
        .ok_or_else(|| gone(process))
}

fn gone(process: &ProcessRef) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("{process} (started at tick {}) no longer runs", process.start_time),
    )
}
