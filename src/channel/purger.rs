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
use tracing::{info, warn};

/// How long a master that leaves waits for the store: nothing of the leader's is owed there.
const LEAVE: Duration = Duration::from_secs(1);
/// How long the start of a cluster may wait for a clean store.
const CLEAN: Duration = Duration::from_secs(60);

/// Purges the members of frontends that are over. The store is not touched before the first purge,
/// so a master that only stands by has no connection to it.
#[derive(Debug)]
pub(crate) struct Purger {
    runtime: Arc<dyn Runtime>,
    manager: Arc<dyn ChannelManager>,
    patience: Duration,
    /// `cleanOnStartUp`.
    cleans: bool,
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
        cleans: config.clean_on_start_up,
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
        self.ready().get().await?.purge_server(frontend).await
    }

    /// Removes what an earlier cluster has left, if that is configured: for a cluster of which nothing runs.
    pub(crate) async fn clean_on_start_up(&self) {
        if !self.cleans {
            return;
        }
        let cleaned = async { self.ready().get().await?.clean().await };
        let error = match timeout(&self.runtime, CLEAN, cleaned).await {
            Ok(Ok(())) => return info!("the store of global channels is clean"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it takes longer than {} s", CLEAN.as_secs()),
        };
        warn!(%error, "cleanOnStartUp: the store of global channels is not clean: it may have members of an earlier cluster");
    }

    fn ready(&self) -> &Ready {
        self.ready.get_or_init(|| {
            Ready::new(Arc::clone(&self.runtime), Arc::clone(&self.manager), None, self.patience)
        })
    }

    /// Lets go of the store, before the process ends.
    pub(crate) async fn stop(&self) {
        let Some(manager) = self.ready.get().and_then(|ready| ready.manager()) else { return };
        if let Ok(Err(error)) = timeout(&self.runtime, LEAVE, manager.stop()).await {
            warn!(%error, "the store of global channels was not left in order");
        }
    }
}
