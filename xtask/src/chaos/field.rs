//! Everything that is struck: ZooKeeper, masters, servers; and what one sees of them from outside.

use super::history::{History, Said};
use super::look::{self, Server};
use super::network::Network;
use super::place::{Common, Place, SESSION};
use super::pulse::Pulse;
use crate::bench::cluster::free_ports;
use crate::clock;
use alloc::collections::{BTreeMap, BTreeSet};
use anyhow::{Context as _, Result, bail};
use core::fmt::Debug;
use core::time::Duration;
use std::path::{Path, PathBuf};
use tangelo_services::zookeeper::{Ensemble, Options, Shell};

/// Where the masters meet in ZooKeeper.
const ZNODE: &str = "/pomelo/master";
const NODES: usize = 3;
const SERVERS: usize = 10;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
const START_LIMIT: Duration = Duration::from_secs(60);

/// Everything that is struck.
pub(super) struct Field {
    // Masters end before what they stand on.
    pub(super) places: Vec<Place>,
    pub(super) history: History,
    pub(super) pulse: Pulse,
    pub(super) ensemble: Ensemble,
    pub(super) network: Network,
    app: PathBuf,
    /// Each server's process that was ever seen, by pid and start.
    seen: BTreeSet<(u32, Duration)>,
    violations: Vec<String>,
}

/// The cluster when all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// Who leads: its place.
    pub(super) leader: usize,
    /// What it has published.
    pub(super) said: Said,
    /// The pid of each place's master.
    pub(super) masters: Vec<u32>,
    /// The pid of each master's guard.
    pub(super) guards: Vec<u32>,
    /// The servers by id.
    pub(super) servers: BTreeMap<String, Server>,
}

impl Whole {
    /// What is not as it was.
    pub(super) fn changes(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, old: &dyn Debug, new: &dyn Debug| {
            let (old, new) = (format!("{old:?}"), format!("{new:?}"));
            if old != new {
                changes.push(format!("{what} changed from {old} to {new}"));
            }
        };
        compare("the leader", &self.said, &now.said);
        compare("the masters", &self.masters, &now.masters);
        compare("the guards", &self.guards, &now.guards);
        for (id, old) in &self.servers {
            compare(id, &Some(old), &now.servers.get(id));
        }
        changes
    }
}

impl Field {
    /// Starts ZooKeeper and `masters` masters in `dir`; waits until all is well.
    pub(super) fn start(app: &Path, dir: &Path, masters: u8, network: Network) -> Result<Self> {
        // 300 ms divide the session into ten: it expires at the end of a tick.
        let tick = SESSION / 10;
        // Only processes are killed, so what is written need not reach the disk, which others may keep busy.
        let options = Options { tick, sync: false, dir: Some(dir.join("zookeeper")), ..Options::default() };
        let ensemble = Ensemble::start(NODES, options)?;
        let ports = free_ports(SERVERS + 1)?;
        let (port, servers) = ports.split_first().context("no ports")?;
        let secret = format!("{:032x}", fastrand::u128(..));
        let common = Common { app, dir, ensemble: &ensemble, servers, port: *port, secret: &secret };
        let places = (1..=masters).map(|number| Place::new(number, &common)).collect::<Result<_>>()?;
        let nodes: Vec<_> = (0..NODES).map(|node| ensemble.address(node)).collect();
        let mut field = Self {
            places,
            pulse: Pulse::of(&nodes),
            history: History::of(ZNODE, nodes),
            ensemble,
            network,
            app: app.to_owned(),
            seen: BTreeSet::new(),
            violations: Vec::new(),
        };
        field.places.iter_mut().try_for_each(Place::start)?;
        field.await_whole(START_LIMIT).context("the cluster does not come up")?;
        Ok(field)
    }

    /// Waits until all is well, and gives that.
    ///
    /// # Errors
    /// What is not well when `limit` has passed.
    pub(super) fn await_whole(&mut self, limit: Duration) -> Result<Whole> {
        let deadline = clock::now() + limit;
        clock::poll_until(deadline, PAUSE, || self.whole())
    }

    /// Lets time pass with an eye on the processes.
    pub(super) fn watch_for(&mut self, duration: Duration) -> Result<()> {
        let end = clock::now() + duration;
        while clock::now() < end {
            self.look()?;
            clock::let_pass(PAUSE.min(end.saturating_sub(clock::now())));
        }
        Ok(())
    }

    /// What was against the laws since the last call, as seen from outside.
    pub(super) fn take_violations(&mut self) -> Vec<String> {
        let mut violations = core::mem::take(&mut self.violations);
        violations.extend(self.history.take_violations());
        violations
    }

