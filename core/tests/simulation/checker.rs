//! The laws, held against what happens.
//!
//! After each step: at most one leader is before its deadline by its own clock; only the leader of
//! the present reign launches, signals, stops or refuses; epochs grow; no server obeys a reign that
//! it knows to be over; of each id at most one process works, and at most one is registered;
//! nobody stops, signals or refuses a server that is well and wanted; what was stopped on purpose is
//! not launched; what was acknowledged is so. After the faults: see `healed.rs`.
//!
//! What no law can promise is taken out, and only that: an order whose master was frozen between
//! its last look at the clock and the system call, or that is under way over ssh, may take effect
//! late; and where a person has ended a leader's session, removed its node or wiped `<path>`, that
//! leader does not know until its next proof. Even then there is no second process that works.

use crate::operator::Asked;
use crate::stats::Stats;
use crate::world::{Owner, SECOND, Time, World};
use crate::zk::Write;
use alloc::collections::{BTreeMap, BTreeSet};
use tangelo_core::ErrorKind;
use tangelo_core::config::ServerDef;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::Ticket;
use tangelo_core::wire::Response;

/// Whether a server shall run, as far as the operator can know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Want {
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
    pub(crate) wants: BTreeMap<String, Want>,
    pub(crate) auto_restart: BTreeMap<String, bool>,
    open: BTreeMap<Ticket, Open>,
    highest: Epoch,
    /// Locks of leaders that somebody has deposed behind their backs.
    pub(crate) meddled: BTreeSet<u64>,
    /// Who was named as successor, and when.
    successor: Option<(u64, Time)>,
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
            highest: Epoch(0),
            meddled: BTreeSet::new(),
            successor: None,
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

    /// Whether no request about it is open.
    pub(crate) fn is_free(&self, id: &str) -> bool {
        !self.open.values().any(|open| open.asked == Asked::End || open.ids.iter().any(|other| other == id))
    }

    pub(crate) fn open_ticket(&self) -> Option<Ticket> {
        self.open.keys().next().copied()
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

    /// Whoever asked this master has lost the link.
    pub(crate) fn reign_ends(&mut self, epoch: Epoch) {
        let before = self.open.len();
        self.open.retain(|_, open| open.epoch != epoch);
        self.stats.unanswered += u64::try_from(before - self.open.len()).unwrap();
    }
}

impl World {
    pub(crate) fn answered(&mut self, ticket: Ticket, response: &Response) {
        let calm = self.calm;
        let Some(open) = self.checker.open.remove(&ticket) else {
            return self.checker.broken(format!("{ticket:?} is answered twice"));
        };
        let done = !matches!(response, Response::Failed { .. });
        match open.asked {
            Asked::Run if done => self.checker.want(&open.ids, Want::Run),
            Asked::Stop if done => {
                self.checker.want(&open.ids, Want::Stopped);
                let works = self.processes.values().find(|p| p.working && open.ids.contains(&p.id));
                if let Some(pid) = works.map(|process| process.pid) {
                    self.checker.broken(format!("{ticket:?}: stopped, it says, but pid {pid} works"));
                }
            }
            Asked::End if done => self.stats().ended += 1,
            // What was to be added never was.
            Asked::Run if calm && matches!(response, Response::Failed { kind: ErrorKind::NotFound, .. }) => {
                self.checker.wants.retain(|id, _| !open.ids.contains(id));
            }
            _ => {}
        }
        if done { self.stats().done += 1 } else { self.stats().refused += 1 }
    }

    /// The lock with which this master leads, if by its own clock it does.
    fn leads(&self, master: usize) -> Option<u64> {
        let there = &self.masters[master];
        let reign = there.standing.reign.as_ref().filter(|_| there.alive)?;
        (reign.may_act(self.clock_of(Owner::Master(master)), &self.knobs)).then_some(reign.lock)
    }

    /// At most one leader is before its deadline.
    pub(crate) fn check_leaders(&mut self) {
        if self.knobs.any_leader {
            return;
        }
        let mut leader = None;
        for master in 0..self.masters.len() {
            let Some(lock) = self.leads(master) else { continue };
            if self.checker.meddled.contains(&lock) {
                continue;
            }
            if let Some(other) = leader.replace(master) {
                self.checker.broken(format!("masters {other} and {master} lead at once"));
            }
        }
    }

