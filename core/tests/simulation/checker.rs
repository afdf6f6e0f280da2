//! The laws, held against what happens.

use crate::operator::Asked;
use crate::world::World;
use alloc::collections::BTreeMap;
use tangelo_core::ErrorKind;
use tangelo_core::config::{Incarnation, ServerDef};
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::Ticket;
use tangelo_core::wire::{Response, ServerState};

/// What has happened: a run in which nothing happens proves nothing.
#[derive(Default, Debug)]
pub(crate) struct Stats {
    pub(crate) reigns: u64,
    pub(crate) launches: u64,
    pub(crate) adoptions: u64,
    pub(crate) starts: u64,
    pub(crate) signals: u64,
    pub(crate) settled: u64,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
    pub(crate) ended: u64,
}

impl Stats {
    pub(crate) fn add(&mut self, more: &Self) {
        self.reigns += more.reigns;
        self.launches += more.launches;
        self.adoptions += more.adoptions;
        self.starts += more.starts;
        self.signals += more.signals;
        self.settled += more.settled;
        self.done += more.done;
        self.refused += more.refused;
        self.unanswered += more.unanswered;
        self.ended += more.ended;
    }

    pub(crate) fn assert_not_idle(&self, seeds: u64) {
        assert!(self.reigns > 3 * seeds && self.launches > 10 * seeds && self.adoptions > 5 * seeds);
        assert!(self.signals > seeds && self.settled > seeds && self.done > 5 * seeds);
        if seeds >= 100 {
            assert!(self.refused > 0 && self.unanswered > 0 && self.ended > 0);
        }
    }
}

/// Whether a server shall run, as far as the operator can know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    Run,
    Stopped,
    /// A request about it was not answered, or not with success.
    Unsure,
}

struct Open {
    epoch: Epoch,
    ids: Vec<String>,
    asked: Asked,
}

pub(crate) struct Checker {
    pub(crate) why: Option<String>,
    pub(crate) stats: Stats,
    /// Whether this run ends with the end of the cluster.
    pub(crate) ends: bool,
    wants: BTreeMap<String, Want>,
    auto_restart: BTreeMap<String, bool>,
    open: BTreeMap<Ticket, Open>,
}

impl Checker {
    pub(crate) fn new(defs: &[ServerDef]) -> Self {
        let mut checker = Self {
            why: None,
            stats: Stats::default(),
            ends: defs.len() == 4,
            wants: BTreeMap::new(),
            auto_restart: BTreeMap::new(),
            open: BTreeMap::new(),
        };
        for def in defs {
            checker.knows(&def.id, def.auto_restart);
        }
        checker
    }

    pub(crate) fn knows(&mut self, id: &str, auto_restart: bool) {
        self.wants.insert(id.into(), Want::Run);
        self.auto_restart.insert(id.into(), auto_restart);
    }

    /// A law was broken.
    pub(crate) fn broken(&mut self, why: String) {
        self.why.get_or_insert(why);
    }

    pub(crate) const fn is_broken(&self) -> bool {
        self.why.is_some()
    }

    pub(crate) fn launches(&mut self, id: &str) {
        self.stats.launches += 1;
        if self.wants.get(id) == Some(&Want::Stopped) {
            self.broken(format!("{id} was stopped on purpose and is launched"));
        }
    }

    /// Whether no request about it is open.
    pub(crate) fn is_free(&self, id: &str) -> bool {
        !self.open.values().any(|open| open.asked == Asked::End || open.ids.iter().any(|other| other == id))
    }

    /// A server of which nobody knows whether it shall run.
    pub(crate) fn unsure(&self) -> Option<String> {
        let unsure = self.wants.iter().filter(|(id, want)| **want == Want::Unsure && self.is_free(id));
        unsure.map(|(id, _)| id.clone()).next()
    }

    pub(crate) fn asked(&mut self, ticket: Ticket, epoch: Epoch, ids: Vec<String>, asked: Asked) {
        self.want(&ids, Want::Unsure);
        self.open.insert(ticket, Open { epoch, ids, asked });
    }

    fn want(&mut self, ids: &[String], want: Want) {
        for id in ids {
            if let Some(known) = self.wants.get_mut(id) {
                *known = want;
            }
        }
    }

