//! The nodes among themselves: commits, heartbeats, elections, the end of sessions.

use super::{Answer, ConnId, Node, Role, SYNC_LIMIT, Sid, TICK, Tree, Write, Zxid};
use crate::wires::Peer;
use crate::world::{Event, MS, Time, World};
use alloc::rc::Rc;
use core::mem;

impl World {
    fn nodes_meet(&self, a: usize, b: usize) -> bool {
        a == b || self.meet(Peer::Zk(a), Peer::Zk(b))
    }

    /// The node that leads this one, if it can be asked now.
    pub(super) fn leader_for(&self, node: usize) -> Option<usize> {
        let nodes = &self.zk.nodes;
        match nodes[node].role {
            Role::Leading => Some(node),
            Role::Following(l) => (nodes[l].role == Role::Leading && self.nodes_meet(node, l)).then_some(l),
            Role::Down | Role::Looking => None,
        }
    }

    /// Whether enough nodes would accept what this one proposes.
    pub(super) fn has_quorum(&self, leader: usize) -> bool {
        let followers = (0..self.zk.len())
            .filter(|&n| self.zk.nodes[n].role == Role::Following(leader) && self.nodes_meet(n, leader));
        followers.count() + 1 >= self.zk.majority()
    }

    /// The present leader commits.
    pub(super) fn zk_commits(&mut self, leader: usize, tree: Tree) {
        let zxid = tree.zxid;
        self.zk.tree = Rc::new(tree);
        self.zk_installs(leader);
        for node in 0..self.zk.len() {
            if self.zk.nodes[node].role == Role::Following(leader) {
                let delay = self.flight(Peer::Zk(leader), Peer::Zk(node));
                self.after(delay, Event::ZkApplies { node, zxid });
            }
        }
    }

    /// A follower hears of a commit; if it cannot be reached now it catches up later.
    pub(crate) fn zk_applies(&mut self, node: usize, zxid: Zxid) {
        if self.zk.nodes[node].tree.zxid < zxid && self.leader_for(node).is_some() {
            self.zk_installs(node);
        }
    }

    /// This node has all that is committed, and tells whoever watches.
    pub(super) fn zk_installs(&mut self, node: usize) {
        let tree = Rc::clone(&self.zk.tree);
        let there = &mut self.zk.nodes[node];
        let changed = there.tree.changes != tree.changes;
        there.tree = tree;
        if !changed {
            return;
        }
        let watching = self.zk.conns.iter_mut().filter(|(_, conn)| conn.node == node && conn.watching);
        let watching: Vec<ConnId> = watching
            .map(|(id, conn)| {
                conn.watching = false;
                *id
            })
            .collect();
        for conn in watching {
            self.zk_answers(conn, Answer::Changed);
        }
        self.tell_observers(node);
    }

    /// When a session ends of which the leader hears now: sessions end at ticks.
    pub(super) fn zk_expiry(&self) -> Time {
        let timeout = u64::try_from(self.zk.timeout.as_micros()).unwrap();
        ((self.now + timeout) / TICK + 1) * TICK
    }

    pub(super) fn zk_touches(&mut self, node: usize, sid: Sid) {
        let expires = self.zk_expiry();
        if self.zk.nodes[node].role != Role::Leading {
            self.zk.nodes[node].touched.insert(sid);
        } else if node == self.zk.elected
            && let Some(session) = self.zk.sessions.get_mut(&sid)
        {
            session.expires = expires;
        }
    }

    /// Twice a tick the leader asks its followers how they are.
    pub(crate) fn zk_beat(&mut self) {
        self.after(TICK / 2, Event::ZkBeat);
        self.zk.beats += 1;
        let full_tick = self.zk.beats.is_multiple_of(2);
        for node in 0..self.zk.len() {
            self.zk_node_beats(node, full_tick);
        }
        self.zk_joins();
        let present = self.zk_present();
        let looking = (0..self.zk.len()).filter(|&n| self.zk.nodes[n].role == Role::Looking).count();
        if present.is_none() && looking >= self.zk.majority() && !mem::replace(&mut self.zk.electing, true) {
            let delay = self.between(200 * MS, 900 * MS);
            self.after(delay, Event::ZkElects);
        }
    }

    /// The leader that can commit.
    fn zk_present(&self) -> Option<usize> {
        (0..self.zk.len()).find(|&n| self.zk.nodes[n].role == Role::Leading && self.has_quorum(n))
    }

    fn zk_node_beats(&mut self, node: usize, full_tick: bool) {
        let now = self.now;
        let stale = |heard: Time| now >= heard + SYNC_LIMIT;
        match self.zk.nodes[node].role {
            Role::Following(leader) => {
                if self.leader_for(node).is_some() {
                    self.zk.nodes[node].heard[leader] = now;
                    self.zk.nodes[leader].heard[node] = now;
                    for sid in mem::take(&mut self.zk.nodes[node].touched) {
                        self.zk_touches(leader, sid);
                    }
                    if self.has_quorum(leader) && self.zk.nodes[node].tree.zxid < self.zk.tree.zxid {
                        self.zk_installs(node);
                    }
                    self.zk_unblocks(node);
                } else if stale(self.zk.nodes[node].heard[leader]) {
                    self.zk_looks(node);
                }
            }
            Role::Leading => {
                let follows = |n: &&usize| self.zk.nodes[**n].role == Role::Following(node);
                let others: Vec<usize> = (0..self.zk.len()).filter(|n| *n != node).collect();
                let synced = others.iter().filter(|n| {
                    now <= self.zk.nodes[node].heard[**n] + SYNC_LIMIT
                        && (follows(n) || !self.nodes_meet(node, **n))
                });
                if full_tick && synced.count() + 1 < self.zk.majority() {
                    self.note(|| format!("zk {node} leads no longer"));
                    self.zk_looks(node);
                } else {
                    self.zk_unblocks(node);
                }
            }
            Role::Down | Role::Looking => {}
        }
    }

