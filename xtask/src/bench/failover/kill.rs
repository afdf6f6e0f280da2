//! kill -9 of the leader → another leads, and all servers are registered with it.

use super::stage::{LIMIT, Setting, Stage, ms};
use crate::bench::cluster::Master;
use crate::clock;
use anyhow::{Context as _, Result};

/// In milliseconds since the kill.
#[derive(Debug, Default)]
pub(super) struct Killed {
    /// Its lock node is gone.
    pub(super) freed: Vec<f64>,
    /// The standby's epoch is published.
    pub(super) published: Vec<f64>,
    /// All servers are registered with it.
    pub(super) registered: Vec<f64>,
}

/// Kills the leader of a cluster of `servers` servers `rounds` times.
pub(super) fn measure(setting: Setting<'_>, servers: usize, rounds: usize) -> Result<Killed> {
    let mut stage = Stage::start(setting, "/bench-kill", servers)?;
    let killed = kill(&mut stage, rounds)?;
    stage.stop(Vec::new())?;
    Ok(killed)
}

/// Kills the leader `rounds` times; each time a new standby comes before.
pub(super) fn kill(stage: &mut Stage, rounds: usize) -> Result<Killed> {
    let mut killed = Killed::default();
    for _ in 0..rounds {
        let standby = stage.standby()?;
        strike(stage, standby, &mut killed)?;
    }
    Ok(killed)
}

fn strike(stage: &mut Stage, mut standby: Master, killed: &mut Killed) -> Result<()> {
    let before = stage.observer.look()?;
    let begin = clock::now();
    stage.leader.child.kill()?;
    let over = stage.observer.change_over(&before, begin + LIMIT).with_context(|| stage.see())?;
    let registered = stage.registered(&mut standby, begin)?;
    stage.leader.child.wait()?;
    killed.freed.extend(over.freed.map(|at| ms(begin, at)));
    killed.published.push(ms(begin, over.published));
    killed.registered.push(ms(begin, registered));
    stage.leader = standby;
    Ok(())
}
