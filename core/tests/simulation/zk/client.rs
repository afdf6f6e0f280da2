//! A client: it keeps a session over connections that come and go, and gives up in time.

use super::requests::peer_of;
use super::{Answer, ConnId, Request, Sid, Write, Zxid};
use crate::guards::GuardNews;
use crate::masters::MasterNews;
use crate::wires::Peer;
use crate::world::{Event, MS, Owner, Time, World};
use alloc::collections::VecDeque;
use core::time::Duration;
use tangelo_core::Instant;

/// So many answers within `relay` are remembered.
const MEMORY: u32 = 8;

/// A session of a process.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) life: u32,
    timeout: Duration,
    pub(crate) sid: Option<Sid>,
    conn: Option<ConnId>,
    pub(crate) attached: bool,
    heard: Instant,
    opened: Instant,
    seen: Zxid,
    generation: u64,
    /// When the requests were sent that went through the leading node, in time and without a gap, oldest first.
    chain: VecDeque<Instant>,
    /// When it asked for its session on this connection.
    confirmed: Instant,
}

/// What a client's owner hears of it.
pub(crate) enum ClientNews {
    /// It is connected, with the session that it had or with a new one.
    Attached {
        new: bool,
    },
    /// What was under way may have been done or not.
    Broken,
    Expired,
    Answer(Answer),
}

impl Client {
    pub(crate) fn new(life: u32, timeout: Duration) -> Self {
        Self { life, timeout, ..Self::default() }
    }

    /// How often it gives a sign of life.
    fn pulse(&self) -> Time {
        u64::try_from(self.timeout.as_micros()).unwrap() / 6
    }

    /// After this silence it looks for another node.
    fn silence(&self) -> Duration {
        self.timeout * 2 / 5
    }

    /// And after this one it takes its session for ended.
    fn despair(&self) -> Duration {
        self.timeout * 7 / 5
    }

    /// Half a tick, which is not more than a quarter of a session, and a little more.
    fn relay(&self) -> Duration {
        self.timeout * 3 / 10
    }

    /// What goes through the leading node later than that shows that something was stuck.
    fn gap(&self) -> Duration {
        self.timeout / 5
    }

    /// A request that was sent then has been through the leading node, and its answer is here.
    fn has_been_there(&mut self, sent: Instant, now: Instant) {
        let stuck = now.saturating_since(sent) > self.gap();
        if stuck || self.chain.back().is_some_and(|last| sent.saturating_since(*last) > self.gap()) {
            self.chain.clear();
        }
        let news = self.chain.back().is_none_or(|last| *last + self.relay() / MEMORY <= sent);
        if news && !stuck {
            self.chain.push_back(sent);
        }
        if self.chain.len() > 2 * usize::try_from(MEMORY).unwrap() {
            self.chain.pop_front();
        }
    }

    /// The latest sign of life of which ZooKeeper's leader knows for sure, by an answer to a write that
    /// was sent then.
    ///
    /// The write itself is none, unless this node is the leader. A follower passes on of whom it has heard
    /// only when its leader asks, twice a tick. As long as one request after the other goes through
    /// both of them in time, so do their questions and answers; so of each but the last few the leader knows.
    /// After a silence, or when something got stuck, that begins anew. When a session is made, or found
    /// again by a new connection, the leader itself is asked.
    pub(crate) fn known_alive(&self, written: Instant) -> Instant {
        let passed_on = |sent: &&Instant| **sent + self.relay() <= written;
        self.chain.iter().rev().find(passed_on).copied().unwrap_or_default().max(self.confirmed)
    }
}

impl World {
    fn client(&mut self, owner: Owner) -> Option<&mut Client> {
        match owner {
            Owner::Master(master) => Some(&mut self.masters[master].client),
            Owner::Guard(guard) => Some(&mut self.guards[guard].client),
            Owner::Server(_) => None,
        }
    }

    pub(crate) fn client_asks(&mut self, owner: Owner, request: Request) {
        if let Some(Client { attached: true, conn: Some(conn), .. }) = self.client(owner) {
            let conn = *conn;
            self.zk_asks(conn, request);
        }
    }

    pub(crate) fn client_writes(&mut self, owner: Owner, write: Write) {
        let sent = self.clock_of(owner);
        self.client_asks(owner, Request::Write { write, sent });
    }

