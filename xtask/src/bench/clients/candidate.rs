//! What is compared: servers that clients connect to.

use crate::bench::procfs;
use anyhow::{Context as _, Result};
use std::path::Path;
use tangelo_services::redis::Redis;

/// Something that serves clients.
pub(crate) trait Candidate {
    /// Its rows' name.
    fn name(&self) -> String;

    /// What its clients speak, as the program of the clients calls it.
    fn protocol(&self) -> &'static str {
        "pomelo"
    }

    /// Starts it in an empty directory.
    fn start(&self, dir: &Path, redis: &Redis) -> Result<Servers>;
}

/// Servers that accept clients.
pub(crate) struct Servers {
    /// Where clients connect, on 127.0.0.1.
    pub(crate) ports: Vec<u16>,
    /// The processes that have the clients.
    pub(crate) frontends: Vec<u32>,
    stop: Box<dyn FnOnce() -> Result<()>>,
}

impl Servers {
    /// `stop` ends all of their processes.
    pub(crate) fn new(
        ports: Vec<u16>,
        frontends: Vec<u32>,
        stop: impl FnOnce() -> Result<()> + 'static,
    ) -> Self {
        Self { ports, frontends, stop: Box::new(stop) }
    }

    /// Ends them.
    pub(crate) fn stop(self) -> Result<()> {
        (self.stop)()
    }

    /// Time of all frontends on the CPU so far, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        self.sum(procfs::precise_cpu_seconds)
    }

    /// Memory of all frontends, with shared pages divided among those that share them, in MiB.
    pub(crate) fn pss_mib(&self) -> Result<f64> {
        self.sum(procfs::pss_mib)
    }

    fn sum(&self, of: fn(u32) -> Option<f64>) -> Result<f64> {
        let each = self.frontends.iter().map(|&pid| of(pid));
        each.sum::<Option<f64>>().context("a frontend has ended")
    }
}
