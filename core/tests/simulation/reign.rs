//! A leadership, as the backend for ZooKeeper gives it to the engine: a deadline that each proof
//! moves, a fenced store, and the ways in which it ends.

use crate::knobs::Knobs;
use crate::masters::MasterNews;
use crate::standing::info_of;
use crate::world::{Event, Owner, World};
use crate::zk::{Request, Tree, Write, Written};
use alloc::rc::Rc;
use core::time::Duration;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::master::{ClusterState, Input, Ticket};
use tangelo_core::wire::Response;
use tangelo_core::{Error, ErrorKind, Instant};

/// A leadership.
pub(crate) struct Reign {
    pub(crate) epoch: Epoch,
    pub(crate) lock: u64,
    /// When the last request was sent that proved it, and the sign of life that its answer proves.
    proof: Instant,
    alive: Instant,
    timeout: Duration,
    over: bool,
    attached: bool,
    /// The version of the stored state, once it is known for sure.
    version: Option<u64>,
    loaded: bool,
    /// What waits to be stored, or is.
    writing: Option<(u64, Rc<ClusterState>)>,
    under_way: bool,
    handing_over: Option<Ticket>,
}

impl Reign {
    fn deadline(&self, knobs: &Knobs) -> Instant {
        knobs.deadline(self.proof, self.alive, self.timeout)
    }

    /// Whether it is not about to give the lead away.
    fn holds_on(&self, knobs: &Knobs) -> bool {
        self.handing_over.is_none() || knobs.leads_while_handing_over
    }

    /// Whether its leader may act when its clock says so.
    pub(crate) fn may_act(&self, now: Instant, knobs: &Knobs) -> bool {
        !self.over && self.holds_on(knobs) && now < self.deadline(knobs)
    }
}

impl World {
    pub(crate) fn begin_reign(&mut self, master: usize, lock: u64, epoch: Epoch, sent: Instant) {
        self.note(|| format!("master {master} has won, epoch {epoch}"));
        let client = &self.masters[master].client;
        let (attached, alive) = (client.attached, client.known_alive(sent));
        let reign = Reign {
            epoch,
            lock,
            proof: sent,
            alive,
            timeout: self.zk.timeout,
            over: false,
            attached,
            version: None,
            loaded: false,
            writing: None,
            under_way: false,
            handing_over: None,
        };
        self.standing(master).reign = Some(reign);
        self.watch_deadline(master);
        self.client_asks(Owner::Master(master), Request::Look);
        self.client_asks(Owner::Master(master), Request::Load);
    }

    fn reign(&mut self, master: usize) -> Option<&mut Reign> {
        self.standing(master).reign.as_mut().filter(|reign| !reign.over)
    }

    /// What the leader may do now, by its own clock, and until when.
    pub(crate) fn leadership(&mut self, master: usize) -> Option<(LeadershipState, Instant)> {
        let now = self.clock_of(Owner::Master(master));
        let knobs = self.knobs;
        let resumes = self.masters[master].resumes;
        let reign = self.standing(master).reign.as_mut()?;
        let deadline = reign.deadline(&knobs);
        reign.over |= now >= deadline && !resumes;
        if !reign.holds_on(&knobs) && !reign.over {
            // From the moment in which it lets go it does not know whether it leads.
            return Some((LeadershipState::Suspended, now));
        }
        // A proof that takes so long shows that the service is out of reach.
        let overdue = now.saturating_since(reign.proof) > reign.timeout / 6 + reign.timeout / 5;
        let state = match reign {
            Reign { over: true, .. } => LeadershipState::Lost,
            Reign { attached: true, .. } if !overdue && now < deadline => LeadershipState::Leading,
            _ => LeadershipState::Suspended,
        };
        Some((state, deadline))
    }

    /// Its clock has to be looked at when its deadline is there.
    fn watch_deadline(&mut self, master: usize) {
        let Some((_, deadline)) = self.leadership(master) else { return };
        let (host, life) = (self.masters[master].host, self.masters[master].life);
        let delay = self.until(host, deadline);
        self.after(delay, Event::Master { master, life, news: MasterNews::Deadline });
    }

    /// With each sign of life a leader asks for a proof.
    pub(crate) fn reign_beats(&mut self, master: usize) {
        if let Some(reign) = self.reign(master).filter(|reign| reign.attached) {
            let (lock, epoch) = (reign.lock, reign.epoch);
            self.prove(master, lock, epoch);
        }
        self.look_at_leadership(master);
    }

