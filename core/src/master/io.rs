//! What goes into a master's machine and what comes out.

use crate::config::{Incarnation, MasterDef, ServerDef};
use crate::coordinator::LeadershipState;
use crate::process::{Exit, ProcessRef, Signal};
use crate::wire::{MasterRow, Message, Request, Response};
use crate::{CpuSet, Error, Instant};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::ClusterState;
use crate::channel::Frontend;

/// Names a link to a peer within one master process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Names a request whose answer is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How this master came to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Somebody started the cluster: what is declared and not stopped on purpose shall run, also
    /// if its end was under way when the last master died.
    Start,
    /// It took over: what was to run goes on; what died is restarted only if it says `auto-restart`;
    /// an end that was under way is carried through, and after one that is complete it leaves too.
    TakeOver,
}

/// What a master's machine needs to know from the start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How it came to lead.
    pub mode: Mode,
    /// The servers that servers.json declares.
    pub declared: Vec<ServerDef>,
    /// Those of them that a fresh cluster starts; `None`: all.
    pub only: Option<Vec<String>>,
    /// The CPUs that `"cpu": "auto"` chooses from.
    pub allowed_cpus: CpuSet,
    /// What master.json says: the cluster's times, and the port that no server may take.
    pub master: MasterDef,
    /// Whether the leader purges the members of frontends that are dead: it is if there are global
    /// channels, in a store that it shares with the servers.
    pub purges: bool,
    /// Seeds the jitter of backoffs.
    pub seed: u64,
}

/// A standby that is linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyInfo(pub MasterRow);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The state of the leadership, or its deadline, has changed.
    Leadership {
        /// The state now.
        state: LeadershipState,
        /// The deadline now.
        deadline: Instant,
    },
    /// Time has passed.
    Tick,
    /// The answer to [`Action::Store`].
    Stored {
        /// Which.
        version: u64,
        /// Whether it is safe now.
        result: Result<(), Error>,
    },
    /// The answer to [`Action::Launch`].
    Launched {
        /// The server.
        id: String,
        /// Which of its lives.
        incarnation: Incarnation,
        /// Its process.
        result: Result<ProcessRef, Error>,
    },
    /// The answer to [`Action::Adopt`].
    Adopted {
        /// The server.
        id: String,
        /// Which of its lives.
        incarnation: Incarnation,
        /// Whether the process still runs.
        alive: bool,
    },
    /// A launched or adopted process has ended.
    Exited {
        /// The server.
        id: String,
        /// Which of its lives.
        incarnation: Incarnation,
        /// How.
        exit: Exit,
    },
    /// A server says something.
    Member {
        /// On this link.
        link: LinkId,
        /// This.
        message: Message,
    },
    /// A standby has linked.
    Standby {
        /// On this link.
        link: LinkId,
        /// Who.
        info: StandbyInfo,
    },
    /// A link is gone.
    LinkClosed {
        /// Which.
        link: LinkId,
        /// Because nothing was heard on it for too long.
        silent: bool,
    },
    /// The answer to [`Action::Purge`].
    Purged(Frontend),
    /// The command line asks.
    Request {
        /// Names the answer.
        ticket: Ticket,
        /// What.
        request: Request,
    },
    /// This master was asked, by a signal, to stop the whole cluster.
    End,
}

/// What to do, in this order.
///
/// Whoever carries it out looks at the leadership's deadline again right before each launch, signal
/// and message: it may have slept since. Each `Store`, `Launch` and `Adopt` is answered exactly once
/// and within bounded time, with an error if need be: what waits for the answer waits for nothing else.
#[derive(Debug)]
pub enum Action {
    /// Store the desired state and answer [`Input::Stored`]. At most one is under way.
    Store {
        /// Comes back in the answer.
        version: u64,
        /// The state.
        state: ClusterState,
    },
    /// Launch a server, watch its process, answer [`Input::Launched`] and later [`Input::Exited`].
    Launch {
        /// Its definition.
        def: ServerDef,
        /// The CPUs it is bound to.
        cpus: Option<CpuSet>,
        /// Which of its lives.
        incarnation: Incarnation,
    },
    /// Watch a process that an earlier master launched; answer [`Input::Adopted`] and later [`Input::Exited`].
    Adopt {
        /// The server.
        id: String,
        /// Which of its lives.
        incarnation: Incarnation,
        /// Its process.
        process: ProcessRef,
    },
    /// Purge this life of a frontend, and those before it, from the store of global channels, however
    /// long that store is away, and answer [`Input::Purged`]. A later life of the same frontend makes an
    /// earlier one needless.
    ///
    /// That it is over is stored, for every later leader too: to do it late or twice does no harm.
    Purge(Frontend),
    /// Signal a process. That it is gone already is no error.
    Signal {
        /// Which.
        process: ProcessRef,
        /// What.
        signal: Signal,
    },
    /// Send a message; [`Message::Stop`] carries the epoch.
    Send {
        /// On this link.
        link: LinkId,
        /// This.
        message: Message,
    },
    /// Send the same message on many links.
    Broadcast {
        /// On these.
        links: Vec<LinkId>,
        /// This.
        message: Message,
    },
    /// Close a link after what was sent on it.
    Close {
        /// Which.
        link: LinkId,
        /// Why, for the log.
        reason: String,
    },
    /// Answer a request.
    Reply {
        /// Which.
        ticket: Ticket,
        /// With this.
        response: Response,
    },
    /// Hand the leadership over to this standby, or to whoever is first in line, and answer the request.
    /// The end of the leadership comes in as [`Input::Leadership`].
    HandOver {
        /// Which request.
        ticket: Ticket,
        /// Its id or `host:port`.
        to: Option<String>,
    },
    /// A server's state has changed: for logs and progress lines.
    Report {
        /// The server.
        id: String,
        /// What, in a few words.
        what: Report,
    },
    /// All servers that should run are up, or have failed, for the first time in this reign.
    Settled {
        /// How many are up.
        up: usize,
        /// How many have failed.
        failed: usize,
    },
    /// The leadership is over: drop this machine and become a standby.
    StepDown,
    /// The cluster has ended: resign and exit.
    Exit,
}

/// What is reported of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It was launched.
    Launching {
        /// Which of its lives.
        incarnation: Incarnation,
    },
    /// It is up.
    Up {
        /// Its process id.
        pid: u32,
        /// Whether an earlier master had launched it.
        adopted: bool,
    },
    /// It stops on request.
    Stopping,
    /// It has stopped on request.
    Stopped,
    /// It has crashed and will be started again.
    Crashed {
        /// How.
        why: String,
    },
    /// It has crashed for good.
    Failed {
        /// Why.
        why: String,
    },
    /// Its link is gone while its process lives.
    LinkLost {
        /// Because nothing was heard for too long.
        silent: bool,
    },
}

/// A few words, as `list` and logs say them.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launching { incarnation } => write!(f, "launching, incarnation {incarnation}"),
            Self::Up { pid, adopted: false } => write!(f, "up, pid {pid}"),
            Self::Up { pid, adopted: true } => write!(f, "adopted, pid {pid}"),
            Self::Stopping => f.write_str("stopping"),
            Self::Stopped => f.write_str("stopped"),
            Self::Crashed { why } => write!(f, "crashed: {why}; restarting"),
            Self::Failed { why } => write!(f, "failed: {why}"),
            Self::LinkLost { silent: true } => f.write_str("silent: no heartbeat"),
            Self::LinkLost { silent: false } => f.write_str("its link is gone"),
        }
    }
}
