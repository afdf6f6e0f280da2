//! Connections of clients, and what a node answers on them.

use super::{Answer, Conn, ConnId, Request, Session, Sid, Write, Written};
use crate::wires::Peer;
use crate::world::{Event, MS, Owner, World};
use alloc::collections::VecDeque;
use alloc::rc::Rc;

/// How often what cannot get through is tried again.
const AGAIN: (u64, u64) = (50 * MS, 300 * MS);

pub(super) const fn peer_of(client: Owner) -> Peer {
    match client {
        Owner::Master(master) => Peer::Master(master),
        Owner::Guard(master) => Peer::Guard(master),
        Owner::Server(pid) => Peer::Server(pid),
    }
}

impl World {
    pub(super) fn zk_connects(&mut self, client: Owner, life: u32, node: usize) -> ConnId {
        let id = self.serial();
        let conn = Conn {
            node,
            client,
            life,
            sid: None,
            watching: false,
            gone_for_client: false,
            gone_for_node: false,
            to_node: VecDeque::new(),
            to_client: VecDeque::new(),
            blocked: VecDeque::new(),
        };
        self.zk.conns.insert(id, conn);
        id
    }

    pub(super) fn zk_asks(&mut self, id: ConnId, request: Request) {
        let Some(conn) = self.zk.conns.get(&id) else { return };
        let delay = self.flight(peer_of(conn.client), Peer::Zk(conn.node));
        let now = self.now;
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        let at = conn.to_node.back().map_or(0, |(at, _)| at + 1).max(now + delay);
        conn.to_node.push_back((at, request));
        self.after(at - now, Event::ToZk { conn: id });
    }

    pub(super) fn zk_answers(&mut self, id: ConnId, answer: Answer) {
        let Some(conn) = self.zk.conns.get(&id) else { return };
        if conn.gone_for_client || conn.gone_for_node {
            return;
        }
        let delay = self.flight(Peer::Zk(conn.node), peer_of(conn.client));
        let now = self.now;
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        let at = conn.to_client.back().map_or(0, |(at, ..)| at + 1).max(now + delay);
        conn.to_client.push_back((at, self.zk.nodes[conn.node].tree.zxid, answer));
        self.after(at - now, Event::ToClient { conn: id });
    }

    /// The client has given the connection up. What it has sent before may still get through.
    pub(super) fn zk_leaves(&mut self, id: ConnId) {
        if let Some(conn) = self.zk.conns.get_mut(&id) {
            conn.gone_for_client = true;
            conn.to_client.clear();
        }
        self.zk_forgets(id);
    }

    pub(super) fn zk_closes(&mut self, id: ConnId, told: bool) {
        if told {
            self.zk_answers(id, Answer::Closed);
        }
        if let Some(conn) = self.zk.conns.get_mut(&id) {
            conn.gone_for_node = true;
            conn.to_node.clear();
            conn.blocked.clear();
        }
        self.zk_forgets(id);
    }

    fn zk_forgets(&mut self, id: ConnId) {
        let over = |conn: &Conn| {
            conn.gone_for_client && (conn.gone_for_node || conn.to_node.is_empty() && conn.blocked.is_empty())
        };
        if self.zk.conns.get(&id).is_some_and(over) {
            self.zk.conns.remove(&id);
        }
    }

    /// Something has come to a node.
    pub(crate) fn zk_receives(&mut self, id: ConnId) {
        let now = self.now;
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        let (node, client) = (conn.node, peer_of(conn.client));
        if conn.to_node.front().is_none_or(|(at, _)| *at > now) {
            return;
        }
        if !self.passes(client, Peer::Zk(node)) {
            let again = self.between(AGAIN.0, AGAIN.1);
            self.after(again, Event::ToZk { conn: id });
            return;
        }
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        let Some((_, request)) = conn.to_node.pop_front() else { return };
        if !conn.to_node.is_empty() {
            self.after(0, Event::ToZk { conn: id });
        }
        if !self.zk.serves(node) {
            self.zk_closes(id, true);
            return;
        }
        self.zk_takes(id, request);
        self.zk_forgets(id);
    }

    fn zk_takes(&mut self, id: ConnId, request: Request) {
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        if let Some(sid) = conn.sid {
            let node = conn.node;
            self.zk_touches(node, sid);
        }
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        if matches!(request, Request::Ping) {
            self.zk_answers(id, Answer::Pong);
        } else if !conn.blocked.is_empty() {
            // In the order in which they came, whatever the first one waits for.
            conn.blocked.push_back(request);
        } else if let Some(request) = self.zk_serves(id, request)
            && let Some(conn) = self.zk.conns.get_mut(&id)
        {
            conn.blocked.push_back(request);
        }
    }

