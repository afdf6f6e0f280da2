//! What a cluster at rest costs its masters and ZooKeeper.

use super::Measured;
use super::stage::{Setting, Stage, guard_of};
use crate::bench::procfs;
use crate::clock;
use anyhow::{Context as _, Result};
use core::time::Duration;

/// How long a cluster that is up has to come to rest.
const SETTLE: Duration = Duration::from_secs(6);
/// An observer that is silent for longer may lose its session, which is a transaction.
const AWAKE: Duration = Duration::from_secs(10);

/// Over a span of time.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) servers: usize,
    /// In percent of a core.
    pub(super) leader: f64,
    pub(super) standby: f64,
    /// Of both masters together.
    pub(super) guards: f64,
    /// Of all nodes together.
    pub(super) zookeeper: f64,
    /// What ZooKeeper had to agree on and to write down, whatever it was.
    pub(super) transactions: u64,
    /// How often one of the masters' znodes was made, written or deleted.
    pub(super) changes: usize,
}

/// Starts a cluster in each setting with so many servers, and looks at all of them over the same `span`.
pub(super) fn measure(settings: &[(Setting<'_>, usize)], span: Duration) -> Result<Measured<Rest>> {
    let mut watched = Vec::with_capacity(settings.len());
    for &(setting, servers) in settings {
        watched.push(Watched::start(setting, servers)?);
    }
    clock::let_pass(SETTLE);
    let before = watched.iter_mut().map(Watched::look).collect::<Result<Vec<_>>>()?;
    let end = clock::now() + span;
    while clock::now() < end {
        clock::let_pass(AWAKE.min(end.saturating_sub(clock::now())));
        watched.iter_mut().try_for_each(|watched| watched.stage.observer.stay())?;
    }
    let after = watched.iter_mut().map(Watched::look).collect::<Result<Vec<_>>>()?;
    let rests = watched.iter().zip(before.iter().zip(&after));
    let rest = |(watched, (before, after)): (&Watched<'_>, (&Sum, &Sum))| {
        (watched.setting.to_string(), watched.between(before, after))
    };
    let rests = rests.map(rest).collect();
    for watched in watched {
        watched.stage.stop(vec![watched.standby])?;
    }
    Ok(rests)
}

struct Watched<'a> {
    setting: Setting<'a>,
    stage: Stage,
    standby: crate::bench::cluster::Master,
}

/// All so far.
struct Sum {
    at: Duration,
    leader: f64,
    standby: f64,
    guards: f64,
    zookeeper: f64,
    zxid: u64,
    changes: usize,
}

impl<'a> Watched<'a> {
    fn start(setting: Setting<'a>, servers: usize) -> Result<Self> {
        let mut stage = Stage::start(setting, "/bench-rest", servers)?;
        let standby = stage.standby()?;
        Ok(Self { setting, stage, standby })
    }

    fn look(&mut self) -> Result<Sum> {
        let cpu = |pid| procfs::cpu_seconds(pid).with_context(|| format!("process {pid} is gone"));
        let (leader, standby) = (self.stage.leader.child.id(), self.standby.child.id());
        let ensemble = self.setting.ensemble;
        let nodes = (0..ensemble.nodes()).map(|i| cpu(ensemble.pid(i).context("a node has ended")?));
        let zookeeper = nodes.sum::<Result<f64>>()?;
        let node = ensemble.leader()?.context("no ZooKeeper node leads")?;
        Ok(Sum {
            leader: cpu(leader)?,
            standby: cpu(standby)?,
            guards: cpu(guard_of(leader)?)? + cpu(guard_of(standby)?)?,
            zookeeper,
            zxid: ensemble.zxid(node)?,
            changes: self.stage.observer.changes()?,
            at: clock::now(),
        })
    }

    fn between(&self, before: &Sum, after: &Sum) -> Rest {
        let seconds = (after.at - before.at).as_secs_f64();
        let percent = |of: fn(&Sum) -> f64| 100.0 * (of(after) - of(before)) / seconds;
        Rest {
            servers: self.stage.cluster.servers,
            leader: percent(|sum| sum.leader),
            standby: percent(|sum| sum.standby),
            guards: percent(|sum| sum.guards),
            zookeeper: percent(|sum| sum.zookeeper),
            transactions: after.zxid - before.zxid,
            changes: after.changes,
        }
    }
}
