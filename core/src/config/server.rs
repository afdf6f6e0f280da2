//! One server, as servers.json defines it.

use crate::cpu::CpuRequest;
use crate::restart::RestartPolicy;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Which life of a server this is: 1 for the first launch of its id, and one more for each launch after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The life after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One server of `servers.json`.
///
/// As JSON it is the flat object of servers.json plus `serverType`; keys that Tangelo does not
/// know are in [`extra`](Self::extra) and stay where they were.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerDef {
    /// `id`: unique in the cluster.
    pub id: String,
    /// The group of servers.json that it stands in, such as `connector`.
    pub server_type: String,
    /// `host`: where it runs, and where others reach it.
    pub host: String,
    /// `port`: where other servers reach it; without one they cannot.
    pub port: Option<u16>,
    /// `clientHost`: where clients reach it, if that is not `host`.
    pub client_host: Option<String>,
    /// `clientPort`: where clients reach it.
    pub client_port: Option<u16>,
    /// `frontend`: clients connect to it. Default: false.
    pub frontend: bool,
    /// `auto-restart`: the master replaces it when it dies or hangs. Default: false.
    pub auto_restart: bool,
    /// `cpu`: the CPUs it is bound to. Default: none, it runs anywhere.
    pub cpu: Option<CpuRequest>,
    /// `args`: arguments of its own, handed to the process as they are.
    pub args: Vec<String>,
    /// `max-connections`: how many clients a frontend takes.
    pub max_connections: Option<u32>,
    /// `stop-timeout`, in seconds: how long its before-stop hooks may take. Default: 10 s.
    pub stop_timeout: Duration,
    /// `max-restarts`, `restart-window` (s), `restart-delay` (ms), `restart-max-delay` (ms): how crash loops are bounded.
    pub restart: RestartPolicy,
    /// All other keys, as they stand in the file.
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Serialize for ServerDef {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not yet"))
    }
}

impl<'de> Deserialize<'de> for ServerDef {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("not yet"))
    }
}
