//! A model of a coordination service: sessions with leases, one leader at a time with an epoch
//! that grows, and a store that takes only what the present leader writes.

use crate::masters::Arrival;
use crate::network::Peer;
use crate::world::{Event, MS, SECOND, Time, World};
use tangelo_core::coordinator::{Epoch, LeaderInfo};
use tangelo_core::master::{ClusterState, Input};
use tangelo_core::{Error, ErrorKind};

/// How long a session outlives its last sign of life.
pub(crate) const LEASE: Time = 5 * SECOND;
/// How much earlier its leader stops.
const MARGIN: Time = 500 * MS;
/// How often a master gives a sign of life.
const RENEWAL: Time = SECOND;

#[derive(Default)]
pub(crate) struct Coordinator {
    /// Who may lead, first come first, with the end of each one's session.
    candidates: Vec<Candidate>,
    /// The master that leads, its life and its epoch.
    pub(crate) leader: Option<(usize, u32, Epoch)>,
    epoch: Epoch,
    pub(crate) published: Option<LeaderInfo>,
    pub(crate) state: Option<ClusterState>,
    /// Out of reach for everybody.
    pub(crate) down: bool,
    /// Stores fail.
    pub(crate) full: bool,
}

struct Candidate {
    master: usize,
    life: u32,
    expires: Time,
}

impl World {
    fn reaches_coordinator(&self, peer: Peer) -> bool {
        !self.coordinator.down && self.wires.reach(peer, Peer::Coordinator)
    }

    /// A master begins a session and wants to lead.
    pub(crate) fn campaign(&mut self, master: usize, life: u32) {
        self.after(0, Event::Renew { master, life });
    }

    /// A master gives its sign of life, and the next one later.
    pub(crate) fn renew(&mut self, master: usize, life: u32) {
        if !self.masters[master].lives(life) {
            return;
        }
        self.after(RENEWAL, Event::Renew { master, life });
        if self.masters[master].frozen {
            return;
        }
        let sent = self.now;
        let delay = self.between(1, 5 * MS);
        if !self.reaches_coordinator(Peer::Master(master)) {
            self.after(RENEWAL, Event::Arrive { master, life, arrival: Arrival::NoProof });
            return;
        }
        let expires = self.now + LEASE;
        let present = self.coordinator.candidates.iter_mut().find(|c| c.master == master && c.life == life);
        let arrival = match present {
            Some(candidate) => {
                candidate.expires = expires;
                Arrival::Proof { sent }
            }
            None if self.masters[master].machine.is_some() => Arrival::Expired,
            None => {
                self.coordinator.candidates.push(Candidate { master, life, expires });
                Arrival::Proof { sent }
            }
        };
        self.after(delay, Event::Arrive { master, life, arrival });
    }

    /// Ends the session of a master that is known to be dead, or that gives up.
    pub(crate) fn release(&mut self, master: usize, life: u32) {
        self.coordinator.candidates.retain(|c| c.master != master || c.life != life);
        self.elect();
    }

    /// Sessions end, and somebody leads.
    pub(crate) fn expire_sessions(&mut self) {
        if self.coordinator.down {
            // As in ZooKeeper, a service that is away ends no session, and all begin anew when it is back.
            let expires = self.now + LEASE;
            self.coordinator.candidates.iter_mut().for_each(|c| c.expires = c.expires.max(expires));
            return;
        }
        let now = self.now;
        self.coordinator.candidates.retain(|c| now < c.expires);
        self.elect();
    }

    fn elect(&mut self) {
        if self.coordinator.down {
            return;
        }
        let candidates = &self.coordinator.candidates;
        if let Some((master, life, _)) = self.coordinator.leader {
            if candidates.iter().any(|c| c.master == master && c.life == life) {
                return;
            }
            self.coordinator.leader = None;
        }
        let Some(next) = candidates.first() else { return };
        let (master, life) = (next.master, next.life);
        self.coordinator.epoch.0 += 1;
        let epoch = self.coordinator.epoch;
        self.coordinator.leader = Some((master, life, epoch));
        self.checker.stats.reigns += 1;
        self.note(|| format!("master {master} is elected, epoch {epoch}"));
        let state = self.coordinator.state.clone();
        let delay = self.between(1, 20 * MS);
        let arrival = Arrival::Elected { epoch, state };
        self.after(delay, Event::Arrive { master, life, arrival });
    }

    /// The moment until which a master may lead whose sign of life was sent then.
    pub(crate) const fn deadline(&self, sent: Time) -> Time {
        if self.knobs.no_deadline { Time::MAX / 2 } else { sent + LEASE - MARGIN }
    }

    pub(crate) fn publish(&mut self, master: usize, epoch: Epoch) {
        if self.coordinator.leader.is_none_or(|(_, _, leading)| leading != epoch) {
            return;
        }
        let port = u16::try_from(master).unwrap();
        self.coordinator.published =
            Some(LeaderInfo { id: format!("m{master}"), host: "h".into(), port, epoch });
        for pid in self.processes.keys().copied().collect::<Vec<_>>() {
            let delay = self.between(1, 200 * MS);
            self.after(delay, Event::Observe { pid });
        }
    }

    pub(crate) fn can_observe(&self, peer: Peer) -> bool {
        self.reaches_coordinator(peer)
    }

    pub(crate) fn store_arrives(
        &mut self,
        master: usize,
        life: u32,
        epoch: Epoch,
        version: u64,
        state: ClusterState,
    ) {
        let leads =
            self.knobs.no_fencing || self.coordinator.leader.is_some_and(|(_, _, leading)| leading == epoch);
        let error = |kind| Err(Error::new(kind, "the model says no"));
        let result = if self.coordinator.full || !self.reaches_coordinator(Peer::Master(master)) {
            error(ErrorKind::Unavailable)
        } else if !leads {
            error(ErrorKind::Fenced)
        } else {
            self.coordinator.state = Some(state);
            // The answer may get lost on its way.
            if self.once_in(40) { error(ErrorKind::Timeout) } else { Ok(()) }
        };
        let delay = self.between(1, 10 * MS);
        let arrival = Arrival::Input { epoch, input: Input::Stored { version, result } };
        self.after(delay, Event::Arrive { master, life, arrival });
    }
}