    /// Time has passed for a client.
    pub(crate) fn client_beats(&mut self, owner: Owner, generation: u64) {
        let now = self.clock_of(owner);
        let Some(client) = self.client(owner).filter(|client| client.generation == generation) else {
            return;
        };
        let silent = |since: Instant, limit: Duration| now.saturating_since(since) > limit;
        let (conn, attached, pulse) = (client.conn, client.attached, client.pulse());
        if conn.is_some() && silent(if attached { client.heard } else { client.opened }, client.silence()) {
            self.client_breaks(owner);
        } else if conn.is_some() && attached {
            self.client_asks(owner, Request::Ping);
            if let Owner::Master(_) = owner {
                self.client_asks(owner, Request::Pulse { sent: now });
            }
        }
        if let Some(client) = self.client(owner)
            && client.sid.is_some()
            && silent(client.heard, client.despair())
        {
            client.sid = None;
            self.client_breaks(owner);
            self.client_tells(owner, ClientNews::Expired);
        }
        if self.client(owner).is_some_and(|client| client.conn.is_none()) {
            self.client_opens(owner);
        }
        self.client_waits(owner, pulse);
    }

    /// The next sign of life is due then.
    pub(crate) fn client_waits(&mut self, owner: Owner, delay: Time) {
        let Some(client) = self.client(owner) else { return };
        client.generation += 1;
        let (life, generation) = (client.life, client.generation);
        let delay = delay + self.between(0, delay / 16);
        let event = match owner {
            Owner::Master(master) => Event::Master { master, life, news: MasterNews::ZkTimer { generation } },
            Owner::Guard(guard) => Event::Guard { guard, news: GuardNews::Timer { generation } },
            Owner::Server(_) => return,
        };
        self.after(delay, event);
    }

    fn client_opens(&mut self, owner: Owner) {
        let now = self.clock_of(owner);
        let node = self.random.usize(0..self.zk.len());
        let Some(client) = self.client(owner) else { return };
        client.opened = now;
        let (life, request) = (client.life, Request::Attach { sid: client.sid, seen: client.seen });
        let conn = self.zk_connects(owner, life, node);
        if let Some(client) = self.client(owner) {
            client.conn = Some(conn);
        }
        self.zk_asks(conn, request);
    }

    fn client_breaks(&mut self, owner: Owner) {
        let Some(client) = self.client(owner) else { return };
        let (conn, attached) = (client.conn.take(), core::mem::take(&mut client.attached));
        if let Some(conn) = conn {
            self.zk_leaves(conn);
        }
        if attached {
            self.client_tells(owner, ClientNews::Broken);
        }
        let soon = self.between(10 * MS, 400 * MS);
        self.client_waits(owner, soon);
    }

    /// Its process has ended.
    pub(crate) fn client_dies(&mut self, owner: Owner) {
        if let Some(conn) = self.client(owner).and_then(|client| client.conn.take()) {
            self.zk_leaves(conn);
        }
    }

    /// Something has come to a client.
    pub(crate) fn client_receives(&mut self, id: ConnId) {
        let now = self.now;
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        let (owner, life, node) = (conn.client, conn.life, conn.node);
        if conn.to_client.front().is_none_or(|(at, ..)| *at > now) {
            return;
        }
        if !self.passes(Peer::Zk(node), peer_of(owner)) {
            let again = self.between(50 * MS, 300 * MS);
            self.after(again, Event::ToClient { conn: id });
            return;
        }
        let clock = self.clock_of(owner);
        let Some(conn) = self.zk.conns.get_mut(&id) else { return };
        let Some((_, zxid, answer)) = conn.to_client.pop_front() else { return };
        if !conn.to_client.is_empty() {
            self.after(0, Event::ToClient { conn: id });
        }
        let Some(client) = self.client(owner).filter(|c| c.life == life && c.conn == Some(id)) else {
            return;
        };
        client.heard = clock;
        client.seen = client.seen.max(zxid);
        match answer {
            Answer::Attached { sid } => {
                let new = client.sid.replace(sid) != Some(sid);
                client.attached = true;
                client.chain.clear();
                client.confirmed = client.opened;
                self.note(|| format!("{owner:?} has session {sid} at zk {node}, new: {new}"));
                self.client_tells(owner, ClientNews::Attached { new });
            }
            Answer::Closed => self.client_breaks(owner),
            Answer::Expired => {
                client.sid = None;
                self.client_breaks(owner);
                self.client_tells(owner, ClientNews::Expired);
            }
            Answer::Pong => {}
            Answer::Pulsed { sent } => client.has_been_there(sent, clock),
            answer => {
                if let Answer::Written { sent, .. } | Answer::Synced { sent, .. } = &answer {
                    client.has_been_there(*sent, clock);
                }
                self.client_tells(owner, ClientNews::Answer(answer));
            }
        }
    }
}

impl World {
    fn client_tells(&mut self, owner: Owner, news: ClientNews) {
        match owner {
            Owner::Master(master) => self.master_client_hears(master, news),
            Owner::Guard(guard) => self.guard_client_hears(guard, news),
            Owner::Server(_) => {}
        }
    }
}
