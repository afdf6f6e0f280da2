//! Sessions with ZooKeeper: one at a time, opened when it is first needed, and anew when it is over.

use crate::config::Settings;
use crate::error::Fault;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::Result;
use tangelo_core::runtime::Runtime;
use zookeeper_client::{Client, SessionState};

/// An open session, or one that was open. Clones are the same session; it is closed with the last of them.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    client: Client,
    runtime: Arc<dyn Runtime>,
}

impl Session {
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// What stands as the owner of its ephemeral nodes.
    pub(crate) fn id(&self) -> i64 {
        self.client.session_id().0
    }

    /// After so long without a sign of life ZooKeeper ends it, as negotiated.
    pub(crate) fn timeout(&self) -> Duration {
        self.client.session_timeout()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.state() == SessionState::SyncConnected
    }

    /// Whether it will never work again.
    pub(crate) fn is_over(&self) -> bool {
        self.client.state().is_terminated()
    }

    /// `request`, or [`Timeout`](Fault::Timeout) after the session's timeout. A request that is made while there is
    /// no connection waits for one; given up, it may still be sent, in its turn among the others.
    pub(crate) async fn bounded<T, E: From<Fault>>(
        &self,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.within(self.timeout(), request).await
    }

    /// The same with another limit.
    pub(crate) async fn within<T, E: From<Fault>>(
        &self,
        limit: Duration,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let late = async {
            self.runtime.sleep(limit).await;
            Err(Fault::Timeout.into())
        };
        future::or(request, late).await
    }

    /// Sees to it that whatever is read next, in any session, is not older than this moment.
    pub(crate) async fn sync(&self, path: &str) -> Result<(), Fault> {
        self.bounded(self.client.sync(path)).await
    }
}

/// The session that all parts of a coordinator share.
#[derive(Debug)]
pub(crate) struct Sessions {
    runtime: Arc<dyn Runtime>,
    settings: Arc<Settings>,
    current: Mutex<Option<Session>>,
    opening: async_lock::Mutex<()>,
}

impl Sessions {
    pub(crate) const fn new(runtime: Arc<dyn Runtime>, settings: Arc<Settings>) -> Self {
        Self { runtime, settings, current: Mutex::new(None), opening: async_lock::Mutex::new(()) }
    }

    /// The session that is open, connected or not.
    pub(crate) fn current(&self) -> Option<Session> {
        self.current.lock().clone().filter(|session| !session.is_over())
    }

    /// The session that is open, or a new one: each host is tried once.
    ///
    /// # Errors
    /// [`Unavailable`](tangelo_core::ErrorKind::Unavailable), [`Denied`](tangelo_core::ErrorKind::Denied).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn get(&self) -> Result<Session> {
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let _turn = self.opening.lock().await;
        // Somebody else may have opened one meanwhile.
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let connecting = self.settings.connector().connect(self.settings.server());
        let late = async {
            self.runtime.sleep(self.settings.config().timeout * 2).await;
            Err(Fault::Timeout)
        };
        let client = future::or(connecting, late).await.map_err(|fault| self.settings.unreachable(fault))?;
        tracing::debug!(
            session = %client.session_id(),
            timeout_ms = client.session_timeout().as_millis(),
            "a ZooKeeper session is open"
        );
        let session = Session { client, runtime: Arc::clone(&self.runtime) };
        *self.current.lock() = Some(session.clone());
        Ok(session)
    }
}
