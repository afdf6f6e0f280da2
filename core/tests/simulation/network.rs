//! Links: ordered streams both ways that delay, fall silent and break.

use crate::masters::MasterNews;
use crate::wires::Peer;
use crate::world::{Event, MS, Owner, SECOND, Time, World};
use alloc::collections::VecDeque;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::{Input, LinkId};
use tangelo_core::member;
use tangelo_core::wire::Message;

/// The silence after which a side gives a link up.
const PATIENCE: Time = 6 * SECOND;
/// How soon what cannot be delivered is tried again, at least and at most.
const AGAIN: (Time, Time) = (50 * MS, 300 * MS);

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
        let Some(open) = self.links.get(&link) else { return };
        if open.ends.iter().any(|end| end.closed) {
            return;
        }
        let (master, peer) = (Peer::Master(open.master), open.peer);
        let delay = if to == Side::Master { self.flight(peer, master) } else { self.flight(master, peer) };
        let now = self.now;
        let Some(open) = self.links.get_mut(&link) else { return };
        let end = &mut open.ends[to as usize];
        let at = end.coming.back().map_or(0, |(at, _)| at + 1).max(now + delay);
        end.coming.push_back((at, message));
        self.after(at - now, Event::Deliver { link, to });
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

    pub(crate) fn reader(&self, link: u64, to: Side) -> Option<Owner> {
        let open = self.links.get(&link)?;
        match (to, open.peer) {
            (Side::Master, _) => Some(Owner::Master(open.master)),
            (Side::Peer, Peer::Server(pid)) => Some(Owner::Server(pid)),
            (Side::Peer, Peer::Master(standby)) => Some(Owner::Master(standby)),
            (Side::Peer, _) => None,
        }
    }

    fn runs(&self, owner: Owner) -> bool {
        let alive = match owner {
            Owner::Master(master) => self.masters[master].alive,
            Owner::Server(pid) => self.processes.get(&pid).is_some_and(|process| process.alive),
            Owner::Guard(_) => true,
        };
        alive && !self.is_frozen(owner)
    }

    /// What has arrived is read, unless the wire is cut.
    pub(crate) fn deliver(&mut self, link: u64, to: Side) {
        let now = self.now;
        let Some(open) = self.links.get(&link) else { return };
        let (master, peer) = (Peer::Master(open.master), open.peer);
        if open.ends[to as usize].coming.front().is_none_or(|(at, _)| *at > now) {
            return;
        }
        if !(if to == Side::Master { self.passes(peer, master) } else { self.passes(master, peer) }) {
            let again = self.between(AGAIN.0, AGAIN.1);
            return self.after(again, Event::Deliver { link, to });
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
                self.master_hears(master, life, MasterNews::Input { epoch, input });
            }
            (Side::Peer, Peer::Server(pid)) => self.server_reads(pid, link, message),
            (Side::Peer, Peer::Master(standby)) => {
                if matches!(message, Message::Stop { .. }) && self.masters[standby].alive {
                    self.masters[standby].gone = true;
                    self.master_exits(standby);
                }
            }
            (Side::Peer, _) => {}
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
                self.tell_master(master, life, 0, epoch, input);
            }
            (Side::Peer, Peer::Server(pid)) => {
                if let Some(process) = self.processes.get_mut(&pid).filter(|p| p.link == Some(link)) {
                    process.link = None;
                    self.agent_hears(pid, member::Input::Disconnected);
                }
            }
            _ => {}
        }
        self.bury(link);
    }

    /// What was on its way is lost, and both ends find out.
    pub(crate) fn reset_link(&mut self, link: u64) {
        let Some(open) = self.links.get_mut(&link) else { return };
        for end in &mut open.ends {
            end.coming.clear();
            end.coming.push_back((0, None));
        }
        for to in [Side::Master, Side::Peer] {
            let delay = self.between(0, 50 * MS);
            self.after(delay, Event::Deliver { link, to });
        }
    }

    /// Heartbeats.
    pub(crate) fn beat(&mut self) {
        self.after(500 * MS, Event::Beat);
        self.check_observers();
        let now = self.now;
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let (Some(reader), Some(other)) = (self.reader(id, Side::Master), self.reader(id, Side::Peer))
            else {
                continue;
            };
            let awake = [self.runs(reader), self.runs(other)];
            let Some(link) = self.links.get(&id) else { continue };
            let (master, peer) = (Peer::Master(link.master), link.peer);
            let open = link.ends.iter().all(|end| !end.closed) && awake[0];
            // The master beats, the other side answers.
            let pings = open && self.passes(master, peer);
            let hears = [pings && awake[1] && self.passes(peer, master), pings];
            for (n, side) in [Side::Master, Side::Peer].into_iter().enumerate() {
                let Some(link) = self.links.get_mut(&id) else { continue };
                let end = &mut link.ends[n];
                // Its own sleep is not held against the other side.
                if hears[n] || !awake[n] {
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
