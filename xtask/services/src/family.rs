//! A server's process and those that it has started, which may be in groups of their own.

use crate::clock;
use crate::process::Process;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::Path;
use std::process::{Command, ExitStatus};

const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(1);

/// A process with its children; killed and awaited on drop, all of them.
#[derive(Debug)]
pub(crate) struct Family {
    parent: Process,
    /// Those that were frozen along.
    frozen: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    pid: u32,
    fd: OwnedFd,
}

impl Family {
    /// Starts `command`, as [`Process::start`] does.
    pub(crate) fn start(command: Command, log: &Path) -> Result<Self> {
        Ok(Self { parent: Process::start(command, log)?, frozen: Vec::new() })
    }

    /// The parent.
    pub(crate) fn pid(&self) -> u32 {
        self.parent.pid()
    }

    /// How the parent ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.parent.ended()
    }

    /// SIGKILL to all at one moment; returns once they are gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if self.parent.ended()?.is_some() {
            return Ok(());
        }
        // While it is frozen nobody joins the family.
        self.parent.freeze()?;
        let children = self.children()?;
        for child in &children {
            let _ = pidfd_send_signal(&child.fd, Signal::KILL);
        }
        self.parent.kill()?;
        for child in children {
            if !clock::readable_before(&child.fd, clock::now() + LIMIT)? {
                bail!("process {} did not end within {} s of SIGKILL", child.pid, LIMIT.as_secs());
            }
        }
        self.frozen.clear();
        Ok(())
    }

    /// SIGSTOP to all; returns once they have stopped.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        self.parent.freeze()?;
        self.frozen = self.children()?;
        for child in &self.frozen {
            let _ = pidfd_send_signal(&child.fd, Signal::STOP);
        }
        for child in &self.frozen {
            let stopped = || match state(child.pid) {
                Some('T' | 't' | 'Z') | None => Ok(()),
                Some(other) => bail!("process {} is in state {other}", child.pid),
            };
            clock::poll_until(clock::now() + LIMIT, PAUSE, stopped)?;
        }
        Ok(())
    }

    /// SIGCONT to all.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        for child in self.frozen.drain(..) {
            // It may have been killed meanwhile.
            let _ = pidfd_send_signal(&child.fd, Signal::CONT);
        }
        self.parent.thaw()
    }

    fn children(&self) -> Result<Vec<Child>> {
        let own = self.pid();
        let mut children = Vec::new();
        for entry in std::fs::read_dir("/proc").context("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if parent(pid) != Some(own) {
                continue;
            }
            let Some(fd) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
            let Ok(fd) = pidfd_open(fd, PidfdFlags::empty()) else { continue };
            // The number was still its own when the descriptor was there.
            if parent(pid) == Some(own) {
                children.push(Child { pid, fd });
            }
        }
        Ok(children)
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Err(e) = self.kill() {
            eprintln!("warning: {e:#}");
        }
    }
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.split(' ').nth(1)?.parse().ok()
}

fn state(pid: u32) -> Option<char> {
    stat(pid)?.chars().next()
}

/// What stands behind the name in /proc/…/stat.
fn stat(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawner;

    #[test]
    fn children_in_groups_of_their_own_are_frozen_and_killed_along() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let script = "setsid sleep 1000 & setsid sleep 1000 & wait".to_owned();
        let command = spawner::command("sh", &["-c".to_owned(), script]);
        let mut family = Family::start(command, log.path()).expect("a family");
        let both = || {
            let children = family.children()?;
            anyhow::ensure!(children.len() == 2, "{} children", children.len());
            Ok(children)
        };
        let children = clock::poll_until(clock::now() + LIMIT, PAUSE, both).expect("children");
        family.freeze().expect("freeze");
        assert!(children.iter().all(|child| state(child.pid) == Some('T')));
        family.thaw().expect("thaw");
        family.freeze().expect("freeze again");
        family.kill().expect("kill");
        for child in children {
            assert!(clock::readable_before(&child.fd, clock::now()).expect("poll"), "{} lives", child.pid);
        }
    }
}