    /// A write was committed.
    pub(crate) fn saw_written(&mut self, write: &Write) {
        let now = self.now;
        match write {
            Write::Win { lock, epoch, .. } => {
                self.stats().reigns += 1;
                let checker = &mut self.checker;
                if *epoch <= checker.highest {
                    checker.broken(format!("epoch {epoch} begins after epoch {}", checker.highest));
                }
                checker.highest = *epoch;
                let named = checker.successor.take().filter(|(to, at)| to != lock && now < at + SECOND / 2);
                let lives = |to: &u64| {
                    let master = self.zk.tree().locks.get(to).map(|lock| &self.masters[lock.master]);
                    master.is_some_and(|master| master.standing.lock == Some(*to) && master.client.attached)
                };
                // Who has seen the path wiped has seen nobody lead for a while.
                let meddled = self.checker.stats.meddled > 0;
                if let Some((to, _)) = named.filter(|(to, _)| lives(to) && !meddled) {
                    self.checker.broken(format!("lock {lock} wins, though lock {to} was handed the lead"));
                }
            }
            Write::HandOver { to, .. } => {
                self.stats().handovers += 1;
                self.checker.successor = Some((*to, now));
            }
            _ => {}
        }
    }

    /// Whether somebody has deposed the leader of this reign behind its back.
    fn is_meddled(&self, master: usize) -> bool {
        let reign = self.masters[master].standing.reign.as_ref();
        reign.is_some_and(|reign| self.checker.meddled.contains(&reign.lock))
    }

    /// Laws 1 and 2: only the leader of the present reign gives orders.
    pub(crate) fn check_order(&mut self, master: usize, epoch: Epoch, what: impl FnOnce() -> String) {
        if self.is_meddled(master) || self.knobs.any_leader {
            return;
        }
        let lock = self.masters[master].standing.reign.as_ref().filter(|r| r.epoch == epoch).map(|r| r.lock);
        let leads = self.zk.tree().leader().map(|(named, _)| named.lock);
        if lock.is_none() || leads != lock {
            self.checker.broken(format!("master {master} of epoch {epoch} leads no longer and {}", what()));
        }
    }

    /// Law 7: what was stopped on purpose stays stopped.
    pub(crate) fn check_wanted(&mut self, master: usize, id: &str) {
        if self.checker.wants.get(id) == Some(&Want::Stopped)
            && !self.is_meddled(master)
            && !self.knobs.any_leader
        {
            self.checker.broken(format!("{id} was stopped on purpose and is launched"));
        }
    }

    /// Law 6: nobody touches a server that is well and wanted.
    pub(crate) fn check_needless(&mut self, master: usize, pid: u32, what: &str) {
        if self.is_meddled(master) || self.knobs.any_leader {
            return;
        }
        let Some(process) = self.processes.get(&pid) else { return };
        let wanted =
            self.checker.wants.get(&process.id) == Some(&Want::Run) && self.checker.is_free(&process.id);
        let well = process.up && !self.is_frozen(Owner::Server(pid)) && process.troubled_until < self.now;
        if well && wanted && !self.checker.ends {
            self.checker.broken(format!("a master {what} {}, pid {pid}, which is well", process.id));
        }
    }

    /// Law 5: of each id at most one process works.
    pub(crate) fn check_alone(&mut self, id: &str) {
        let working = self.processes.values().filter(|process| process.id == id && process.working).count();
        if working > 1 {
            self.checker.broken(format!("{working} processes of {id} work at once"));
        }
    }

    /// And at most one is registered.
    pub(crate) fn check_registered(&mut self, id: &str) {
        let welcome = |agent: &tangelo_core::member::Machine| agent.is_welcome();
        let registered = self
            .processes
            .values()
            .filter(|p| p.alive && p.id == id && p.agent.as_ref().is_some_and(welcome));
        let registered = registered.count();
        if registered > 1 {
            self.checker.broken(format!("{registered} processes of {id} are registered at once"));
        }
    }
}
