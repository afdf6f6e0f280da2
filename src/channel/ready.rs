//! A channel manager that starts by itself, as soon as its store is there.

use crate::sync::Mutex;
use crate::time::timeout;
use alloc::sync::Arc;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use event_listener::Event;
use futures_lite::FutureExt;
use std::sync::OnceLock;
use tangelo_core::channel::Frontend;
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ChannelManager, Error, ErrorKind, Result};
use tracing::{info, warn};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A manager, usable once it has started. A start that fails is tried again.
pub(super) struct Ready {
    runtime: Arc<dyn Runtime>,
    manager: Arc<dyn ChannelManager>,
    /// The frontend that this is, if it is one.
    own: Option<Frontend>,
    started: OnceLock<()>,
    /// Why it has not started yet.
    last: Mutex<Option<(ErrorKind, String)>>,
    news: Event,
    patience: Duration,
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("manager", &self.manager).finish_non_exhaustive()
    }
}

impl Ready {
    /// Begins to start `manager`; calls wait for it at most `patience`.
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        manager: Arc<dyn ChannelManager>,
        own: Option<Frontend>,
        patience: Duration,
    ) -> Arc<Self> {
        let (started, last, news) = (OnceLock::new(), Mutex::default(), Event::new());
        let ready = Arc::new(Self { runtime, manager, own, started, last, news, patience });
        let starting = Arc::downgrade(&ready);
        ready.runtime.spawn(Box::pin(async move {
            let mut wait = FIRST_WAIT;
            loop {
                let Some(ready) = starting.upgrade() else { return };
                if ready.try_to_start().await {
                    return;
                }
                let runtime = Arc::clone(&ready.runtime);
                drop(ready);
                runtime.sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }));
        ready
    }

    /// Starts the manager, and clears away what an earlier life of this frontend has left, whether
    /// or not a leader has done so: no ghost is there once this server is up.
    async fn start(&self) -> Result<()> {
        self.manager.start().await?;
        let own = self.own.clone().filter(|own| own.incarnation.0 > 0);
        match own {
            Some(Frontend { sid, incarnation: Incarnation(life) }) => {
                let before = Frontend { sid, incarnation: Incarnation(life - 1) };
                self.manager.purge_server(&before).await
            }
            None => Ok(()),
        }
    }

    async fn try_to_start(&self) -> bool {
        let panicked =
            |_| Err(Error::new(ErrorKind::Io, "the channel manager panicked at its start: see the log"));
        let started = AssertUnwindSafe(self.start()).catch_unwind().await;
        let Err(error) = started.unwrap_or_else(panicked) else {
            if self.last.lock().take().is_some() {
                info!("the store of global channels is there");
            }
            let _ = self.started.set(());
            self.news.notify(usize::MAX);
            return true;
        };
        let told = (error.kind(), error.to_string());
        if self.last.lock().replace(told.clone()).as_ref() != Some(&told) {
            warn!(%error, "the store of global channels cannot be used yet");
        }
        self.news.notify(usize::MAX);
        false
    }

    /// The manager, as soon as it has started.
    ///
    /// # Errors
    /// Why it has not started within the timeout; at once if waiting alone will not help.
    pub(super) async fn get(&self) -> Result<&dyn ChannelManager> {
        let started = async {
            loop {
                let news = self.news.listen();
                if self.started.get().is_some() {
                    return Ok(());
                }
                match &*self.last.lock() {
                    Some((kind, message)) if !kind.is_temporary() => {
                        return Err(Error::new(*kind, message.clone()));
                    }
                    _ => (),
                }
                news.await;
            }
        };
        timeout(&self.runtime, self.patience, started).await.unwrap_or_else(|_| {
            let last = self.last.lock().clone();
            let why = last.map_or_else(|| "it has not answered yet".into(), |(_, message)| message);
            Err(Error::new(
                ErrorKind::Unavailable,
                format!("the store of global channels is not there: {why}"),
            ))
        })?;
        Ok(&*self.manager)
    }

    /// How long a call waits for the store to be there.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// The manager, to be stopped; whether it has ever started.
    pub(super) fn manager(&self) -> Option<&dyn ChannelManager> {
        self.started.get().map(|()| &*self.manager)
    }
}
