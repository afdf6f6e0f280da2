//! What lies between machines and processes: it may be cut, one way or both, and it may be slow.

use crate::world::{MS, Time, World};

/// Who has a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    /// A node of the coordination service, on a machine of its own.
    Zk(usize),
    /// Everything on that machine.
    Host(usize),
    Master(usize),
    Guard(usize),
    Server(u32),
}

/// The wires that are cut, each from one to the other, and the machines that are slow to reach.
#[derive(Default)]
pub(crate) struct Wires {
    cut: Vec<(Peer, Peer)>,
    slow: Vec<(Peer, Time)>,
}

impl Wires {
    pub(crate) fn cut(&mut self, from: Peer, to: Peer) {
        self.cut.push((from, to));
    }

    pub(crate) fn mend(&mut self, from: Peer, to: Peer) {
        if let Some(index) = self.cut.iter().position(|cut| *cut == (from, to)) {
            self.cut.swap_remove(index);
        }
    }

    pub(crate) fn slow_down(&mut self, peer: Peer, most: Time) {
        self.slow.push((peer, most));
    }

    pub(crate) fn speed_up(&mut self, peer: Peer) {
        if let Some(index) = self.slow.iter().position(|(slow, _)| *slow == peer) {
            self.slow.swap_remove(index);
        }
    }
}

impl World {
    /// The machine on which a peer lives, as a peer.
    fn place(&self, peer: Peer) -> Peer {
        match peer {
            Peer::Zk(_) | Peer::Host(_) => peer,
            Peer::Master(master) => Peer::Host(self.masters[master].host),
            Peer::Guard(guard) => Peer::Host(self.guards[guard].host),
            Peer::Server(pid) => Peer::Host(self.processes.get(&pid).map_or(0, |process| process.host)),
        }
    }

    /// Whether what one sends can get to the other now.
    pub(crate) fn passes(&self, from: Peer, to: Peer) -> bool {
        let (here, there) = (self.place(from), self.place(to));
        for place in [here, there] {
            if matches!(place, Peer::Host(host) if !self.hosts[host].up) {
                return false;
            }
        }
        let hit = |cut: Peer, end: Peer, place: Peer| cut == end || here != there && cut == place;
        !self.wires.cut.iter().any(|(a, b)| hit(*a, from, here) && hit(*b, to, there))
    }

    /// Whether the two can talk.
    pub(crate) fn meet(&self, a: Peer, b: Peer) -> bool {
        self.passes(a, b) && self.passes(b, a)
    }

    /// How long a packet takes.
    pub(crate) fn flight(&mut self, from: Peer, to: Peer) -> Time {
        let (here, there) = (self.place(from), self.place(to));
        let slow = self.wires.slow.iter().filter(|(peer, _)| here != there && [here, there].contains(peer));
        let most = slow.map(|(_, most)| *most).sum::<Time>();
        self.between(20, 2 * MS + most)
    }
}
