//! Other supervisors, each started with the same number of trivial children; and others that have channels and clients.

mod debian;
mod floor;
mod npm;
mod pm2;
mod pomelo_channels;
mod pomelo_cluster;
mod runit;
mod s6;
mod socket_io;
mod supervisord;

pub(crate) use debian::Debian;
pub(crate) use floor::Floor;
pub(crate) use pm2::Pm2;
pub(crate) use pomelo_channels::PomeloChannels;
pub(crate) use pomelo_cluster::PomeloCluster;
pub(crate) use runit::Runit;
pub(crate) use s6::S6;
pub(crate) use socket_io::SocketIo;
pub(crate) use supervisord::Supervisord;

use crate::bench::stamps::{self, Stamps};
use crate::{clock, processes};
use anyhow::{Context as _, Result};
use core::time::Duration;
use rustix::process::{Pid, Signal};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Something that starts a killed process again.
pub(crate) trait Peer {
    /// Its row's name.
    fn name(&self) -> String;

    /// What its version says, or where it comes from.
    fn version(&self) -> String;

    /// How many of its processes a round robin of kills goes over.
    fn children(&self) -> usize {
        8
    }

    /// Whether a restart takes it a second, so that fewer rounds must do.
    fn is_slow(&self) -> bool {
        false
    }

    /// Starts it with its children, in the empty directory `bed.dir`.
    fn start(&self, bed: &Bed<'_>) -> Result<Running>;
}

/// Where a peer is started.
pub(crate) struct Bed<'a> {
    /// An empty directory of its own.
    pub(crate) dir: &'a Path,
    /// The trivial child.
    pub(crate) child: &'a Path,
    /// Where children note their start.
    pub(crate) stamps: &'a Stamps,
    /// How many children.
    pub(crate) children: usize,
}

impl Bed<'_> {
    /// A command whose children note their start.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = processes::command(program);
        command.env(stamps::VARIABLE, self.stamps.path()).current_dir(self.dir);
        command
    }

    /// Starts a supervisor, its output in `dir/log`.
    pub(crate) fn spawn(&self, mut command: Command) -> Result<Child> {
        let log = crate::run::open_log(&self.dir.join("log"))?;
        let what = crate::run::shown(&command);
        let spawned = command.stdout(log.try_clone()?).stderr(log).spawn();
        spawned.with_context(|| format!("cannot run `{what}`"))
    }

    /// Directories `0`, `1`, … with a `run` each, as runit and s6 have them.
    pub(crate) fn service_dirs(&self, run: &dyn Fn(&Path) -> Result<()>) -> Result<Vec<PathBuf>> {
        let dirs = (0..self.children).map(|n| {
            let dir = self.dir.join(n.to_string());
            std::fs::create_dir(&dir)?;
            run(&dir.join("run"))?;
            Ok(dir)
        });
        dirs.collect()
    }
}

/// A started peer.
pub(crate) struct Running {
    /// Its own processes, our children, without those that it supervises.
    pub(crate) supervisors: Vec<Child>,
    /// Those of its processes that are not our children.
    pub(crate) daemons: Vec<u32>,
}

impl Running {
    /// Of supervisors that are our children.
    pub(crate) fn of(supervisors: Vec<Child>) -> Self {
        Self { supervisors, daemons: Vec::new() }
    }

    /// The pids of all its own processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.supervisors.iter().map(Child::id).chain(self.daemons.iter().copied()).collect()
    }

    /// Asks them to end, then ends whatever is left of the run.
    pub(crate) fn stop(mut self) -> Result<()> {
        for pid in self.pids().into_iter().filter_map(pid) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        clock::let_pass(Duration::from_millis(200));
        processes::sweep();
        for child in &mut self.supervisors {
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        processes::sweep();
    }
}

/// A process number as the system calls take it.
pub(crate) fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}
