//! What a master tells a server process when it launches it.

use core::time::Duration;
use serde::{Deserialize, Serialize};
use tangelo_core::config::{Incarnation, ServerDef, Timing};
use tangelo_core::coordinator::Epoch;
use tangelo_core::process::LogSpec;
use tangelo_core::{Error, ErrorKind, Result};

/// The environment variable that holds a [`Launch`] as JSON. No secret is in it.
pub(crate) const LAUNCH_VARIABLE: &str = "TANGELO_LAUNCH";

/// A launch order, from master to server process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) env: String,
    pub(crate) def: ServerDef,
    pub(crate) incarnation: Incarnation,
    /// The reign that launched it: no earlier one is obeyed.
    pub(crate) epoch: Epoch,
    pub(crate) log: LogSpec,
    heartbeat_ms: u64,
    heartbeat_missed: u32,
    lease_ms: u64,
}

impl Launch {
    pub(crate) fn new(
        env: &str,
        def: ServerDef,
        incarnation: Incarnation,
        epoch: Epoch,
        log: LogSpec,
        timing: &Timing,
    ) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            env: env.into(),
            def,
            incarnation,
            epoch,
            log,
            heartbeat_ms: millis(timing.heartbeat.interval),
            heartbeat_missed: timing.heartbeat.missed,
            lease_ms: millis(timing.lease),
        }
    }

    /// The cluster's times, as far as a server needs them.
    pub(crate) fn timing(&self) -> Timing {
        let mut timing = Timing::default();
        timing.heartbeat.interval = Duration::from_millis(self.heartbeat_ms);
        timing.heartbeat.missed = self.heartbeat_missed;
        timing.lease = Duration::from_millis(self.lease_ms);
        timing
    }

    /// Whether a master has launched this process.
    #[cfg(not(feature = "cli"))]
    pub(crate) fn is_ordered() -> bool {
        std::env::var_os(LAUNCH_VARIABLE).is_some()
    }

    /// The order that this process was launched with.
    pub(crate) fn from_environment() -> Result<Self> {
        let Ok(text) = std::env::var(LAUNCH_VARIABLE) else {
            return Err(Error::new(ErrorKind::Invalid, "servers are launched by a master: use `start`"));
        };
        serde_json::from_str(&text).map_err(|error| {
            let message = "the master's launch order cannot be read: run master and servers from one build";
            Error::new(ErrorKind::Invalid, message).with_source(error)
        })
    }

    pub(crate) fn encode(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| {
            Error::new(ErrorKind::Invalid, "cannot encode a launch order").with_source(error)
        })
    }
}
