//! What ZooKeeper holds for a cluster, and how a write changes it: all or nothing, in one step.

use super::{Sid, Zxid};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use tangelo_core::coordinator::{Epoch, LeaderInfo};
use tangelo_core::master::{ClusterState, Ticket};

/// The tree, in one of its states.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    pub(crate) zxid: Zxid,
    /// Counts what clients watch.
    pub(crate) changes: u64,
    /// `<path>`: its data version, who is named in it, and the epoch that stands there.
    pub(crate) version: u64,
    pub(crate) named: Option<Named>,
    pub(crate) epoch: Epoch,
    pub(crate) successor: Option<u64>,
    /// `<path>/lock`, by sequence.
    pub(crate) locks: BTreeMap<u64, Lock>,
    sequence: u64,
    /// `<path>/state`, with the epoch in its header and its data version.
    pub(crate) state: Option<(Epoch, Rc<ClusterState>)>,
    pub(crate) state_version: u64,
}

/// The leader, as it is published.
#[derive(Clone)]
pub(crate) struct Named {
    pub(crate) info: LeaderInfo,
    pub(crate) lock: u64,
}

/// A candidate's node.
#[derive(Clone)]
pub(crate) struct Lock {
    pub(crate) owner: Sid,
    pub(crate) master: usize,
    pub(crate) priority: i32,
    pub(crate) nonce: u64,
}

#[derive(Clone)]
pub(crate) enum Write {
    Session,
    Stand {
        master: usize,
        priority: i32,
        nonce: u64,
    },
    /// Proves that the session lives, by changing something.
    Prove {
        lock: u64,
        epoch: Epoch,
    },
    /// If the version of `<path>` is that one.
    Win {
        lock: u64,
        version: u64,
        epoch: Epoch,
        info: LeaderInfo,
    },
    /// A leader finds that `<path>` names nobody who lives.
    Publish {
        lock: u64,
        info: LeaderInfo,
    },
    Store {
        lock: u64,
        version: u64,
        epoch: Epoch,
        number: u64,
        state: Rc<ClusterState>,
    },
    Resign {
        lock: u64,
    },
    HandOver {
        lock: u64,
        to: u64,
        ticket: Ticket,
    },
    /// Removes a lock node, if that session owns it.
    Delete {
        lock: u64,
        owner: Sid,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    Done,
    /// The number of the new node.
    Made(u64),
    /// The lock node is gone, or not the writer's.
    NoLock,
    BadVersion,
    /// Nothing is there.
    NotFound,
}

impl Tree {
    /// The leader, if its lock lives.
    pub(crate) fn leader(&self) -> Option<(&Named, &Lock)> {
        let named = self.named.as_ref()?;
        Some((named, self.locks.get(&named.lock)?))
    }

    /// How many go first if nobody leads: the chosen successor, then the higher priority, then who came first.
    pub(crate) fn rank(&self, lock: u64) -> u64 {
        let place =
            |(sequence, lock): (&u64, &Lock)| (Some(*sequence) != self.successor, -lock.priority, *sequence);
        let Some(own) = self.locks.get_key_value(&lock).map(place) else { return 0 };
        u64::try_from(self.locks.iter().filter(|other| place((other.0, other.1)) < own).count()).unwrap()
    }

    /// The tree after this write, and what the writer hears.
    pub(super) fn apply(&self, write: &Write, by: Sid, unfenced: bool) -> (Self, Written) {
        let mut tree = self.clone();
        tree.zxid += 1;
        let written = tree.write(write, by, unfenced);
        (tree, written)
    }

    fn holds(&self, lock: u64, by: Sid) -> bool {
        self.locks.get(&lock).is_some_and(|lock| lock.owner == by)
    }

