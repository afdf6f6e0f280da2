//! The command `start` → all servers are registered.

use super::Plan;
use crate::bench::cluster::{Cluster, UP_LIMIT};
use crate::bench::scratch;
use crate::clock;
use anyhow::{Context as _, Result};

/// Milliseconds from the spawn of `start` to its line that all `servers` servers are up.
pub(crate) fn measure(plan: &Plan, servers: usize, rounds: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let dir = scratch::Dir::new("startup")?;
        let cluster = Cluster::configure(&plan.app, dir.path(), servers)?;
        let begin = clock::now();
        let mut master = cluster.foreground(cluster.command("start"))?;
        let up = master.all_up(servers, begin + UP_LIMIT)?;
        times.push(up.saturating_sub(begin).as_secs_f64() * 1e3);
        cluster.pids().with_context(|| format!("see {}", dir.path().display()))?;
        cluster.stop(vec![master])?;
        dir.remove();
    }
    Ok(times)
}
