//! A few connections, made when they are needed, and again when they are lost.

use crate::config::SqlConfig;
use crate::dialect::Dialect;
use crate::error::{Failure, Finding};
use crate::session::Session;
use alloc::sync::Arc;
use async_lock::{Semaphore, SemaphoreGuardArc};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_core::patience::Backoff;
use tangelo_core::patience::{left, within};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use tracing::{info, warn};

/// A connection that was idle for longer may be dead without anybody having told us.
const TRUSTED: Duration = Duration::from_secs(5);

/// The connections of a manager.
#[derive(Debug)]
pub(crate) struct Pool {
    config: Arc<SqlConfig>,
    dialect: &'static dyn Dialect,
    runtime: Arc<dyn Runtime>,
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<(Box<dyn Session>, Instant)>,
    /// Grows when the connections there are may be no good any more.
    generation: u64,
    /// What the last attempt to connect came to, if it failed.
    failure: Option<Failure>,
    closed: bool,
}

/// A connection to use. It goes back by [`give_back`](Self::give_back); dropped, it is closed, with all that was
/// under way.
#[derive(Debug)]
pub(crate) struct Lease {
    session: Box<dyn Session>,
    generation: u64,
    pool: Arc<Pool>,
    _place: SemaphoreGuardArc,
}

impl Pool {
    pub(crate) fn new(
        config: Arc<SqlConfig>,
        dialect: &'static dyn Dialect,
        runtime: Arc<dyn Runtime>,
        size: usize,
    ) -> Self {
        let places = Arc::new(Semaphore::new(size));
        Self { config, dialect, runtime, places, state: Mutex::default() }
    }

    /// A connection, waiting for one until `deadline`.
    pub(crate) async fn get(self: &Arc<Self>, deadline: Instant) -> Result<Lease, Failure> {
        let Some(place) = within(&*self.runtime, left(deadline), self.places.acquire_arc()).await else {
            let last = self.state().failure.clone();
            return Err(last.unwrap_or_else(|| {
                let message = format!("{}: all connections are in use; raise `connections`", self.config);
                Failure::new(ErrorKind::Unavailable, message)
            }));
        };
        let (session, generation) = self.session(deadline).await?;
        Ok(Lease { session, generation, pool: Arc::clone(self), _place: place })
    }

    async fn session(&self, deadline: Instant) -> Result<(Box<dyn Session>, u64), Failure> {
        let mut backoff = Backoff::default();
        loop {
            let (idle, generation) = {
                let mut state = self.state();
                if state.closed {
                    let message = "this manager of channels was stopped";
                    return Err(Failure::new(ErrorKind::Unavailable, message));
                }
                (state.idle.pop(), state.generation)
            };
            if let Some((mut session, since)) = idle {
                if Instant::now().saturating_since(since) < TRUSTED {
                    return Ok((session, generation));
                }
                let limit = self.config.connect_timeout.min(left(deadline));
                if matches!(within(&*self.runtime, limit, session.ping()).await, Some(Ok(()))) {
                    return Ok((session, generation));
                }
                continue;
            }
            let failure = match self.connect(deadline).await {
                Ok(session) => {
                    if self.state().failure.take().is_some() {
                        info!("connected to {} again", self.config);
                    }
                    return Ok((session, generation));
                }
                Err(failure) => failure,
            };
            if self.state().failure.replace(failure.clone()).is_none() {
                warn!("{}", failure.message);
            }
            if !failure.kind.is_temporary() || left(deadline).is_zero() {
                return Err(failure);
            }
            self.runtime.sleep(backoff.pause().min(left(deadline))).await;
            if left(deadline).is_zero() {
                return Err(failure);
            }
        }
    }

    async fn connect(&self, deadline: Instant) -> Result<Box<dyn Session>, Failure> {
        let limit = self.config.connect_timeout.min(left(deadline));
        match within(&*self.runtime, limit, self.dialect.connect(&self.config)).await {
            Some(Ok(session)) => Ok(session),
            Some(Err(error)) => Err(Failure::of(&self.config, Finding::of(self.dialect, &error), &error)),
            None => {
                let message = format!("{}: no connection within {limit:?}", self.config);
                Err(Failure::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// Nobody gets a connection any more, and those that are idle are closed.
    pub(crate) async fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.closed = true;
            core::mem::take(&mut state.idle)
        };
        let all = async {
            for (session, _) in idle {
                // It is over either way.
                let _ = session.close().await;
            }
        };
        within(&*self.runtime, self.config.connect_timeout, all).await;
    }

    /// After a [`close`](Self::close) it may be used again.
    pub(crate) fn reopen(&self) {
        self.state().closed = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(crate) fn session(&mut self) -> &mut dyn Session {
        &mut *self.session
    }

    /// It was used to the end, and nothing is under way.
    pub(crate) fn give_back(self) {
        let mut state = self.pool.state();
        if !state.closed && state.generation == self.generation {
            state.idle.push((self.session, Instant::now()));
        }
    }

    /// The server has gone: so have the other connections to it.
    pub(crate) fn lost(self) {
        let gone = {
            let mut state = self.pool.state();
            if state.generation != self.generation {
                return;
            }
            state.generation += 1;
            core::mem::take(&mut state.idle)
        };
        drop(gone);
    }
}