    /// The leader can be reached again, perhaps.
    pub(super) fn zk_unblocks(&mut self, node: usize) {
        let quorum = self.leader_for(node).is_some_and(|leader| self.has_quorum(leader));
        if !quorum {
            return;
        }
        self.zk.nodes[node].outstanding = false;
        let waiting = self.zk.conns.iter().filter(|(_, conn)| conn.node == node && !conn.blocked.is_empty());
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            while let Some(request) = self.zk.conns.get_mut(&id).and_then(|conn| conn.blocked.pop_front()) {
                if let Some(request) = self.zk_serves(id, request) {
                    if let Some(conn) = self.zk.conns.get_mut(&id) {
                        conn.blocked.push_front(request);
                    }
                    break;
                }
            }
            self.zk_forgets(id);
        }
    }

    /// Does what is asked and answers; gives the request back if it has to wait.
    fn zk_serves(&mut self, id: ConnId, request: Request) -> Option<Request> {
        let conn = self.zk.conns.get_mut(&id)?;
        let (node, sid) = (conn.node, conn.sid);
        match (&request, sid) {
            (Request::Attach { sid: Some(sid), seen }, _) => {
                return self.zk_attaches(id, *sid, *seen, request);
            }
            (Request::Attach { sid: None, .. }, _) => {}
            // Whoever has moved on, or never was, has nothing to say here.
            (_, None) => return None,
            (_, Some(sid)) => {
                let unfenced = matches!(&request, Request::Write { write, .. } if self.knobs.unfenced(write));
                let moved = !unfenced && self.zk.sessions.get(&sid).is_none_or(|session| session.conn != id);
                // A node whose leader is one of the past has not heard of it.
                if moved && self.leader_for(node) == Some(self.zk.elected) {
                    self.zk_closes(id, true);
                    return None;
                }
            }
        }
        if let Request::Look = request {
            if let Some(conn) = self.zk.conns.get_mut(&id) {
                conn.watching = true;
            }
            let tree = Rc::clone(&self.zk.nodes[node].tree);
            self.zk_answers(id, Answer::Tree { tree, loaded: false });
            return None;
        }
        let Some(leader) = self.leader_for(node) else { return Some(request) };
        match request {
            Request::Load | Request::Sync { .. } | Request::Pulse { .. }
                if self.zk.nodes[leader].waits_for_others() =>
            {
                Some(request)
            }
            // The leading node answers by itself, even if it leads nobody any more.
            Request::Load => {
                let tree = Rc::clone(&self.zk.nodes[leader].tree);
                self.zk.nodes[node].tree = Rc::clone(&tree);
                self.zk_answers(id, Answer::Tree { tree, loaded: true });
                None
            }
            Request::Pulse { sent } => {
                self.zk_answers(id, Answer::Pulsed { sent });
                None
            }
            Request::Sync { lock, epoch, sent } => {
                let written = self.zk.nodes[leader].tree.verdict(lock, epoch, sid.unwrap_or_default());
                self.zk_answers(id, Answer::Synced { written, sent });
                None
            }
            _ if !self.has_quorum(leader) => {
                self.zk.nodes[leader].outstanding = true;
                Some(request)
            }
            Request::Write { write, sent } => {
                self.zk_writes(id, leader, write, sent);
                None
            }
            Request::Attach { .. } => {
                let sid = self.serial();
                self.zk.sessions.insert(sid, Session { expires: self.zk_expiry(), conn: id });
                self.zk_commit_write(node, leader, &Write::Session, sid);
                self.zk_attached(id, sid);
                None
            }
            Request::Ping | Request::Look => None,
        }
    }

    fn zk_attaches(&mut self, id: ConnId, sid: Sid, seen: u64, request: Request) -> Option<Request> {
        let node = self.zk.conns.get(&id)?.node;
        if self.zk.nodes[node].tree.zxid < seen {
            // This node has not seen what the client has.
            self.zk_closes(id, true);
            return None;
        }
        if self.leader_for(node) != Some(self.zk.elected) {
            return Some(request);
        }
        match self.zk.sessions.get_mut(&sid) {
            None => {
                self.zk_answers(id, Answer::Expired);
                self.zk_closes(id, false);
            }
            Some(session) => {
                let old = core::mem::replace(&mut session.conn, id);
                self.zk_closes(old, true);
                self.zk_attached(id, sid);
                // The leader is asked about the session, and so hears of it at once.
                let leader = self.zk.elected;
                self.zk_touches(leader, sid);
            }
        }
        None
    }

    fn zk_attached(&mut self, id: ConnId, sid: Sid) {
        if let Some(conn) = self.zk.conns.get_mut(&id) {
            conn.sid = Some(sid);
        }
        self.zk_answers(id, Answer::Attached { sid });
    }

    fn zk_commit_write(&mut self, node: usize, leader: usize, write: &Write, sid: Sid) -> Written {
        let unfenced = self.knobs.unfenced(write);
        let (tree, written) = self.zk.tree.apply(write, sid, unfenced);
        self.zk_commits(leader, tree);
        self.zk_installs(node);
        written
    }

    fn zk_writes(&mut self, id: ConnId, leader: usize, write: Write, sent: tangelo_core::Instant) {
        let Some(conn) = self.zk.conns.get(&id) else { return };
        let (node, Some(sid)) = (conn.node, conn.sid) else { return };
        let full = self.zk.full && matches!(write, Write::Store { .. });
        let written = if full { Written::NotFound } else { self.zk_commit_write(node, leader, &write, sid) };
        if written == Written::Done {
            self.saw_written(&write);
        }
        let forgotten = !self.calm && (self.zk.forgetful && self.random.bool() || self.once_in(200));
        if forgotten {
            self.stats().lost_answers += 1;
            self.zk_closes(id, true);
        } else {
            self.zk_answers(id, Answer::Written { write, sent, written });
        }
    }
}
