//! What all clients of a frontend share.

use super::client::Client;
use super::clients::Clients;
use super::flush::Flusher;
use super::frame::Frame;
use super::outbox::Room;
use super::stats::Counters;
use super::tls::Tls;
use super::wire::Wire;
use crate::app::App;
use crate::sync::Mutex;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use async_channel::Sender;
use core::convert::Infallible;
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use event_listener::Event;
use std::sync::OnceLock;
use tangelo_core::client::connection::Settings;
use tangelo_core::config::ConnectorConfig;

/// A frontend's connector.
pub(crate) struct Hub {
    pub(super) app: App,
    pub(super) config: ConnectorConfig,
    pub(super) settings: Arc<Settings>,
    pub(super) room: Room,
    pub(super) wire: Wire,
    pub(super) tls: Option<Tls>,
    pub(super) heartbeat: Frame,
    pub(super) counters: Arc<Counters>,
    /// Connections on the way to be clients, in the order in which they came.
    pub(super) fresh: Mutex<BTreeMap<u64, Client>>,
    pub(super) flushers: Vec<Arc<Flusher>>,
    /// Somebody looks at deadlines.
    pub(super) sweeping: AtomicBool,
    pub(super) stopping: AtomicBool,
    /// A connection has gone, while the server stops.
    pub(super) left: Event,
    /// Keeps the port open.
    pub(super) listening: Mutex<Option<Sender<Infallible>>>,
    /// Where clients connect, once they can.
    pub(super) bound: OnceLock<SocketAddr>,
    last_id: AtomicU64,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Hub {
    pub(super) fn new(
        app: App,
        config: ConnectorConfig,
        wire: Wire,
        tls: Option<Tls>,
        heartbeat: Frame,
        flushers: usize,
    ) -> Self {
        let default = Settings::default();
        let settings = Settings {
            heartbeat: config.heartbeat,
            timeout: config
                .timeout
                .or_else(|| config.heartbeat.map(|heartbeat| heartbeat * 2))
                .unwrap_or(default.timeout),
            handshake_timeout: config.handshake_timeout,
            max_handshake: default.max_handshake.min(config.max_package),
            max_package: config.max_package,
            ..default
        };
        Self {
            room: Room { bytes: config.queue, frames: config.queue_messages },
            settings: Arc::new(settings),
            app,
            config,
            wire,
            tls,
            heartbeat,
            counters: Arc::default(),
            fresh: Mutex::default(),
            flushers: (0..flushers.max(1)).map(|_| Arc::default()).collect(),
            sweeping: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            left: Event::new(),
            listening: Mutex::default(),
            bound: OnceLock::new(),
            last_id: AtomicU64::new(0),
        }
    }

    pub(super) fn clients(&self) -> &Clients {
        &self.app.shared().clients
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Has this client written to.
    pub(super) fn flush_later(&self, client: Client) {
        self.flusher(&client).list([client]);
    }

    /// Has this client written to before those that are pushed to.
    pub(super) fn flush_first(&self, client: Client) {
        self.flusher(&client).list_first(client);
    }

    /// Has these clients written to.
    pub(super) fn flush_all_later(&self, clients: Vec<Client>) {
        if let [flusher] = &*self.flushers {
            return flusher.list(clients);
        }
        let mut parts: Vec<Vec<Client>> = self.flushers.iter().map(|_| Vec::new()).collect();
        for client in clients {
            parts[self.part(&client)].push(client);
        }
        for (flusher, part) in self.flushers.iter().zip(parts) {
            if !part.is_empty() {
                flusher.list(part);
            }
        }
    }

    fn flusher(&self, client: &Client) -> &Flusher {
        &self.flushers[self.part(client)]
    }

    fn part(&self, client: &Client) -> usize {
        usize::try_from(client.id() % self.flushers.len() as u64).unwrap_or(0)
    }
}
