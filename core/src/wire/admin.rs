//! What the command line asks of a master.

use super::listing::Listing;
use crate::ErrorKind;
use crate::config::ServerDef;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Which servers a request is about. With neither an id nor a type it is about all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// These ids; one that does not exist is an error.
    pub ids: Vec<String>,
    /// And all of this type.
    pub server_type: Option<String>,
}

impl Selection {
    /// Whether nothing was chosen, so that all are meant.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.ids.is_empty() && self.server_type.is_none()
    }
}

/// A request of the command line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Request {
    /// All masters and servers.
    List,
    /// Answers once every server that should run is up or has failed.
    AwaitStart,
    /// Starts servers that are stopped or failed; answers once they are up or have failed.
    Start(Selection),
    /// Stops servers in order; with nothing selected the whole cluster, masters too. Answers once they are gone.
    Stop(Selection),
    /// Stops servers in order and starts them again; answers once they are up or have failed.
    Restart {
        /// Which.
        selection: Selection,
        /// One after the other, each only when the one before it is up.
        rolling: bool,
    },
    /// Kills servers without asking them; with nothing selected the whole cluster, masters too.
    Kill(Selection),
    /// Adds servers to the cluster and starts them; answers once they are up or have failed.
    Add(Vec<ServerDef>),
    /// Hands the leadership over to a standby; answers with its `host:port` once the leader has let go.
    HandOver {
        /// Its id or `host:port`; none: whoever is first in line.
        to: Option<String>,
    },
}

/// A master's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Response {
    /// The cluster as it is.
    Listing(Listing),
    /// It was done, to these servers.
    Done(Vec<String>),
    /// It was not done, or not wholly.
    Failed {
        /// What kind of failure.
        kind: ErrorKind,
        /// What happened and what to do.
        message: String,
    },
}