    pub(crate) fn reign_proven(&mut self, master: usize, written: Written, sent: Instant) {
        let alive = self.masters[master].client.known_alive(sent);
        let Some(reign) = self.reign(master) else { return };
        let lock = reign.lock;
        match written {
            Written::NoLock => return self.reign_over(master, "its node is gone"),
            Written::BadVersion => return self.reign_over(master, "another one leads"),
            // It still leads; somebody has wiped what says so.
            Written::NotFound => {
                let epoch = reign.epoch;
                let info = info_of(master, epoch);
                self.client_writes(Owner::Master(master), Write::Publish { lock, info });
            }
            Written::Done | Written::Made(_) => {}
        }
        if let Some(reign) = self.reign(master) {
            reign.proof = reign.proof.max(sent);
            reign.alive = reign.alive.max(alive);
        }
        self.watch_deadline(master);
    }

    pub(crate) fn reign_attached(&mut self, master: usize, new: bool) {
        if new {
            self.reign_over(master, "its session is another one");
        }
        let Some(reign) = self.reign(master) else { return };
        reign.attached = true;
        reign.under_way = false;
        let (lock, epoch) = (reign.lock, reign.epoch);
        self.prove(master, lock, epoch);
        self.client_asks(Owner::Master(master), Request::Look);
        self.client_asks(Owner::Master(master), Request::Load);
    }

    pub(crate) fn reign_broken(&mut self, master: usize) {
        let Some(reign) = self.reign(master) else { return };
        reign.attached = false;
        // Whether what is under way was stored will be seen.
        reign.version = None;
        let writing = reign.writing.as_ref().map(|(number, _)| *number);
        if let Some(number) = writing.filter(|_| self.random.bool()) {
            self.store_fails(master, number, ErrorKind::Unavailable);
        }
        let Some(reign) = self.reign(master) else { return };
        if let Some(ticket) = reign.handing_over.take() {
            reign.over = true;
            self.handed_over(master, ticket, Err(Error::new(ErrorKind::Unavailable, "nobody knows")));
        }
    }

    /// Something has changed in the tree that a leader watches.
    pub(crate) fn reign_looks(&mut self, master: usize) {
        if let Some(reign) = self.reign(master) {
            let (lock, epoch) = (reign.lock, reign.epoch);
            self.prove(master, lock, epoch);
            self.client_asks(Owner::Master(master), Request::Look);
        }
    }

    pub(crate) fn reign_over(&mut self, master: usize, why: &str) {
        let Some(reign) = self.reign(master) else { return };
        reign.over = true;
        let epoch = reign.epoch;
        self.note(|| format!("master {master} of epoch {epoch} is deposed: {why}"));
    }

    pub(crate) fn loaded(&mut self, master: usize, tree: &Tree) {
        let Some(reign) = self.reign(master) else { return };
        if tree.state.as_ref().is_some_and(|(epoch, _)| *epoch > reign.epoch) {
            return self.reign_over(master, "a later reign has stored its state");
        }
        reign.version = Some(tree.state_version);
        if !core::mem::replace(&mut reign.loaded, true) {
            let epoch = reign.epoch;
            let state = tree.state.as_ref().map(|(_, state)| ClusterState::clone(state));
            self.begin_machine(master, epoch, state);
        }
        self.write_state(master);
    }

    pub(crate) fn store(&mut self, master: usize, number: u64, state: ClusterState) {
        let life = self.masters[master].life;
        let Some(reign) = self.reign(master) else {
            return self.stored(master, number, Err(ErrorKind::Fenced));
        };
        let state = Rc::new(state);
        reign.writing = Some((number, Rc::clone(&state)));
        let (lock, epoch) = (reign.lock, reign.epoch);
        if self.knobs.no_fencing && self.once_in(20) {
            // What is under way for long is taken whenever it comes.
            let delay = self.between(0, 6_000_000);
            let write = Write::Store { lock, version: 0, epoch, number, state };
            self.after(delay, Event::ZkTakes { write });
        }
        let limit = u64::try_from(self.zk.timeout.as_micros()).unwrap();
        self.after(limit, Event::Master { master, life, news: MasterNews::StoreOverdue { epoch, number } });
        // Now and then the write waits for its turn so long that the next leader has begun.
        if self.once_in(30) {
            let delay = self.between(0, 6_000_000);
            self.after(delay, Event::Master { master, life, news: MasterNews::StoreNow });
        } else {
            self.write_state(master);
        }
    }

