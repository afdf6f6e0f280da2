//! The world: virtual time, and what is going to happen.

use crate::channels::Channels;
use crate::checker::Checker;
use crate::faults::{Fault, Tendency};
use crate::guards::{Guard, GuardNews};
use crate::hosts::{Host, host_name};
use crate::knobs::Knobs;
use crate::masters::{Master, MasterNews};
use crate::network::{Link, Side};
use crate::servers::{Process, ServerNews};
use crate::stats::Stats;
use crate::wires::Wires;
use crate::zk::{ConnId, Ensemble, Write, Zxid};
use alloc::collections::BTreeMap;
use core::mem;
use core::time::Duration;
use tangelo_core::channel::Frontend;
use tangelo_core::config::ServerDef;
use tangelo_core::coordinator::Epoch;

/// Virtual microseconds.
pub(crate) type Time = u64;
pub(crate) const MS: Time = 1000;
pub(crate) const SECOND: Time = 1000 * MS;
/// How long things go wrong, and how long the cluster then has to heal.
pub(crate) const FAULTS: Time = 60 * SECOND;
pub(crate) const CALM: Time = 75 * SECOND;
const BEGIN: Time = 1000 * SECOND;
/// More than any run needs: beyond it something spins.
const MAX_EVENTS: u64 = 500_000;

/// A process that something happens to. While it is frozen, what happens waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    Master(usize),
    Guard(usize),
    Server(u32),
}

