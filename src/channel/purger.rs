//! The leader's hand in the store of global channels.

use super::ready::Ready;
use super::setup::{configured, manager};
use crate::app::App;
use crate::time::timeout;
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::OnceLock;
use tangelo_core::channel::Frontend;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ChannelManager, Result};
use tracing::warn;

/// How long a master that leaves waits for the store: nothing of the leader's is owed there.
const LEAVE: Duration = Duration::from_secs(1);

/// Purges the members of frontends that are over. The store is not touched before the first purge,
/// so a master that only stands by has no connection to it.
#[derive(Debug)]
pub(crate) struct Purger {
    runtime: Arc<dyn Runtime>,
    manager: Arc<dyn ChannelManager>,
    patience: Duration,
    ready: OnceLock<Arc<Ready>>,
}

/// The master's own, if there are global channels in a store that it shares with the servers: what
/// lies in a server's memory goes with the server.
///
/// # Errors
/// As [`configured`] and [`manager`].
pub(crate) fn purger(app: &App) -> Result<Option<Purger>> {
    let Some(config) = configured(app)? else { return Ok(None) };
    let manager = manager(app, &config)?;
    let purger = Purger {
        runtime: Arc::clone(app.runtime()),
        manager,
        patience: config.timeout,
        ready: OnceLock::new(),
    };
    Ok(Some(purger).filter(|purger| purger.manager.capability().shared))
}

impl Purger {
    /// Purges a life of a frontend, and those before it.
    ///
    /// # Errors
    /// What the store says; doing it again finishes what was begun.
    ///
    /// # Cancel safety
    /// As [`ChannelManager::purge_server`].
    pub(crate) async fn purge(&self, frontend: &Frontend) -> Result<()> {
        let (runtime, manager) = (&self.runtime, &self.manager);
        let ready = self
            .ready
            .get_or_init(|| Ready::new(Arc::clone(runtime), Arc::clone(manager), None, self.patience));
        ready.get().await?.purge_server(frontend).await
    }

    /// Lets go of the store, before the process ends.
    pub(crate) async fn stop(&self) {
        let Some(manager) = self.ready.get().and_then(|ready| ready.manager()) else { return };
        if let Ok(Err(error)) = timeout(&self.runtime, LEAVE, manager.stop()).await {
            warn!(%error, "the store of global channels was not left in order");
        }
    }
}
