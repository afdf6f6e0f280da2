//! What a connector counts.

use crate::sync::Mutex;
use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What this server's connector has counted since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectorStats {
    /// Connections that are open, those that are still shaking hands or closing among them.
    pub connections: u64,
    /// Clients: connections whose handshake is through.
    pub clients: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that were turned away since there were `maxConnections`.
    pub turned_away: u64,
    /// How often the system would not accept a connection, such as for want of descriptors.
    pub accept_errors: u64,
    /// Messages of clients.
    pub received: u64,
    /// What was sent: messages, heartbeats, handshakes and kicks.
    pub sent: u64,
    /// Bytes that were sent, without those that TLS adds.
    pub sent_bytes: u64,
    /// System calls that it took to send them (TLS: at least).
    pub writes: u64,
    /// Messages that a client's full queue did not take.
    pub overflowed: u64,
    /// Connections that have closed, by why: `by-client`, `lost`, `kicked`, `replaced`, `stopping`, `slow`,
    /// `heartbeat-timeout`, `handshake-timeout`, `refused`, `flood`, `unexpected`, `crowded` (too many
    /// handshakes), `garbage`, `tls`, `http`, `page`, `no-upgrade`, `websocket`, `websocket-too-long`, `text`,
    /// `partial` (of a package), and the names of
    /// [`DecodeError`](tangelo_core::client::DecodeError::name).
    pub closed: BTreeMap<&'static str, u64>,
}

/// The counters behind it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) overflowed: AtomicU64,
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    writes: AtomicU64,
    closed: Mutex<BTreeMap<&'static str, u64>>,
}

/// What has been sent, gathered before it is added to what everybody shares.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) writes: u64,
}

impl Counters {
    pub(super) fn add_sent(&self, sent: Sent) {
        if sent.writes > 0 {
            self.sent.fetch_add(sent.frames, Relaxed);
            self.sent_bytes.fetch_add(sent.bytes, Relaxed);
            self.writes.fetch_add(sent.writes, Relaxed);
        }
    }

    pub(super) fn add_closed(&self, why: &'static str) {
        *self.closed.lock().entry(why).or_default() += 1;
    }

    pub(super) fn snapshot(&self, connections: usize, clients: usize) -> ConnectorStats {
        ConnectorStats {
            connections: connections as u64,
            clients: clients as u64,
            accepted: self.accepted.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            accept_errors: self.accept_errors.load(Relaxed),
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            writes: self.writes.load(Relaxed),
            overflowed: self.overflowed.load(Relaxed),
            closed: self.closed.lock().clone(),
        }
    }
}
