//! kill -9 of the leader → the standby leads, and all servers are registered with it.

use super::Plan;
use crate::bench::cluster::{Cluster, UP_LIMIT};
use crate::bench::scratch;
use crate::clock;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// In milliseconds since the kill.
pub(crate) struct Failover {
    pub(crate) leads: Vec<f64>,
    pub(crate) registered: Vec<f64>,
}

/// Kills the leader of a cluster of 8 servers `rounds` times; each time a new standby comes after.
pub(crate) fn measure(plan: &Plan, rounds: usize) -> Result<Failover> {
    let dir = scratch::Dir::new("failover")?;
    let cluster = Cluster::configure(&plan.app, dir.path(), 8)?;
    let mut leader = cluster.foreground(cluster.command("start"))?;
    leader.all_up(cluster.servers, clock::now() + UP_LIMIT)?;
    let pids = cluster.pids()?;
    let mut result = Failover { leads: Vec::new(), registered: Vec::new() };
    for round in 0..rounds {
        let mut standby = cluster.standby(round).with_context(|| format!("see {}", dir.path().display()))?;
        clock::let_pass(Duration::from_millis(200));
        let killed = clock::now();
        leader.child.kill()?;
        let leads = standby.output.wait_for(&["leading"], killed + LIMIT)?;
        let registered = standby.all_up(cluster.servers, killed + LIMIT)?;
        result.leads.push(leads.saturating_sub(killed).as_secs_f64() * 1e3);
        result.registered.push(registered.saturating_sub(killed).as_secs_f64() * 1e3);
        leader.child.wait()?;
        let after = cluster.pids().with_context(|| format!("see {}", dir.path().display()))?;
        if after != pids {
            bail!("the failover changed the servers' processes from {pids:?} to {after:?}");
        }
        leader = standby;
    }
    cluster.stop(vec![leader])?;
    dir.remove();
    Ok(result)
}