    pub(crate) fn answered(&mut self, ticket: Ticket, response: &Response, calm: bool) {
        let Some(open) = self.open.remove(&ticket) else {
            self.broken(format!("{ticket:?} is answered twice"));
            return;
        };
        let done = !matches!(response, Response::Failed { .. });
        match open.asked {
            Asked::Run if done => self.want(&open.ids, Want::Run),
            Asked::Stop if done => self.want(&open.ids, Want::Stopped),
            Asked::End if done => self.stats.ended += 1,
            // What was to be added never was.
            Asked::Run if calm && matches!(response, Response::Failed { kind: ErrorKind::NotFound, .. }) => {
                self.wants.retain(|id, _| !open.ids.contains(id));
            }
            _ => {}
        }
        if done { self.stats.done += 1 } else { self.stats.refused += 1 }
    }

    /// Whoever asked this master has lost the link.
    pub(crate) fn reign_ends(&mut self, epoch: Epoch) {
        let before = self.open.len();
        self.open.retain(|_, open| open.epoch != epoch);
        self.stats.unanswered += u64::try_from(before - self.open.len()).unwrap();
    }
}

impl World {
    /// Laws 1 and 2: only the leader of the present epoch gives orders.
    pub(crate) fn check_order(&mut self, master: usize, epoch: Epoch, what: impl FnOnce() -> String) {
        let life = self.masters[master].life;
        if self.coordinator.leader != Some((master, life, epoch)) {
            self.checker.broken(format!("master {master} of epoch {epoch} leads no longer and {}", what()));
        }
    }

    /// Law 6: nobody touches a server that is well and wanted.
    pub(crate) fn check_needless(&mut self, pid: u32, what: &str) {
        let Some(process) = self.processes.get(&pid) else { return };
        let wanted =
            self.checker.wants.get(&process.id) == Some(&Want::Run) && self.checker.is_free(&process.id);
        if process.up && !process.frozen && process.troubled_until < self.now && wanted && !self.checker.ends
        {
            self.checker.broken(format!("a master {what} {}, pid {pid}, which is well", process.id));
        }
    }

    /// After the calm all must be well.
    pub(crate) fn check_healed(&mut self) {
        if let Some(ticket) = self.checker.open.keys().next() {
            self.checker.broken(format!("{ticket:?} is not answered"));
        }
        let alive: Vec<(String, Incarnation)> =
            self.processes.values().filter(|p| p.alive).map(|p| (p.id.clone(), p.incarnation)).collect();
        if self.checker.ends {
            let masters = self.masters.iter().filter(|master| master.alive).count();
            if masters > 0 || !alive.is_empty() {
                self.checker
                    .broken(format!("the cluster has ended, but {masters} masters and {alive:?} run"));
            }
            return;
        }
        let now = self.instant();
        let Some((leader, ..)) = self.coordinator.leader else {
            return self.checker.broken("nobody leads".into());
        };
        let Some(machine) = &self.masters[leader].machine else {
            return self.checker.broken("the leader does not know that it leads".into());
        };
        let mut faults = Vec::new();
        let mut up: Vec<(String, Incarnation)> = Vec::new();
        for row in machine.listing(now).servers {
            let of_it: Vec<_> = alive.iter().filter(|(id, _)| *id == row.id).collect();
            // One that a master of the past denied may be there all the same.
            let denied = !self.checker.wants.contains_key(&row.id);
            let want = self.checker.wants.get(&row.id).copied().unwrap_or(Want::Unsure);
            let runs = row.state == ServerState::Up && of_it.len() == 1;
            let down = matches!(row.state, ServerState::Stopped | ServerState::Failed) && of_it.is_empty();
            let must_run = !denied && want != Want::Stopped && self.checker.auto_restart[&row.id];
            if !(runs && want != Want::Stopped || down && !must_run) {
                faults.push(format!(
                    "{} is {} with {of_it:?}, want {want:?}: {}",
                    row.id, row.state, row.detail
                ));
            }
            if runs {
                up.push((row.id, row.incarnation));
            }
        }
        up.sort();
        for process in self.processes.values().filter(|process| process.alive) {
            let agent = process.agent.as_ref().unwrap();
            let known: Vec<_> = agent.servers().values().map(|s| (s.def.id.clone(), s.incarnation)).collect();
            if !process.up || !agent.is_welcome() || known != up {
                faults.push(format!("{} knows {known:?} of {up:?}", process.id));
            }
        }
        if !faults.is_empty() {
            self.checker.broken(format!("it did not heal: {}", faults.join("; ")));
        }
    }
}
