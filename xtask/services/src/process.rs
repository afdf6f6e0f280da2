//! A server's process: ended and frozen by its pid, its output in a file.

use crate::{clock, spawner};
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use rustix::fd::OwnedFd;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// Even a process with much memory is gone by then.
const END_LIMIT: Duration = Duration::from_secs(20);

/// A child process, killed and awaited on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pidfd: OwnedFd,
    frozen: bool,
}

impl Process {
    /// Starts `command` (made by [`spawner::command`]) with its output appended to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let out = OpenOptions::new().append(true).create(true).open(log);
        let out: File = out.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(out.try_clone().context("log")?).stderr(out);
        let child = spawner::spawn(command)?;
        // Nobody else waits for our child, so the number is still its own.
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).context("pidfd_open")?;
        Ok(Self { child, pidfd, frozen: false })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) const fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("wait")
    }

    /// SIGKILL; returns once it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        if !clock::readable_before(&self.pidfd, clock::now() + END_LIMIT)? {
            bail!("process {} did not end within {} s of SIGKILL", self.pid(), END_LIMIT.as_secs());
        }
        self.child.wait().context("wait")?;
        Ok(())
    }

    /// SIGSTOP; returns once all its threads have stopped.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        pidfd_send_signal(&self.pidfd, Signal::STOP).context("SIGSTOP")?;
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), options).context("waiting for it to stop")?;
        self.frozen = true;
        Ok(())
    }

    /// SIGCONT.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        pidfd_send_signal(&self.pidfd, Signal::CONT).context("SIGCONT")?;
        self.frozen = false;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(e) = self.kill() {
            eprintln!("warning: {e:#}");
        }
    }
}

/// The last `lines` lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it_but_not_its_handle() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let start = || Process::start(spawner::command("sleep", &["1000".to_owned()]), log.path());
        let start = || start().expect("sleep");
        let mut process = std::thread::scope(|scope| scope.spawn(start).join().expect("no panic"));
        process.freeze().expect("freeze");
        process.thaw().expect("thaw");
        assert!(process.ended().expect("wait").is_none());
        let stat = format!("/proc/{}/stat", process.pid());
        assert!(std::fs::exists(&stat).expect("proc"));
        drop(process);
        assert!(!std::fs::exists(&stat).expect("proc"));
    }
}
