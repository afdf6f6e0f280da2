//! The times that a cluster lives by.

use crate::liveness::Heartbeat;
use core::time::Duration;

/// The cluster's time limits; each can be set in `master.json`, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Heartbeats on every link: `"heartbeat"` (default 2000) and `"heartbeat-missed"` (default 3).
    pub heartbeat: Heartbeat,
    /// How long a server whose link is gone while its process lives may take to come back before
    /// it is replaced: `"reconnect-grace"`, default 3000.
    pub reconnect_grace: Duration,
    /// How long a server may take from its launch until it is up: `"start-timeout"`, default 60000.
    pub start_timeout: Duration,
    /// How long a leader may go without proof of its leadership: `"lease"`, default 5000.
    pub lease: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Heartbeat::default(),
            reconnect_grace: Duration::from_secs(3),
            start_timeout: Duration::from_secs(60),
            lease: Duration::from_secs(5),
        }
    }
}
