//! Links: ordered streams both ways that delay, fall silent and break.

use crate::masters::Arrival;
use crate::world::{Event, MS, SECOND, Time, World};
use alloc::collections::VecDeque;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::{Input, LinkId};
use tangelo_core::member;
use tangelo_core::wire::Message;

/// The silence after which a side gives a link up.
const PATIENCE: Time = 6 * SECOND;
/// How often what cannot be delivered is tried again.
const AGAIN: Time = 50 * MS;

/// Who has a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Coordinator,
    Master(usize),
    Server(u32),
}

/// The wires that are cut.
#[derive(Default)]
pub(crate) struct Wires(Vec<(Peer, Peer)>);

impl Wires {
    pub(crate) fn cut(&mut self, a: Peer, b: Peer) {
        self.0.push((a, b));
    }

    pub(crate) fn mend(&mut self, a: Peer, b: Peer) {
        if let Some(index) = self.0.iter().position(|cut| *cut == (a, b)) {
            self.0.remove(index);
        }
    }

    pub(crate) fn reach(&self, a: Peer, b: Peer) -> bool {
        !self.0.iter().any(|cut| *cut == (a, b) || *cut == (b, a))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Master,
    Peer,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Master => Self::Peer,
            Self::Peer => Self::Master,
        }
    }
}

/// A link between a master, in one of its reigns, and a server or a standby.
pub(crate) struct Link {
    pub(crate) master: usize,
    pub(crate) life: u32,
    pub(crate) epoch: Epoch,
    pub(crate) peer: Peer,
    ends: [End; 2],
}

#[derive(Default)]
struct End {
    closed: bool,
    heard: Time,
    /// What is on its way to this end; `None`: the other end is gone.
    coming: VecDeque<(Time, Option<Message>)>,
}

impl World {
    pub(crate) fn open_link(&mut self, master: usize, epoch: Epoch, peer: Peer) -> u64 {
        let id = self.serial();
        let life = self.masters[master].life;
        let end = || End { heard: self.now, ..End::default() };
        self.links.insert(id, Link { master, life, epoch, peer, ends: [end(), end()] });
        id
    }

    /// Sends a message (or that this end is gone) to the other end.
    pub(crate) fn send(&mut self, link: u64, to: Side, message: Option<Message>) {
        let delay = self.between(20, 2 * MS);
        let Some(open) = self.links.get_mut(&link) else { return };
        let (from_closed, end) = match to {
            Side::Master => (open.ends[1].closed, &mut open.ends[0]),
            Side::Peer => (open.ends[0].closed, &mut open.ends[1]),
        };
        if from_closed || end.closed {
            return;
        }
        let earliest = end.coming.back().map_or(0, |(at, _)| at + 1);
        let at = earliest.max(self.now + delay);
        end.coming.push_back((at, message));
        self.after(at - self.now, Event::Deliver { link, to });
    }

    /// One side closes; the other hears of it if it can.
    pub(crate) fn close_link(&mut self, link: u64, side: Side) {
        self.send(link, side.other(), None);
        if let Some(open) = self.links.get_mut(&link) {
            open.ends[side as usize].closed = true;
            open.ends[side as usize].coming.clear();
        }
        self.bury(link);
    }

    fn bury(&mut self, link: u64) {
        if self.links.get(&link).is_some_and(|open| open.ends.iter().all(|end| end.closed)) {
            self.links.remove(&link);
        }
    }

    pub(crate) fn links_of_master(&self, master: usize) -> Vec<u64> {
        let of_it = self.links.iter().filter(|(_, link)| link.master == master && !link.ends[0].closed);
        of_it.map(|(id, _)| *id).collect()
    }

    fn runs(&self, peer: Peer) -> bool {
        match peer {
            Peer::Coordinator => true,
            Peer::Master(master) => self.masters[master].alive && !self.masters[master].frozen,
            Peer::Server(pid) => self.processes.get(&pid).is_some_and(|p| p.alive && !p.frozen),
        }
    }

    /// What has arrived is read, unless the wire is cut or the reader sleeps.
    pub(crate) fn deliver(&mut self, link: u64, to: Side) {
        let Some(open) = self.links.get_mut(&link) else { return };
        let (master, peer) = (Peer::Master(open.master), open.peer);
        let now = self.now;
        let waiting = open.ends[to as usize].coming.front().is_some_and(|(at, _)| *at <= now);
        if !waiting {
            return;
        }
        let reader = if to == Side::Master { master } else { peer };
        if !self.wires.reach(master, peer) || !self.runs(reader) {
            self.after(AGAIN, Event::Deliver { link, to });
            return;
        }
        let Some(open) = self.links.get_mut(&link) else { return };
        let Some((_, message)) = open.ends[to as usize].coming.pop_front() else { return };
        if !open.ends[to as usize].coming.is_empty() {
            self.after(0, Event::Deliver { link, to });
        }
        match message {
            Some(message) => self.read(link, to, message),
            None => self.lost(link, to, false),
        }
    }

    fn read(&mut self, link: u64, to: Side, message: Message) {
        let Some(open) = self.links.get(&link) else { return };
        let (master, life, epoch) = (open.master, open.life, open.epoch);
        match (to, open.peer) {
            (Side::Master, _) => {
                let input = Input::Member { link: LinkId(link), message };
                self.arrive(master, life, Arrival::Input { epoch, input });
            }
            (Side::Peer, Peer::Server(pid)) => self.server_reads(pid, link, message),
            (Side::Peer, Peer::Master(standby)) => {
                if matches!(message, Message::Stop { .. }) {
                    self.master_exits(standby);
                }
            }
            (Side::Peer, Peer::Coordinator) => {}
        }
    }

    /// A side finds the link gone, or silent for too long.
    fn lost(&mut self, link: u64, side: Side, silent: bool) {
        let Some(open) = self.links.get_mut(&link) else { return };
        let (master, life, epoch, peer) = (open.master, open.life, open.epoch, open.peer);
        open.ends[side as usize].closed = true;
        open.ends[side as usize].coming.clear();
        match (side, peer) {
            (Side::Master, _) => {
                let input = Input::LinkClosed { link: LinkId(link), silent };
                self.arrive(master, life, Arrival::Input { epoch, input });
            }
            (Side::Peer, Peer::Server(pid)) => {
                if let Some(process) = self.processes.get_mut(&pid).filter(|p| p.link == Some(link)) {
                    process.link = None;
                    self.process_hears(pid, member::Input::Disconnected);
                }
            }
            _ => {}
        }
        self.bury(link);
    }

    /// Heartbeats, and sessions.
    pub(crate) fn beat(&mut self) {
        self.after(500 * MS, Event::Beat);
        self.expire_sessions();
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get(&id) else { continue };
            let (master, peer) = (Peer::Master(link.master), link.peer);
            let awake = [self.runs(master), self.runs(peer)];
            let hears = awake[0] && awake[1] && self.wires.reach(master, peer);
            let hears = hears && link.ends.iter().all(|end| !end.closed);
            for (side, awake) in [Side::Master, Side::Peer].into_iter().zip(awake) {
                let now = self.now;
                let Some(link) = self.links.get_mut(&id) else { continue };
                let end = &mut link.ends[side as usize];
                // Its own sleep is not held against the other side.
                if hears || !awake {
                    end.heard = now;
                } else if !end.closed && now > end.heard + PATIENCE {
                    self.note(|| format!("link {id} is silent for its {side:?}"));
                    self.send(id, side.other(), None);
                    self.lost(id, side, true);
                }
            }
        }
    }
}
