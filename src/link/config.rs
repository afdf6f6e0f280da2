//! The settings of links.

use super::secret::Secret;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use tangelo_core::liveness::Heartbeat;
use tangelo_core::wire::Hello;

/// How a process opens and takes links.
#[derive(Debug, Clone)]
pub(crate) struct LinkConfig {
    /// The cluster's secret.
    pub(crate) secret: Secret,
    /// Who we are, as the peer is told.
    pub(crate) hello: Hello,
    /// How a dead peer is found. Default: every 2 s, dead after 3.
    pub(crate) heartbeat: Heartbeat,
    /// How long the TCP connect may take. Default: 5 s.
    pub(crate) connect_timeout: Duration,
    /// How long the handshake may take. Default: 5 s.
    pub(crate) handshake_timeout: Duration,
    /// How long a closed link may go on to send what was queued before. Default: 2 s.
    pub(crate) flush_timeout: Duration,
    /// What may wait in each direction: to be sent, and (on the peer's side of the promise) to be read.
    pub(crate) queue: QueueLimits,
    /// How many handshakes a server runs at once. Default: 256.
    pub(crate) max_handshakes: usize,
}

impl LinkConfig {
    /// The defaults.
    pub(crate) fn new(secret: Secret, hello: Hello) -> Self {
        Self {
            secret,
            hello,
            heartbeat: Heartbeat::default(),
            connect_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(5),
            flush_timeout: Duration::from_secs(2),
            queue: QueueLimits::default(),
            max_handshakes: 256,
        }
    }
}

/// How much may wait in a queue. One message always fits into an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueLimits {
    /// Messages. Default: 1024.
    pub(crate) messages: u32,
    /// Their bytes as encoded. Default: 16 MiB.
    pub(crate) bytes: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { messages: 1024, bytes: 16 << 20 }
    }
}

impl QueueLimits {
    /// Whether anything can ever pass.
    pub(super) const fn is_usable(self) -> bool {
        self.messages > 0 && self.bytes > 0
    }
}
