//! Two cores, one for a server and one for its client.

use crate::{processes, run};
use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity};
use std::process::Command;

/// The cores that are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) client: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(crate) fn two() -> Result<Self> {
        let may = sched_getaffinity(None).context("sched_getaffinity")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&cpu| may.is_set(cpu));
        let server = cores.next().context("no CPU")?;
        let client =
            cores.next().context("two CPU cores are needed: one for the server, one for its client")?;
        Ok(Self { server, client })
    }

    /// All threads of a server's process go to its core.
    pub(crate) fn pin_server(self, pid: u32) -> Result<()> {
        let mut command = processes::command("taskset");
        command.args(["-a", "-p", "-c", &self.server.to_string(), &pid.to_string()]);
        run::output(&mut command).map(drop)
    }

    /// `command` on the client's core.
    pub(crate) fn pinned_client(self, command: &Command) -> Command {
        let mut pinned = processes::command("taskset");
        pinned.args(["-c", &self.client.to_string()]).arg(command.get_program()).args(command.get_args());
        pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        pinned
    }
}