    /// Everything as it is, if all is well.
    fn whole(&mut self) -> Result<Whole> {
        let processes = self.look()?;
        let masters = self.places.iter_mut().map(|place| {
            let pid = place.pid();
            pid.with_context(|| format!("{} is dead", place.id))
        });
        let masters = masters.collect::<Result<Vec<_>>>()?;
        let record = self.history.last().context("nobody was ever published")?;
        let said = record.said;
        let leader = self.places.iter().position(|place| {
            said.is_leader() && place.address.port() == said.port && place.host().to_string() == said.host
        });
        let leader = leader.with_context(|| format!("nobody leads: {said:?}"))?;
        self.check_list(leader, &said, &masters)?;
        let servers = self.servers(&processes, leader)?;
        let guards = masters.iter().map(|&master| guard(&processes, master)).collect::<Result<Vec<_>>>()?;
        self.check_zookeeper(&said)?;
        Ok(Whole { leader, said, masters, guards, servers })
    }

    /// The processes; each new one of a server is checked.
    fn look(&mut self) -> Result<Vec<look::Process>> {
        let processes = look::processes(&self.app)?;
        for process in processes.iter().filter(|process| process.role() == "serve") {
            let key = (process.pid, process.start);
            if self.seen.contains(&key) {
                continue;
            }
            let Some(server) = process.server() else { continue };
            // Law 1: whoever launches leads, and nobody has come after it.
            if let Some(later) = self.history.later_than(server.epoch, server.start) {
                self.violations
                    .push(format!("launched after a later reign had begun: {server:?}, {later:?}"));
            }
            self.seen.insert(key);
        }
        Ok(processes)
    }

    /// Every master gives the same list: all masters are in it, and one of them leads.
    fn check_list(&self, leader: usize, said: &Said, masters: &[u32]) -> Result<()> {
        for place in &self.places {
            let listing = self.places[leader].list(place.address)?;
            let leads = listing.masters.iter().filter(|row| row.role == "leader");
            let leads: Vec<_> = leads.map(|row| (row.pid, row.epoch, &*row.state)).collect();
            if leads != [(masters[leader], said.epoch, "leading")] {
                bail!("{} says that {leads:?} lead, but {said:?} is published", place.id);
            }
            let listed: BTreeSet<_> = listing.masters.iter().map(|row| row.pid).collect();
            if listed != masters.iter().copied().collect() {
                bail!("{} lists the masters {listed:?}, not {masters:?}", place.id);
            }
        }
        Ok(())
    }

    /// The servers that are up, each with one process.
    fn servers(&self, processes: &[look::Process], leader: usize) -> Result<BTreeMap<String, Server>> {
        let mut servers = BTreeMap::new();
        for server in processes.iter().filter_map(look::Process::server) {
            if let Some(other) = servers.insert(server.id.clone(), server.clone()) {
                bail!("two processes at once: {server:?} and {other:?}");
            }
        }
        let place = &self.places[leader];
        let listing = place.list(place.address)?;
        for row in &listing.servers {
            if row.state != "up" || row.pid != servers.get(&row.id).map(|server| server.pid) {
                bail!("{} is {} with pid {:?}", row.id, row.state, row.pid);
            }
        }
        if (listing.servers.len(), servers.len()) != (SERVERS, SERVERS) {
            bail!("{} servers are listed, {} run", listing.servers.len(), servers.len());
        }
        Ok(servers)
    }

    /// All nodes serve, and each master has one lock node.
    fn check_zookeeper(&self, said: &Said) -> Result<()> {
        let mut leads = 0;
        for node in 0..NODES {
            leads += u32::from(self.ensemble.status(node)?.mode.leads());
        }
        if leads != 1 {
            bail!("{leads} nodes of ZooKeeper lead");
        }
        let mut shell = Shell::connect(self.ensemble.address(0), Duration::from_secs(1))?;
        let locks = shell.children(&format!("{ZNODE}/lock"))?.unwrap_or_default();
        if locks.len() != self.places.len() || !locks.contains(&said.lock) {
            bail!("the lock nodes are {locks:?}, for {} masters and {said:?}", self.places.len());
        }
        Ok(())
    }

    /// Ends the cluster by `stop`; nothing of it may be left.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.places[0].stop()?;
        for place in &mut self.places {
            place.wait(Duration::from_secs(20)).context("after `stop`, a master")?;
        }
        let gone = || match &look::processes(&self.app)?[..] {
            [] => Ok(()),
            left => bail!("`stop` left {} processes running, such as {:?}", left.len(), left[0]),
        };
        // A guard ends after its master.
        clock::poll_until(clock::now() + SESSION * 2, PAUSE, gone)
    }
}

/// The one guard of a master.
fn guard(processes: &[look::Process], master: u32) -> Result<u32> {
    let guards = processes.iter().filter(|process| process.parent == master && process.role() == "guard");
    match guards.map(|process| process.pid).collect::<Vec<_>>()[..] {
        [guard] => Ok(guard),
        ref guards => bail!("master {master} has the guards {guards:?}"),
    }
}
