//! What all handles of an application share.

use super::hook::Hook;
use super::servers::{ByType, Servers};
use super::settings::Settings;
use super::{Component, Place};
use crate::channel::Channels;
use crate::connector::{Clients, Hub};
use crate::handler::Handlers;
use crate::link::Server;
use crate::member::Agent;
use crate::peer::{Peers, Remotes};
use crate::session::Events;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::OnceLock;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::ServerInfo;
use tangelo_core::{Error, ErrorKind, Result};
use tracing::error;

pub(super) type Listener = Arc<dyn Fn(&[ServerInfo]) + Send + Sync>;

/// The application behind its handles.
pub(crate) struct Shared {
    pub(super) place: Place,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) settings: Settings,
    pub(super) components: Mutex<Vec<Arc<dyn Component>>>,
    pub(super) before_start: Mutex<Vec<Hook>>,
    pub(super) after_start_all: Mutex<Vec<Hook>>,
    pub(super) before_stop: Mutex<Vec<Hook>>,
    pub(super) on_added: Mutex<Vec<Listener>>,
    pub(super) on_removed: Mutex<Vec<Listener>>,
    pub(super) servers: Mutex<Servers>,
    pub(crate) remotes: Remotes,
    pub(crate) agent: Agent,
    pub(crate) channels: Channels,
    pub(crate) clients: Clients,
    pub(crate) connector: OnceLock<Arc<Hub>>,
    pub(crate) handlers: Handlers,
    pub(crate) events: Events,
    /// What is wrong with the configuration in code; it keeps the server from starting.
    pub(crate) mistakes: Mutex<Vec<String>>,
    /// How many components have been started, for stopping those.
    pub(super) started: Mutex<usize>,
    pub(crate) peers: OnceLock<Peers>,
    /// Keeps this server's own port open.
    pub(crate) listening: OnceLock<Server>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(place: Place, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            place,
            runtime,
            settings: Settings::default(),
            components: Mutex::default(),
            before_start: Mutex::default(),
            after_start_all: Mutex::default(),
            before_stop: Mutex::default(),
            on_added: Mutex::default(),
            on_removed: Mutex::default(),
            servers: Mutex::default(),
            remotes: Remotes::default(),
            agent: Agent::default(),
            channels: Channels::default(),
            clients: Clients::default(),
            connector: OnceLock::new(),
            handlers: Handlers::default(),
            events: Events::default(),
            mistakes: Mutex::default(),
            started: Mutex::default(),
            peers: OnceLock::new(),
            listening: OnceLock::new(),
        }
    }

    pub(crate) fn peers(&self) -> Result<&Peers> {
        self.peers.get().ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "this process is no running server: servers call servers once they start",
            )
        })
    }

    /// Takes over who is up, and tells those who listen.
    pub(crate) fn servers_changed(&self, added: &[ServerInfo], removed: &[ServerInfo]) {
        self.servers.lock().change(added, removed);
        if let Some(peers) = self.peers.get() {
            removed.iter().for_each(|server| peers.forget(server));
        }
        let tell = |listeners: &Mutex<Vec<Listener>>, changed: &[ServerInfo]| {
            if changed.is_empty() {
                return;
            }
            // No lock is held while they run: a listener may add another one.
            let listeners = listeners.lock().clone();
            for listener in listeners {
                // One that panics takes neither the others nor the server with it.
                if catch_unwind(AssertUnwindSafe(|| listener(changed))).is_err() {
                    error!("a listener for added or removed servers panicked");
                }
            }
        };
        tell(&self.on_removed, removed);
        tell(&self.on_added, added);
    }

    pub(crate) fn server(&self, id: &str) -> Option<ServerInfo> {
        self.servers.lock().get(id).cloned()
    }

    /// The servers that are up, by type: a snapshot to be looked at without a lock.
    pub(crate) fn servers_by_type(&self) -> Arc<ByType> {
        self.servers.lock().by_type()
    }
}
