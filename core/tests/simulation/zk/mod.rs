//! A model of ZooKeeper, alone or as an ensemble of three: sessions that end by ticks, a tree of
//! which followers may have an old copy, one-shot watches, writes that need a quorum, a leader
//! among the nodes that may not know yet that it is one no longer, and connections on which
//! answers get lost.

mod client;
mod nodes;
mod requests;
mod tree;

pub(crate) use client::{Client, ClientNews};
pub(crate) use tree::{Tree, Write, Written};

use crate::world::{Owner, SECOND, Time};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::rc::Rc;
use core::time::Duration;
use tangelo_core::Instant;
use tangelo_core::coordinator::Epoch;

pub(crate) type Sid = u64;
pub(crate) type ConnId = u64;
pub(crate) type Zxid = u64;

/// As Debian ships it.
pub(crate) const TICK: Time = 2 * SECOND;
/// After so long without a word nodes give each other up.
const SYNC_LIMIT: Time = 5 * TICK;

/// What a client asks.
#[derive(Clone)]
pub(crate) enum Request {
    /// For its session, or a new one; it has seen the tree in this state.
    Attach {
        sid: Option<Sid>,
        seen: Zxid,
    },
    Ping,
    /// A round trip through the leading node, which asks nobody else.
    Pulse {
        sent: Instant,
    },
    /// The tree as this node has it; one change after it is told.
    Look,
    /// The tree, not older than this moment.
    Load,
    /// As `Load`: whether this lock still leads. Only the leading node is asked.
    Sync {
        lock: u64,
        epoch: Epoch,
        sent: Instant,
    },
    Write {
        write: Write,
        sent: Instant,
    },
}

/// What a client hears.
pub(crate) enum Answer {
    Attached {
        sid: Sid,
    },
    Pong,
    Pulsed {
        sent: Instant,
    },
    /// What was looked at has changed.
    Changed,
    Tree {
        tree: Rc<Tree>,
        loaded: bool,
    },
    Synced {
        written: Written,
        sent: Instant,
    },
    Written {
        write: Write,
        sent: Instant,
        written: Written,
    },
    /// The session has ended.
    Expired,
    /// The connection has ended, or never began.
    Closed,
}

/// All nodes.
pub(crate) struct Ensemble {
    nodes: Vec<Node>,
    /// As it was committed last.
    tree: Rc<Tree>,
    sessions: BTreeMap<Sid, Session>,
    conns: BTreeMap<ConnId, Conn>,
    electing: bool,
    /// Who was elected last. An old leader's word does not count, though it may not know.
    elected: usize,
    beats: u64,
    /// How long a session lasts without a sign of life.
    pub(crate) timeout: Duration,
    /// Writes of the leader's state fail.
    pub(crate) full: bool,
    /// Connections break instead of carrying the answer to a write.
    pub(crate) forgetful: bool,
}

struct Node {
    role: Role,
    tree: Rc<Tree>,
    /// When it last heard of its leader, or, if it leads, of each of the others.
    heard: Vec<Time>,
    /// Sessions of which it has heard and its leader has not.
    touched: BTreeSet<Sid>,
    /// It leads, and waits for others to accept a write.
    outstanding: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Down,
    Looking,
    Following(usize),
    Leading,
}

struct Session {
    expires: Time,
    conn: ConnId,
}

/// A connection of a client.
struct Conn {
    node: usize,
    client: Owner,
    life: u32,
    sid: Option<Sid>,
    watching: bool,
    gone_for_client: bool,
    gone_for_node: bool,
    to_node: VecDeque<(Time, Request)>,
    /// With the state of the node's tree.
    to_client: VecDeque<(Time, Zxid, Answer)>,
    /// What waits until this node's leader can be reached.
    blocked: VecDeque<Request>,
}

impl Ensemble {
    pub(crate) fn new(nodes: usize, timeout: Duration) -> Self {
        let tree = Rc::new(Tree::default());
        let node = |n| Node {
            role: if n == 0 { Role::Leading } else { Role::Following(0) },
            tree: Rc::clone(&tree),
            heard: vec![0; nodes],
            touched: BTreeSet::new(),
            outstanding: false,
        };
        Self {
            nodes: (0..nodes).map(node).collect(),
            tree: Rc::clone(&tree),
            sessions: BTreeMap::new(),
            conns: BTreeMap::new(),
            electing: false,
            elected: 0,
            beats: 0,
            timeout,
            full: false,
            forgetful: false,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The tree as it was committed last.
    pub(crate) const fn tree(&self) -> &Rc<Tree> {
        &self.tree
    }

    /// The tree as that node has it, if it serves anybody.
    pub(crate) fn tree_at(&self, node: usize) -> Option<&Rc<Tree>> {
        self.serves(node).then(|| &self.nodes[node].tree)
    }

    pub(crate) fn client_of(&self, conn: ConnId) -> Option<Owner> {
        self.conns.get(&conn).filter(|conn| !conn.gone_for_client).map(|conn| conn.client)
    }

    /// The node to which that client is connected.
    pub(crate) fn node_of(&self, client: Owner) -> Option<usize> {
        let mut conns = self.conns.values().filter(|conn| !conn.gone_for_client && conn.client == client);
        conns.next().map(|conn| conn.node)
    }

    pub(crate) fn serves(&self, node: usize) -> bool {
        matches!(self.nodes[node].role, Role::Leading | Role::Following(_))
    }

    /// The node that leads the others, as far as any does.
    pub(crate) fn leading_node(&self) -> Option<usize> {
        (0..self.nodes.len()).find(|&node| self.nodes[node].role == Role::Leading)
    }

    fn majority(&self) -> usize {
        self.nodes.len() / 2 + 1
    }
}
