//! The messages themselves.

use super::Digest;
use super::admin::{Request, Response};
use crate::config::{Incarnation, ServerDef};
use crate::coordinator::Epoch;
use crate::process::ProcessRef;
use crate::{CpuSet, ErrorKind};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Who opens a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// A server process.
    Server,
    /// A standby master.
    Master,
    /// The command line.
    Admin,
}

/// The opener's part of the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// In which role it comes.
    pub role: Role,
    /// Its id: a server's, a master's, or what the command line calls itself.
    pub id: String,
    /// Its process, for the answering side's logs and lists.
    pub pid: u32,
}

/// One message on a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Message {
    /// A sign of life from the side that accepted the link.
    Ping,
    /// The answer to a ping.
    Pong {
        /// The resident memory of the answering process, in bytes.
        rss_bytes: u64,
    },

    /// Server to master: here I am, after every connect.
    Register(Register),
    /// Server to master: how far it has come.
    Phase(Phase),
    /// Server to master: a line on what it is doing, for `list`.
    Status(String),

    /// Master to server: registered.
    Welcome(Welcome),
    /// Master to server: not registered; it must stop, for good.
    Refused {
        /// The master's reign: a lower one than the highest seen has nothing to say.
        epoch: Epoch,
        /// Why.
        why: String,
    },
    /// Master to server: stop in order.
    Stop {
        /// The master's reign: a lower one than the highest seen is refused.
        epoch: Epoch,
        /// How long the before-stop hooks may take.
        timeout: Duration,
    },
    /// Master to server: who has come up and who has gone.
    Servers {
        /// Servers that are up now, also when only their incarnation is new.
        added: Vec<ServerInfo>,
        /// Servers that are not, each with the incarnation that has gone.
        removed: Vec<(String, Incarnation)>,
    },
    /// Master to server: all servers that should run are up for the first time.
    AllStarted,

    /// Standby to leader: who it is, after every connect.
    Standby {
        /// The host it listens on.
        host: String,
        /// The port it listens on.
        port: u16,
    },

    /// Command line to master.
    Request {
        /// Chosen by the asking side; comes back in the answer.
        id: u32,
        /// What is asked.
        request: Request,
    },
    /// Master to command line.
    Response {
        /// The request's.
        id: u32,
        /// What came of it.
        response: Response,
    },

    /// Server to server: do this and answer.
    Call(Call),
    /// Server to server: the answer.
    Return(Return),
}

impl Message {
    /// About as long as it is when encoded, in bytes; what is short mostly is not looked at.
    pub(super) fn expected_length(&self) -> usize {
        let long = match self {
            Self::Call(Call { route, body, .. }) => route.len() + body.len(),
            Self::Return(Return { result: Ok(body), .. }) => body.len(),
            _ => 0,
        };
        long + 32
    }
}

/// How far a server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Its components are starting.
    Starting,
    /// It serves.
    Up,
    /// It is stopping in order.
    Stopping,
}

/// A server's introduction to a master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Its id.
    pub id: String,
    /// Which of its lives.
    pub incarnation: Incarnation,
    /// Its process.
    pub process: ProcessRef,
    /// The CPUs it runs on, read back from the kernel.
    pub cpus: Option<CpuSet>,
    /// How far it has come.
    pub phase: Phase,
    /// What it is doing, for `list`; may be empty.
    pub status: String,
    /// The highest epoch it has seen: a master with a lower one leads no longer.
    pub epoch: Epoch,
    /// Its resident memory, in bytes.
    pub rss_bytes: u64,
    /// How long ago it began.
    pub age: Duration,
    /// Which servers it knows to be up.
    pub known: Digest,
}

/// A master's answer to a registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The master's reign.
    pub epoch: Epoch,
    /// Every server that is up; none at all if those are the ones that the registering server knows: so a
    /// failover does not cost a list for every server.
    pub servers: Option<Vec<ServerInfo>>,
    /// Whether all servers have been up at some time.
    pub all_started: bool,
}

/// A server that is up, as the others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Its definition.
    pub def: ServerDef,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// A call from server to server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the caller; comes back in the answer.
    pub id: u64,
    /// Which of the callee's remotes is meant.
    pub route: String,
    /// The arguments.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

/// The answer to a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// The call's.
    pub id: u64,
    /// The result, or an error's kind and message.
    pub result: Result<ByteBuf, (ErrorKind, String)>,
}
