//! The world: virtual time, and what is going to happen.

use crate::Knobs;
use crate::checker::{Checker, Stats};
use crate::coordinator::Coordinator;
use crate::faults::Fault;
use crate::masters::{Arrival, Master};
use crate::network::{Link, Side, Wires};
use crate::servers::Process;
use alloc::collections::BTreeMap;
use core::time::Duration;
use tangelo_core::config::ServerDef;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::ClusterState;
use tangelo_core::{Exit, Instant, member};

/// Virtual microseconds.
pub(crate) type Time = u64;
pub(crate) const MS: Time = 1000;
pub(crate) const SECOND: Time = 1000 * MS;
/// How long things go wrong, and how long the cluster then has to heal.
pub(crate) const FAULTS: Time = 60 * SECOND;
const CALM: Time = 75 * SECOND;
/// More than any run needs: beyond it something spins.
const MAX_EVENTS: u64 = 500_000;

/// What is going to happen.
pub(crate) enum Event {
    Arrive { master: usize, life: u32, arrival: Arrival },
    MasterTick { master: usize, life: u32, generation: u64 },
    MasterBoots { master: usize },
    Renew { master: usize, life: u32 },
    StoreArrives { master: usize, life: u32, epoch: Epoch, version: u64, state: ClusterState },
    Spawn { pid: u32 },
    Adopt { master: usize, life: u32, epoch: Epoch, id: String, pid: u32 },
    ProcessBoots { pid: u32 },
    ProcessTick { pid: u32, generation: u64 },
    ProcessHears { pid: u32, input: member::Input },
    ProcessExits { pid: u32, exit: Exit },
    Observe { pid: u32 },
    StandbyLinks { master: usize, life: u32 },
    Connect { pid: u32, attempt: u64, master: usize, give_up: Time },
    Deliver { link: u64, to: Side },
    Release { master: usize, life: u32 },
    Beat,
    Fault,
    Heal(Fault),
    Operate,
    Calm,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) knobs: Knobs,
    pub(crate) random: fastrand::Rng,
    agenda: BTreeMap<(Time, u64), Event>,
    serial: u64,
    pub(crate) defs: Vec<ServerDef>,
    pub(crate) coordinator: Coordinator,
    pub(crate) masters: Vec<Master>,
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) wires: Wires,
    pub(crate) checker: Checker,
    pub(crate) calm: bool,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, knobs: Knobs, traced: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut defs: Vec<ServerDef> = Vec::new();
        for n in 0..random.u16(3..=5) {
            let kind = if n == 0 { "gate" } else { "chat" };
            let mut def = ServerDef::new(format!("{kind}-{n}"), kind, "h");
            def.auto_restart = n != 2;
            def.frontend = n == 0;
            def.client_port = (n == 0).then_some(3010);
            def.stop_timeout = Duration::from_secs(2);
            // So many that none ends as failed: that the loop is bounded has a test of its own.
            def.restart.max_restarts = 10_000;
            def.restart.max_delay = Duration::from_secs(2);
            defs.push(def);
        }
        let masters: usize = random.usize(2..=3);
        let mut world = Self {
            now: 1000 * SECOND,
            knobs,
            random,
            agenda: BTreeMap::new(),
            serial: 0,
            checker: Checker::new(&defs),
            defs,
            coordinator: Coordinator::default(),
            masters: (0..masters).map(|_| Master::default()).collect(),
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
        world.after(3 * SECOND, Event::Fault);
        world.after(4 * SECOND, Event::Operate);
        world.after(FAULTS, Event::Calm);
        world
    }

    pub(crate) fn instant(&self) -> Instant {
        instant(self.now)
    }

    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
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
            trace.push(format!("{:>10.3} {}", (now - 1000 * SECOND) as f64 / 1e3, what()));
        }
    }

    pub(crate) fn run(&mut self) {
        let end = self.now + FAULTS + CALM;
        let mut events = 0;
        while let Some(((at, _), event)) = self.agenda.pop_first().filter(|((at, _), _)| *at <= end) {
            self.now = at;
            self.happen(event);
            events += 1;
            if events > MAX_EVENTS {
                self.checker.broken("something spins".into());
            }
            if self.checker.is_broken() {
                return;
            }
        }
        self.check_healed();
    }

    /// What came of it, or the law that was broken with the trace that led there.
    pub(crate) fn verdict(self) -> Result<Stats, String> {
        match self.checker.why {
            None => {
                if let Some(trace) = self.trace {
                    println!("{}", trace.join("\n"));
                }
                Ok(self.checker.stats)
            }
            Some(why) => {
                let trace = self.trace.unwrap_or_default().join("\n");
                Err(format!("{trace}\n{:>10.3} BROKEN: {why}", (self.now - 1000 * SECOND) as f64 / 1e3))
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { master, life, arrival } => self.arrive(master, life, arrival),
            Event::MasterTick { master, life, generation } => self.master_ticks(master, life, generation),
            Event::MasterBoots { master } => self.boot_master(master),
            Event::Renew { master, life } => self.renew(master, life),
            Event::StoreArrives { master, life, epoch, version, state } => {
                self.store_arrives(master, life, epoch, version, state);
            }
            Event::Spawn { pid } => self.spawn(pid),
            Event::Adopt { master, life, epoch, id, pid } => self.adopt(master, life, epoch, id, pid),
            Event::ProcessBoots { pid } => self.boot_process(pid),
            Event::ProcessTick { pid, generation } => self.process_ticks(pid, generation),
            Event::ProcessHears { pid, input } => self.process_hears(pid, input),
            Event::ProcessExits { pid, exit } => self.process_exits(pid, exit),
            Event::Observe { pid } => self.observe(pid),
            Event::StandbyLinks { master, life } => self.standby_links(master, life),
            Event::Connect { pid, attempt, master, give_up } => self.connect(pid, attempt, master, give_up),
            Event::Deliver { link, to } => self.deliver(link, to),
            Event::Release { master, life } => self.release(master, life),
            Event::Beat => self.beat(),
            Event::Fault => self.fault(),
            Event::Heal(fault) => self.heal(fault),
            Event::Operate => self.operate(),
            Event::Calm => self.calm_down(),
        }
    }
}

pub(crate) const fn instant(time: Time) -> Instant {
    Instant::from_boot(Duration::from_micros(time))
}

/// The microsecond in which it is past.
pub(crate) fn time(instant: Instant) -> Time {
    u64::try_from(instant.since_boot().as_nanos().div_ceil(1000)).unwrap_or(Time::MAX)
}