/// What is going to happen.
pub(crate) enum Event {
    Master {
        master: usize,
        life: u32,
        news: MasterNews,
    },
    Guard {
        guard: usize,
        news: GuardNews,
    },
    Server {
        pid: u32,
        news: ServerNews,
    },
    /// Something has come to that end of a link.
    Deliver {
        link: u64,
        to: Side,
    },
    /// Something has come to the service's end of a connection, or to the client's.
    ToZk {
        conn: ConnId,
    },
    ToClient {
        conn: ConnId,
    },
    ZkApplies {
        node: usize,
        zxid: Zxid,
    },
    ZkBeat,
    ZkElects,
    /// Only without fencing: a write gets there at last.
    ZkTakes {
        write: Write,
    },
    ZkExpires,
    ZkNodeBoots {
        node: usize,
    },
    MasterBoots {
        master: usize,
    },
    HostBoots {
        host: usize,
    },
    /// A launch that was ordered over ssh gets there.
    RemoteSpawn {
        def: Box<ServerDef>,
        incarnation: u64,
        by: (usize, u32, Epoch),
    },
    /// Whoever watches a process that has ended is told, if they can be reached.
    TellExit {
        pid: u32,
    },
    /// SIGKILL has done its work.
    Killed {
        pid: u32,
    },
    /// The users of a frontend get into channels.
    Joins {
        frontend: Frontend,
    },
    Beat,
    Fault,
    Heal(Fault),
    /// A node is cut off from the others, with a client.
    Island {
        node: usize,
        master: usize,
    },
    Operate,
    Look,
    Calm,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) knobs: Knobs,
    pub(crate) random: fastrand::Rng,
    agenda: BTreeMap<(Time, u64), Event>,
    asleep: BTreeMap<Owner, Vec<Event>>,
    serial: u64,
    /// Runs over all that happened: two runs of a seed have the same.
    hash: u64,
    pub(crate) hosts: Vec<Host>,
    pub(crate) defs: Vec<ServerDef>,
    pub(crate) zk: Ensemble,
    pub(crate) masters: Vec<Master>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) wires: Wires,
    pub(crate) channels: Channels,
    pub(crate) checker: Checker,
    pub(crate) tendency: Tendency,
    pub(crate) calm: bool,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, knobs: Knobs, traced: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let hosts: Vec<Host> = (0..random.usize(1..=3)).map(|_| Host::new(&mut random)).collect();
        let defs = declared(&mut random, hosts.len());
        let masters = random.usize(2..=3);
        let ensemble = if random.u32(0..3) == 0 && !knobs.only_proofs { 1 } else { 3 };
        // Four seconds are the least that ZooKeeper grants as it is shipped, five our default.
        let timeout = [4, 5, 5, 8][random.usize(0..4)];
        let mut world = Self {
            now: BEGIN,
            knobs,
            agenda: BTreeMap::new(),
            asleep: BTreeMap::new(),
            serial: 0,
            hash: seed,
            channels: Channels::default(),
            checker: Checker::new(&defs),
            tendency: Tendency::new(&mut random, knobs.only_proofs),
            defs,
            zk: Ensemble::new(ensemble, Duration::from_secs(timeout)),
            masters: (0..masters).map(|n| Master::new(n % hosts.len(), random.i32(0..3))).collect(),
            guards: Vec::new(),
            random,
            hosts,
            processes: BTreeMap::new(),
            links: BTreeMap::new(),
            wires: Wires::default(),
            calm: false,
            trace: traced.then(Vec::new),
        };
        for master in 0..masters {
            let after = world.random.u64(0..SECOND);
            world.after(after, Event::MasterBoots { master });
        }
        world.after(0, Event::Beat);
        // Sessions end at ticks, whenever in between the nodes talk to each other.
        let phase = world.between(0, SECOND);
        world.after(phase, Event::ZkBeat);
        world.after(0, Event::ZkExpires);
        world.after(3 * SECOND, Event::Fault);
        world.after(4 * SECOND, Event::Operate);
        world.after(FAULTS, Event::Calm);
        world
    }

    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn stats(&mut self) -> &mut Stats {
        &mut self.checker.stats
    }

    pub(crate) fn after(&mut self, delay: Time, event: Event) {
        let serial = self.serial();
        self.agenda.insert((self.now + delay, serial), event);
    }

    pub(crate) fn between(&mut self, low: Time, high: Time) -> Time {
        self.random.u64(low..=high)
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.random.u32(0..times) == 0
    }

    /// One of these.
    pub(crate) fn choose<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.random.usize(0..from.len())])
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10.3} {}", (now - BEGIN) as f64 / 1e3, what()));
        }
    }

    /// Lives through it all, and says what came of it: the law that was broken, if one was.
    pub(crate) fn run(&mut self) {
        let end = self.now + FAULTS + CALM;
        let mut events = 0;
        while let Some(((at, serial), event)) = self.agenda.pop_first().filter(|((at, _), _)| *at <= end) {
            self.now = at;
            self.hash =
                (self.hash ^ at ^ serial.rotate_left(40)).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
            self.happen(event);
            self.check_leaders();
            events += 1;
            if events > MAX_EVENTS {
                self.checker.broken("something spins".into());
            }
            if self.checker.is_broken() {
                break;
            }
        }
        if !self.checker.is_broken() {
            self.check_healed();
        }
        let now = self.now;
        let hash = self.hash;
        self.note(|| format!("the end, hash {hash:016x}"));
        let stats = self.stats();
        stats.events += events;
        stats.simulated += now - BEGIN;
    }

    pub(crate) const fn since_begin(&self) -> Time {
        self.now - BEGIN
    }

    /// The law that was broken, when.
    pub(crate) fn broken(&self) -> Option<String> {
        let why = self.checker.why.as_ref()?;
        Some(format!("{:>10.3} BROKEN: {why}", self.since_begin() as f64 / 1e3))
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn is_frozen(&self, owner: Owner) -> bool {
        let frozen = match owner {
            Owner::Master(master) => self.masters[master].frozen > 0,
            Owner::Guard(_) => false,
            Owner::Server(pid) => self.processes.get(&pid).is_some_and(|process| process.frozen > 0),
        };
        frozen || self.is_suspended(self.host_of(owner))
    }

    /// Whatever waited for this process happens now. As bad as can be: now and then its timers
    /// come first, before it reads what has come meanwhile.
    pub(crate) fn wake(&mut self, owner: Owner) {
        if self.is_frozen(owner) {
            return;
        }
        let mut waiting = self.asleep.remove(&owner).unwrap_or_default();
        if self.random.bool() {
            waiting.sort_by_key(|event| !is_timer(event));
        }
        for event in waiting {
            self.after(0, event);
        }
    }

    pub(crate) fn wake_all(&mut self, host: usize) {
        for owner in self.asleep.keys().copied().collect::<Vec<_>>() {
            if self.host_of(owner) == host {
                self.wake(owner);
            }
        }
    }

    pub(crate) fn forget(&mut self, owner: Owner) {
        self.asleep.remove(&owner);
    }

    fn owner(&self, event: &Event) -> Option<Owner> {
        match event {
            Event::Master { master, .. } => Some(Owner::Master(*master)),
            Event::Guard { guard, .. } => Some(Owner::Guard(*guard)),
            Event::Server { pid, .. } => Some(Owner::Server(*pid)),
            Event::Deliver { link, to } => self.reader(*link, *to),
            Event::ToClient { conn } => self.zk.client_of(*conn),
            _ => None,
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(owner) = self.owner(&event).filter(|owner| self.is_frozen(*owner)) {
            self.asleep.entry(owner).or_default().push(event);
            return;
        }
        match event {
            Event::Master { master, life, news } => self.master_hears(master, life, news),
            Event::Guard { guard, news } => self.guard_hears(guard, news),
            Event::Server { pid, news } => self.server_hears(pid, news),
            Event::Deliver { link, to } => self.deliver(link, to),
            Event::ToZk { conn } => self.zk_receives(conn),
            Event::ToClient { conn } => self.client_receives(conn),
            Event::ZkApplies { node, zxid } => self.zk_applies(node, zxid),
            Event::ZkBeat => self.zk_beat(),
            Event::ZkElects => self.zk_elects(),
            Event::ZkTakes { write } => self.zk_takes_late(&write),
            Event::ZkExpires => self.zk_expires(),
            Event::ZkNodeBoots { node } => self.zk_node_boots(node),
            Event::MasterBoots { master } => self.boot_master(master),
            Event::HostBoots { host } => self.boot_host(host),
            Event::RemoteSpawn { def, incarnation, by } => self.remote_spawn(&def, incarnation, by),
            Event::TellExit { pid } => self.tell_exit(pid),
            Event::Killed { pid } => self.server_dies(pid, tangelo_core::Exit::Signal(9)),
            Event::Joins { frontend } => self.joins(frontend),
            Event::Beat => self.beat(),
            Event::Fault => self.fault(),
            Event::Heal(fault) => self.heal(fault),
            Event::Island { node, master } => self.cut_island(node, master),
            Event::Operate => self.operate(),
            Event::Look => self.look(),
            Event::Calm => self.calm_down(),
        }
    }

    pub(crate) fn take_trace(&mut self) -> Vec<String> {
        mem::take(&mut self.trace).unwrap_or_default()
    }
}

/// Whether it comes from the process itself.
const fn is_timer(event: &Event) -> bool {
    matches!(
        event,
        Event::Master {
            news: MasterNews::Tick { .. } | MasterNews::Carry { .. } | MasterNews::ZkTimer { .. },
            ..
        } | Event::Server { news: ServerNews::Tick { .. }, .. }
    )
}

fn declared(random: &mut fastrand::Rng, hosts: usize) -> Vec<ServerDef> {
    let mut defs: Vec<ServerDef> = Vec::new();
    for n in 0..random.u16(3..=5) {
        let kind = if n == 0 { "gate" } else { "chat" };
        let mut def = ServerDef::new(format!("{kind}-{n}"), kind, host_name(random.usize(0..hosts)));
        def.auto_restart = n != 2;
        // One of them comes back by itself, one does not.
        def.frontend = n == 0 || n == 2;
        def.client_port = def.frontend.then_some(3010 + n);
        def.stop_timeout = Duration::from_secs(2);
        // So many that none ends as failed: that the loop is bounded has a test of its own.
        def.restart.max_restarts = 10_000;
        def.restart.max_delay = Duration::from_secs(2);
        defs.push(def);
    }
    defs
}
