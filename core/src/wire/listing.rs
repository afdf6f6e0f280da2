//! The cluster as `list` shows it. The JSON names are part of the command line's interface.

use crate::config::Incarnation;
use crate::coordinator::{Epoch, LeadershipState};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// All masters and servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listing {
    /// The leader first, then the standbys by address.
    pub masters: Vec<MasterRow>,
    /// In the order of servers.json, added servers last.
    pub servers: Vec<ServerRow>,
    /// What of global channels the leader sees to; `None` if there are none, or their store is not shared.
    pub channels: Option<ChannelsRow>,
}

/// What the leader has to do for global channels.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChannelsRow {
    /// Frontends that are over and whose members may still be in the store, by id.
    pub purges: Vec<PurgeRow>,
}

/// Members that are still to be purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurgeRow {
    /// The frontend.
    pub id: String,
    /// Its latest life that is over.
    pub incarnation: Incarnation,
    /// For how many milliseconds this leader has known so.
    pub for_ms: u64,
    /// Why the store has not done it yet, as far as it has said.
    pub error: Option<String>,
}

/// Whether a master leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MasterRole {
    /// It leads.
    Leader,
    /// It waits to lead.
    Standby,
}

/// A master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterRow {
    /// Its id.
    pub id: String,
    /// Where it is reached.
    pub host: String,
    /// Where it is reached.
    pub port: u16,
    /// Its process.
    pub pid: u32,
    /// Whether it leads.
    pub role: MasterRole,
    /// The leader's epoch; for a standby, that of the leader it follows.
    pub epoch: Epoch,
    /// How it is.
    pub state: MasterState,
}

/// How a master is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MasterState {
    /// It leads and may act.
    Leading,
    /// It leads but has lost touch with the coordinator.
    Suspended,
    /// Its leadership has ended.
    Lost,
    /// It is ready to take over.
    Ready,
}

impl From<LeadershipState> for MasterState {
    fn from(state: LeadershipState) -> Self {
        match state {
            LeadershipState::Leading => Self::Leading,
            LeadershipState::Suspended => Self::Suspended,
            LeadershipState::Lost => Self::Lost,
        }
    }
}

/// Where a server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// Launched, not up yet.
    Starting,
    /// Up.
    Up,
    /// Told to stop.
    Stopping,
    /// Stopped on purpose; nothing but a `start` brings it back.
    Stopped,
    /// Crashed, and waiting to be started again.
    Backoff,
    /// Crashed for good: without `auto-restart`, or too often; [`ServerRow::detail`] says which.
    Failed,
}

impl ServerState {
    /// The word that JSON and tables show.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerRow {
    /// Its id.
    pub id: String,
    /// Its type.
    pub server_type: String,
    /// Where it runs.
    pub host: String,
    /// Where other servers reach it.
    pub port: Option<u16>,
    /// Where clients reach it.
    pub client_port: Option<u16>,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// Which of its lives; 0 if it was never launched.
    pub incarnation: Incarnation,
    /// Where it is in its life.
    pub state: ServerState,
    /// The CPUs it really runs on, as a list such as `0-3,5`; none before it has registered.
    pub cpu: Option<String>,
    /// How often it was started again after a crash since somebody last started it.
    pub restarts: u32,
    /// How long ago this life was launched, in milliseconds.
    pub uptime_ms: Option<u64>,
    /// Its resident memory in bytes, from its last heartbeat.
    pub rss_bytes: Option<u64>,
    /// Why it is not up, or what the server says of itself.
    pub detail: String,
}
