//! A cluster on an ensemble, with a leader and, when one is needed, a standby.

use super::observer::Observer;
use crate::bench::builds::Programs;
use crate::bench::cluster::{Cluster, Master, UP_LIMIT};
use crate::bench::{procfs, scratch};
use crate::clock;
use crate::runtime::Runtime;
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result, bail};
use core::fmt;
use core::time::Duration;
use serde_json::json;
use tangelo_services::ports::Reserved;
use tangelo_services::zookeeper::Ensemble;

/// The session's timeout: what zookeeper.json says if it says nothing.
pub(super) const SESSION: Duration = Duration::from_secs(5);
/// Whatever is waited for takes no longer.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// Between what was done to a cluster and the next: by then the guards have their sessions and all is at rest.
const REST: Duration = Duration::from_millis(400);

/// Where and with what something is measured.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) runtime: Runtime,
    pub(super) programs: &'a Programs,
    pub(super) ensemble: &'a Ensemble,
}

/// For people.
impl fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ensemble.nodes() {
            1 => write!(f, "{}, standalone", self.runtime.name()),
            nodes => write!(f, "{}, {nodes} nodes", self.runtime.name()),
        }
    }
}

/// A cluster.
pub(super) struct Stage {
    dir: scratch::Dir,
    pub(super) cluster: Cluster,
    pub(super) leader: Master,
    pub(super) observer: Observer,
    pids: BTreeMap<String, u32>,
    /// How many standbys there were.
    standbys: usize,
    _ports: Vec<Reserved>,
}

/// The files of a cluster whose masters meet in `path`, in a directory of its own.
pub(super) fn configure(
    setting: Setting<'_>,
    path: &str,
    servers: usize,
) -> Result<(scratch::Dir, Cluster, Vec<Reserved>)> {
    let dir = scratch::Dir::new(path.trim_start_matches('/'))?;
    let ports: Vec<_> = (0..servers + 4).map(|_| Reserved::new()).collect::<Result<_>>()?;
    let mut numbers: Vec<_> = ports.iter().map(Reserved::port).collect();
    let spare = numbers.split_off(servers + 1);
    let master = json!({ "id": "master-1", "host": "127.0.0.1", "port": numbers.remove(0) });
    let mut cluster = Cluster::of(&setting.programs.app, dir.path(), &master, &numbers)?;
    cluster.spare_ports = spare;
    let server = setting.ensemble.connect_string();
    let timeout = u64::try_from(SESSION.as_millis())?;
    let zookeeper = json!({ "server": server, "path": path, "timeout": timeout, "create": true });
    cluster.write("zookeeper.json", &zookeeper)?;
    Ok((dir, cluster, ports))
}

impl Stage {
    /// Starts a cluster of `servers` servers.
    pub(super) fn start(setting: Setting<'_>, path: &str, servers: usize) -> Result<Self> {
        let (dir, cluster, ports) = configure(setting, path, servers)?;
        let leader = cluster.foreground(cluster.command("start"))?;
        Self::of(dir, cluster, ports, leader, setting.ensemble, path)
    }

    /// A cluster whose leader was started just now.
    pub(super) fn of(
        dir: scratch::Dir,
        cluster: Cluster,
        ports: Vec<Reserved>,
        mut leader: Master,
        ensemble: &Ensemble,
        path: &str,
    ) -> Result<Self> {
        let see = || format!("see {}", dir.path().display());
        leader.all_up(cluster.servers, clock::now() + UP_LIMIT).with_context(see)?;
        let pids = cluster.pids().with_context(see)?;
        let observer = Observer::connect(ensemble, path)?;
        Ok(Self { dir, cluster, leader, observer, pids, standbys: 0, _ports: ports })
    }

    /// A standby beside the leader, both with their guards.
    pub(super) fn standby(&mut self) -> Result<Master> {
        let standby = self.cluster.standby(self.standbys).with_context(|| self.see())?;
        self.standbys += 1;
        self.rest(&[self.leader.child.id(), standby.child.id()])?;
        Ok(standby)
    }

    /// Waits until these masters stand or lead with a guard each, and all is at rest.
    pub(super) fn rest(&mut self, masters: &[u32]) -> Result<()> {
        self.observer.await_masters(masters.len()).with_context(|| self.see())?;
        for &master in masters {
            guard_of(master)?;
        }
        clock::let_pass(REST);
        Ok(())
    }

    /// When `master`, which leads since a moment, had all servers registered. None of them may have another
    /// process than before.
    pub(super) fn registered(&mut self, master: &mut Master, since: Duration) -> Result<Duration> {
        let registered = master.all_up(self.cluster.servers, since + LIMIT).with_context(|| self.see())?;
        let after = self.cluster.pids().with_context(|| self.see())?;
        if after != self.pids {
            bail!("{}: the servers' processes have changed from {:?} to {after:?}", self.see(), self.pids);
        }
        Ok(registered)
    }

    /// Where the logs are.
    pub(super) fn see(&self) -> String {
        format!("see {}", self.dir.path().display())
    }

    /// Stops the cluster with these masters beside the leader; nothing of it may be left.
    pub(super) fn stop(self, others: Vec<Master>) -> Result<()> {
        let see = self.see();
        let masters = core::iter::once(self.leader).chain(others).collect();
        self.cluster.stop(masters).context(see)?;
        self.dir.remove();
        Ok(())
    }
}

/// The guard of a master, as soon as it has one.
pub(super) fn guard_of(master: u32) -> Result<u32> {
    clock::poll_until(clock::now() + LIMIT, Duration::from_millis(5), || {
        let mut children = procfs::children(master).into_iter();
        let guard = children.find(|&child| procfs::arguments(child).get(1).is_some_and(|arg| arg == "guard"));
        guard.with_context(|| format!("master {master} has no guard"))
    })
}

/// Milliseconds from `begin` to `end`.
pub(super) fn ms(begin: Duration, end: Duration) -> f64 {
    end.saturating_sub(begin).as_secs_f64() * 1e3
}
