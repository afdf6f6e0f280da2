//! The cluster's desired state, as the coordinator keeps it: JSON that a person can read.

use crate::config::{Incarnation, ServerDef};
use crate::process::ProcessRef;
use crate::{CpuSet, Error, ErrorKind, Result};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The version of the format.
const FORMAT: u32 = 1;

/// What shall run, and what is known to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterState {
    format: u32,
    /// In the order of servers.json, added servers last.
    pub servers: Vec<ServerRecord>,
    /// Whether all servers have been up at some time.
    #[serde(default)]
    pub all_started: bool,
    /// The whole cluster is to end; whoever leads carries it through.
    #[serde(default)]
    pub ending: bool,
    /// The whole cluster has ended: a standby that has not heard of it leaves too.
    #[serde(default)]
    pub ended: bool,
    /// What is left of frontends that are no servers of the cluster any more, by id; the end of the
    /// cluster leaves it.
    #[serde(default)]
    pub past: BTreeMap<String, PastFrontend>,
}

/// What is stored of a frontend that has left the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastFrontend {
    /// The highest incarnation that a master may have launched; later ones begin after it.
    pub incarnation: Incarnation,
    /// The latest incarnation whose members are known to be purged, with all before it.
    pub purged: Incarnation,
}

/// What is stored of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// Its definition.
    pub def: ServerDef,
    /// The CPUs that it is bound to, with `auto` resolved.
    pub cpus: Option<CpuSet>,
    /// It was added with `add`, and does not stand in servers.json.
    #[serde(default)]
    pub added: bool,
    /// It was stopped on purpose.
    #[serde(default)]
    pub stopped: bool,
    /// It has crashed for good, for this reason.
    #[serde(default)]
    pub failed: Option<String>,
    /// It is to be launched as soon as no process of it runs, `auto-restart` or not.
    #[serde(default)]
    pub due: bool,
    /// Its latest life that is known to have been launched.
    pub incarnation: Incarnation,
    /// The highest incarnation that a master may have launched without having said so here.
    pub reserved: Incarnation,
    /// The process of [`incarnation`](Self::incarnation), until it is known to have ended.
    pub process: Option<ProcessRef>,
    /// Whether that process has come up and the other servers know of it.
    #[serde(default)]
    pub up: bool,
    /// How often it was started again after a crash.
    #[serde(default)]
    pub restarts: u32,
    /// Whether it has ever been a frontend here: then global channels may have members of its.
    #[serde(default)]
    pub fronted: bool,
    /// The latest incarnation whose members are known to be purged, with all before it.
    #[serde(default)]
    pub purged: Incarnation,
}

impl ServerRecord {
    /// A server that was never launched.
    #[must_use]
    pub const fn new(def: ServerDef) -> Self {
        let fronted = def.frontend;
        Self {
            def,
            cpus: None,
            added: false,
            stopped: false,
            failed: None,
            due: false,
            incarnation: Incarnation(0),
            reserved: Incarnation(0),
            process: None,
            up: false,
            restarts: 0,
            fronted,
            purged: Incarnation(0),
        }
    }
}

impl ClusterState {
    /// A state of these servers.
    #[must_use]
    pub const fn new(servers: Vec<ServerRecord>) -> Self {
        let past = BTreeMap::new();
        Self { format: FORMAT, servers, all_started: false, ending: false, ended: false, past }
    }

    /// The bytes that are stored.
    ///
    /// # Errors
    /// None that a state made by [`new`](Self::new) can have; JSON's, if it cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::new(ErrorKind::Invalid, "cannot encode the cluster's state").with_source(e))
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if they are no state, or one of a later format.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let state: Self = serde_json::from_slice(bytes).map_err(|e| {
            Error::new(ErrorKind::Invalid, "the stored state of the cluster cannot be read: stop all masters and servers, then remove it")
                .with_source(e)
        })?;
        if state.format != FORMAT {
            return Err(Error::new(
                ErrorKind::Invalid,
                alloc::format!(
                    "the stored state of the cluster has format {}, this program knows {FORMAT}: run masters of one version",
                    state.format
                ),
            ));
        }
        Ok(state)
    }
}