    pub(crate) fn write_state(&mut self, master: usize) {
        let Some(reign) = self.reign(master).filter(|reign| reign.attached && !reign.under_way) else {
            return;
        };
        let (lock, epoch) = (reign.lock, reign.epoch);
        let (Some(version), Some((number, state))) = (reign.version, reign.writing.clone()) else { return };
        reign.under_way = true;
        self.client_writes(Owner::Master(master), Write::Store { lock, version, epoch, number, state });
    }

    pub(crate) fn store_overdue(&mut self, master: usize, epoch: Epoch, number: u64) {
        let standing = self.standing(master);
        if standing.reign.as_mut().is_some_and(|reign| reign.epoch == epoch) {
            self.store_fails(master, number, ErrorKind::Timeout);
        }
    }

    fn store_fails(&mut self, master: usize, number: u64, kind: ErrorKind) {
        let Some(reign) = self.standing(master).reign.as_mut() else { return };
        if reign.writing.take_if(|(writing, _)| *writing == number).is_some() {
            self.stored(master, number, Err(kind));
        }
    }

    fn stored(&mut self, master: usize, number: u64, result: Result<(), ErrorKind>) {
        let Some(machine) = &self.masters[master].machine else { return };
        let epoch = machine.epoch();
        let result = result.map_err(|kind| Error::new(kind, "the model says no"));
        self.feed(master, epoch, Input::Stored { version: number, result });
    }

    pub(crate) fn reign_wrote(&mut self, master: usize, write: Write, sent: Instant, written: Written) {
        match write {
            Write::Prove { .. } => self.proven(master, written, sent),
            Write::Store { lock, version, number, .. } => {
                let Some(reign) = self.reign(master).filter(|reign| reign.lock == lock) else { return };
                reign.under_way = false;
                let (result, now) = match written {
                    Written::Done => (Ok(()), Some(version + 1)),
                    Written::NoLock => (Err(ErrorKind::Fenced), None),
                    _ => (Err(ErrorKind::Unavailable), None),
                };
                reign.version = now;
                if written == Written::NoLock {
                    self.reign_over(master, "its node is gone, says the store");
                } else if now.is_none() {
                    self.client_asks(Owner::Master(master), Request::Load);
                }
                let Some(reign) = self.standing(master).reign.as_mut() else { return };
                if reign.writing.take_if(|(writing, _)| *writing == number).is_some() {
                    self.stored(master, number, result);
                }
                self.write_state(master);
            }
            Write::HandOver { lock, ticket, .. } => {
                let Some(reign) = self.reign(master).filter(|reign| reign.lock == lock) else { return };
                reign.handing_over = None;
                let result = match written {
                    Written::Done => Ok(()),
                    _ => Err(Error::new(ErrorKind::NotFound, "it is no live standby")),
                };
                if written == Written::Done {
                    self.standing(master).lock = None;
                    self.reign_over(master, "it has handed over");
                }
                self.handed_over(master, ticket, result);
            }
            _ => {}
        }
    }

    /// The engine hands over to that master, or to the first in line.
    pub(crate) fn hand_over(&mut self, master: usize, ticket: Ticket, to: Option<usize>) {
        let tree = Rc::clone(self.zk.tree());
        let own = self.standing(master).lock;
        let others = tree.locks.iter().filter(|(lock, _)| Some(**lock) != own);
        let chosen = match to {
            // What its earlier sessions have left may be there, too.
            Some(to) => others.filter(|(_, lock)| lock.master == to).max_by_key(|(sequence, _)| **sequence),
            None => others.min_by_key(|(sequence, lock)| (-lock.priority, **sequence)),
        };
        let chosen = chosen.map(|(lock, _)| *lock);
        match (self.reign(master).filter(|reign| reign.attached && reign.handing_over.is_none()), chosen) {
            (Some(reign), Some(to)) => {
                reign.handing_over = Some(ticket);
                let lock = reign.lock;
                self.client_writes(Owner::Master(master), Write::HandOver { lock, to, ticket });
            }
            (None, _) => self.handed_over(master, ticket, Err(Error::new(ErrorKind::Unavailable, "not now"))),
            (_, None) => {
                self.handed_over(master, ticket, Err(Error::new(ErrorKind::NotFound, "there is no standby")));
            }
        }
    }

    fn handed_over(&mut self, master: usize, ticket: Ticket, result: Result<(), Error>) {
        let response = match result {
            Ok(()) => Response::Done(Vec::new()),
            Err(error) => error.into(),
        };
        self.reply(master, ticket, &response);
    }
}