    /// Whether this lock leads: `BadVersion` if another one does or did later, `NotFound` if nobody is named.
    pub(super) fn verdict(&self, lock: u64, epoch: Epoch, by: Sid) -> Written {
        match (&self.named, self.leader()) {
            _ if !self.holds(lock, by) => Written::NoLock,
            _ if self.epoch > epoch => Written::BadVersion,
            (Some(named), _) if named.lock == lock => Written::Done,
            (_, Some(_)) => Written::BadVersion,
            (_, None) => Written::NotFound,
        }
    }

    fn write(&mut self, write: &Write, by: Sid, unfenced: bool) -> Written {
        match write {
            Write::Session => Written::Done,
            Write::Stand { master, priority, nonce } => {
                self.sequence += 1;
                let (master, priority, nonce) = (*master, *priority, *nonce);
                self.locks.insert(self.sequence, Lock { owner: by, master, priority, nonce });
                self.changes += 1;
                Written::Made(self.sequence)
            }
            Write::Delete { lock, owner } => {
                if self.locks.get(lock).is_none_or(|lock| lock.owner != *owner) {
                    return Written::NotFound;
                }
                self.remove(*lock);
                Written::Done
            }
            Write::Store { lock, .. } if !self.holds(*lock, by) && !unfenced => Written::NoLock,
            Write::Store { version, epoch, state, .. } => {
                if self.state_version != *version && !unfenced {
                    return Written::BadVersion;
                }
                self.state = Some((*epoch, Rc::clone(state)));
                self.state_version += 1;
                Written::Done
            }
            Write::Prove { lock, .. } | Write::Win { lock, .. } | Write::Publish { lock, .. }
                if !self.holds(*lock, by) =>
            {
                Written::NoLock
            }
            Write::Prove { lock, epoch } => self.verdict(*lock, *epoch, by),
            Write::Win { version, .. } if self.version != *version && !unfenced => Written::BadVersion,
            Write::Win { lock, epoch, info, .. } => {
                self.epoch = *epoch;
                self.name(*lock, info);
                Written::Done
            }
            Write::Publish { lock, info } => {
                if self.leader().is_some() || self.epoch > info.epoch {
                    return Written::BadVersion;
                }
                self.epoch = info.epoch;
                self.name(*lock, info);
                Written::Done
            }
            Write::Resign { lock } => {
                if !self.holds(*lock, by) {
                    return Written::NoLock;
                }
                self.step_down(*lock, None);
                Written::Done
            }
            Write::HandOver { lock, to, .. } => {
                if !self.holds(*lock, by) {
                    return Written::NoLock;
                }
                if to == lock || !self.locks.contains_key(to) {
                    return Written::NotFound;
                }
                self.step_down(*lock, Some(*to));
                Written::Done
            }
        }
    }

    fn name(&mut self, lock: u64, info: &LeaderInfo) {
        self.named = Some(Named { info: info.clone(), lock });
        self.successor = None;
        self.touch_path();
    }

    const fn touch_path(&mut self) {
        self.version += 1;
        self.changes += 1;
    }

    fn step_down(&mut self, lock: u64, successor: Option<u64>) {
        self.remove(lock);
        if self.named.as_ref().is_some_and(|named| named.lock == lock) {
            self.named = None;
            self.successor = successor;
            self.touch_path();
        }
    }

    fn remove(&mut self, lock: u64) {
        self.locks.remove(&lock);
        self.changes += 1;
    }

    /// A session ends, and all its nodes with it.
    pub(super) fn without(&self, sid: Sid) -> Self {
        let mut tree = self.clone();
        tree.zxid += 1;
        let before = tree.locks.len();
        tree.locks.retain(|_, lock| lock.owner != sid);
        tree.changes += u64::from(tree.locks.len() < before);
        tree
    }

    /// Somebody empties `<path>`.
    pub(super) fn wiped(&self) -> Self {
        let mut tree = self.clone();
        tree.zxid += 1;
        tree.named = None;
        tree.successor = None;
        tree.epoch = Epoch(0);
        tree.touch_path();
        tree
    }
}