    /// It knows that it is on its own: nobody is served.
    fn zk_looks(&mut self, node: usize) {
        self.note(|| format!("zk {node} looks for a leader"));
        let there = &mut self.zk.nodes[node];
        there.role = Role::Looking;
        there.outstanding = false;
        there.touched.clear();
        self.zk_closes_all(node, true);
    }

    /// Nodes that look find the leader that others follow.
    fn zk_joins(&mut self) {
        let Some(leader) = self.zk_present() else { return };
        for node in 0..self.zk.len() {
            if self.zk.nodes[node].role == Role::Looking && self.nodes_meet(node, leader) {
                self.zk_follows(node, leader);
            }
        }
    }

    fn zk_follows(&mut self, node: usize, leader: usize) {
        let now = self.now;
        self.zk.nodes[node].role = Role::Following(leader);
        self.zk.nodes[node].heard[leader] = now;
        self.zk.nodes[leader].heard[node] = now;
        self.zk_installs(node);
    }

    pub(crate) fn zk_elects(&mut self) {
        self.zk.electing = false;
        let looking: Vec<usize> =
            (0..self.zk.len()).filter(|&n| self.zk.nodes[n].role == Role::Looking).collect();
        let Some(first) = self.choose(&looking) else { return };
        let party: Vec<usize> = looking.into_iter().filter(|&n| self.nodes_meet(first, n)).collect();
        if party.len() < self.zk.majority() || self.zk_present().is_some() {
            return;
        }
        self.note(|| format!("zk {first} leads {party:?}"));
        self.stats().zk_elections += 1;
        self.zk.nodes[first].role = Role::Leading;
        self.zk.elected = first;
        let expires = self.zk_expiry();
        self.zk.sessions.values_mut().for_each(|session| session.expires = expires);
        self.zk_installs(first);
        for node in party.into_iter().filter(|&n| n != first) {
            self.zk_follows(node, first);
        }
    }

    /// The leader ends the sessions of which it has not heard for too long.
    pub(crate) fn zk_expires(&mut self) {
        self.after(TICK, Event::ZkExpires);
        let Some(leader) = self.zk_present() else { return };
        let now = self.now;
        let over: Vec<Sid> =
            self.zk.sessions.iter().filter(|(_, s)| s.expires <= now).map(|(sid, _)| *sid).collect();
        for sid in over {
            self.zk_ends(leader, sid);
        }
    }

    fn zk_ends(&mut self, leader: usize, sid: Sid) {
        let Some(session) = self.zk.sessions.remove(&sid) else { return };
        self.note(|| format!("session {sid} expires"));
        self.stats().expiries += 1;
        let node = self.zk.conns.get(&session.conn).map(|conn| conn.node);
        if node.is_some_and(|node| self.leader_for(node) == Some(leader)) {
            self.zk_answers(session.conn, Answer::Expired);
        }
        let tree = self.zk.tree.without(sid);
        self.zk_commits(leader, tree);
    }

    /// Somebody ends a session by hand.
    pub(crate) fn end_session(&mut self, sid: Sid) {
        if let Some(leader) = self.zk_present() {
            self.zk_ends(leader, sid);
        }
    }

    /// A write that nobody has fenced off.
    pub(crate) fn zk_takes_late(&mut self, write: &Write) {
        if let Some(leader) = self.zk_present() {
            let (tree, _) = self.zk.tree.apply(write, 0, true);
            self.zk_commits(leader, tree);
        }
    }

    /// Somebody wipes `<path>` by hand.
    pub(crate) fn wipe_path(&mut self) {
        if let Some(leader) = self.zk_present() {
            let tree = self.zk.tree.wiped();
            self.zk_commits(leader, tree);
        }
    }

    /// The process of a node is killed; its peers and clients hear of it at once, unless its whole
    /// machine is gone.
    pub(crate) fn kill_zk_node(&mut self, node: usize, machine: bool, lasts: Time) {
        if self.zk.nodes[node].role == Role::Down {
            return;
        }
        self.note(|| format!("zk {node} is killed for {} ms", lasts / MS));
        self.stats().zk_kills += 1;
        let there = &mut self.zk.nodes[node];
        (there.role, there.outstanding) = (Role::Down, false);
        there.touched.clear();
        self.zk_closes_all(node, !machine);
        if !machine {
            for other in 0..self.zk.len() {
                if self.zk.nodes[other].role == Role::Following(node) && self.nodes_meet(node, other) {
                    self.zk_looks(other);
                }
            }
        }
        self.after(lasts, Event::ZkNodeBoots { node });
    }

    pub(crate) fn zk_node_boots(&mut self, node: usize) {
        if self.zk.nodes[node].role == Role::Down {
            self.note(|| format!("zk {node} boots"));
            self.zk.nodes[node].role = Role::Looking;
        }
    }

    fn zk_closes_all(&mut self, node: usize, told: bool) {
        for conn in
            self.zk.conns.iter().filter(|(_, c)| c.node == node).map(|(id, _)| *id).collect::<Vec<_>>()
        {
            self.zk_closes(conn, told);
        }
        self.observers_lose(node);
    }
}

impl Node {
    pub(super) const fn waits_for_others(&self) -> bool {
        self.outstanding
    }
}
