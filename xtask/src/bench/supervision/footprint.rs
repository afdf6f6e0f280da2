//! Memory and processor time of a cluster at rest.

use super::Plan;
use crate::bench::cluster::{Cluster, UP_LIMIT};
use crate::bench::{procfs, scratch};
use crate::clock;
use anyhow::{Context as _, Result};
use core::time::Duration;

/// Of a cluster at rest.
pub(crate) struct Footprint {
    /// Resident memory of all, in MiB.
    pub(crate) rss: f64,
    /// The same with shared pages counted once, in MiB.
    pub(crate) pss: f64,
    /// Resident memory of the master, in MiB.
    pub(crate) master_rss: f64,
    /// Processor time of all, in percent of one core.
    pub(crate) cpu: f64,
}

/// Starts a master with `servers` servers, lets it come to rest, and looks at it over `span`.
pub(crate) fn measure(plan: &Plan, servers: usize, span: Duration) -> Result<Footprint> {
    let dir = scratch::Dir::new("footprint")?;
    let cluster = Cluster::configure(&plan.app, dir.path(), servers)?;
    let mut master = cluster.foreground(cluster.command("start"))?;
    master.all_up(servers, clock::now() + UP_LIMIT)?;
    let mut pids: Vec<_> = cluster.pids()?.into_values().collect();
    pids.push(master.child.id());
    clock::let_pass(Duration::from_secs(3));

    let sum = |of: fn(u32) -> Option<f64>| -> Result<f64> {
        pids.iter().map(|&pid| of(pid).with_context(|| format!("process {pid} is gone"))).sum()
    };
    let (begin, before) = (clock::now(), sum(procfs::cpu_seconds)?);
    clock::let_pass(span);
    let (end, after) = (clock::now(), sum(procfs::cpu_seconds)?);
    let footprint = Footprint {
        rss: sum(procfs::rss_mib)?,
        pss: sum(procfs::pss_mib)?,
        master_rss: procfs::rss_mib(master.child.id()).context("the master is gone")?,
        cpu: 100.0 * (after - before) / (end - begin).as_secs_f64(),
    };
    cluster.stop(vec![master])?;
    dir.remove();
    Ok(footprint)
}
