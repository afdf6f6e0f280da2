//! Keeps a connection: makes it when it is first needed, and again whenever it is lost.

use crate::config::RedisConfig;
use crate::connect::{Connection, Identity, open};
use crate::error::{Failure, Remedy, remedy};
use crate::script::Request;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use event_listener::Event;
use redis::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_core::patience::Backoff;
use tangelo_core::patience::{left, within};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use tracing::{info, warn};

/// The connection of a manager.
#[derive(Debug)]
pub(crate) struct Link {
    config: Arc<RedisConfig>,
    runtime: Arc<dyn Runtime>,
    state: Mutex<State>,
    /// The state has changed.
    changed: Event,
    /// Counts the connections.
    serial: AtomicU64,
}

#[derive(Debug)]
enum State {
    /// Nobody has needed it yet.
    Idle,
    /// A task works on it; the failure is the last attempt's.
    Down(Option<Failure>),
    /// In use; of a Cluster, perhaps with a task that makes another one.
    Up {
        connection: Connection,
        serial: u64,
        renewing: bool,
    },
    Closed,
}

/// A connection to use, and which one it is.
pub(crate) struct Ticket {
    pub(crate) connection: Connection,
    serial: u64,
}

/// What came of one attempt.
pub(crate) enum Attempt {
    Done(Value),
    /// It may be tried again, at once or after a pause; the failure is for those who can wait no longer.
    Again(Failure),
    Failed(Failure),
}

impl Link {
    pub(crate) fn new(config: Arc<RedisConfig>, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            config,
            runtime,
            state: Mutex::new(State::Idle),
            changed: Event::new(),
            serial: AtomicU64::new(0),
        }
    }

    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// A connection, waiting for one until `deadline`.
    pub(crate) async fn get(self: &Arc<Self>, deadline: Instant) -> Result<Ticket, Failure> {
        loop {
            let changed = self.changed.listen();
            let last = {
                let mut state = self.state();
                match &*state {
                    State::Up { connection, serial, .. } => {
                        return Ok(Ticket { connection: connection.clone(), serial: *serial });
                    }
                    State::Closed => {
                        let message = "this manager of channels was stopped";
                        return Err(Failure::new(ErrorKind::Unavailable, message));
                    }
                    // Waiting does not cure it.
                    State::Down(Some(failure)) if !failure.kind.is_temporary() => return Err(failure.clone()),
                    State::Down(failure) => failure.clone(),
                    State::Idle => {
                        *state = State::Down(None);
                        self.reconnect(None);
                        None
                    }
                }
            };
            if within(self.runtime(), left(deadline), changed).await.is_none() {
                return Err(last.or_else(|| self.last_failure()).unwrap_or_else(|| {
                    let message = format!("Redis at {}: no connection in time", self.config);
                    Failure::new(ErrorKind::Unavailable, message)
                }));
            }
        }
    }

    /// Sends a request once, and judges what came of it. `limit` is how long an answer may take.
    pub(crate) async fn attempt(
        self: &Arc<Self>,
        ticket: &Ticket,
        request: &Request,
        limit: Duration,
    ) -> Attempt {
        let cluster = self.config.is_cluster();
        let mut full = false;
        loop {
            let answer = ticket.connection.clone().send(request, full, self.config.replicas);
            let error = match within(self.runtime(), limit, answer).await {
                Some(Ok(value)) => return Attempt::Done(value),
                Some(Err(error)) => error,
                None => return Attempt::Again(self.silent(ticket, limit)),
            };
            let failure = if cluster {
                Failure::in_cluster(&*self.config, &error)
            } else {
                Failure::of(&*self.config, &error)
            };
            match remedy(&error, cluster) {
                Remedy::InFull if !full => full = true,
                Remedy::Reconnect => return Attempt::Again(self.lost(ticket, failure)),
                Remedy::Again => return Attempt::Again(failure),
                Remedy::InFull | Remedy::None => return Attempt::Failed(failure),
            }
        }
    }

    /// One request, again and again until `deadline`. An answer may take as long as that, if it is `long`.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: &Request,
        deadline: Instant,
        long: bool,
    ) -> tangelo_core::Result<Value> {
        let mut backoff = Backoff::default();
        loop {
            let ticket = self.get(deadline).await.map_err(|failure| failure.error(request.doing))?;
            let limit = if long { left(deadline) } else { left(deadline).min(self.config.response_timeout) };
            match self.attempt(&ticket, request, limit).await {
                Attempt::Done(value) => return Ok(value),
                Attempt::Failed(failure) => return Err(failure.error(request.doing)),
                Attempt::Again(failure) => {
                    if left(deadline).is_zero() {
                        return Err(failure.error(request.doing));
                    }
                    self.runtime.sleep(backoff.pause().min(left(deadline))).await;
                }
            }
        }
    }

    /// A server that has not answered a request is taken for dead.
    pub(crate) fn silent(self: &Arc<Self>, ticket: &Ticket, limit: Duration) -> Failure {
        let message = format!("Redis at {} has not answered within {limit:?}", self.config);
        self.lost(ticket, Failure::new(ErrorKind::Timeout, message))
    }

    /// Gives up a connection; whoever needs one waits for the next.
    fn lost(self: &Arc<Self>, ticket: &Ticket, failure: Failure) -> Failure {
        let mut state = self.state();
        match &mut *state {
            State::Up { serial, renewing, .. } if *serial == ticket.serial && !*renewing => {
                warn!("{}: connecting again", failure.message);
                if self.config.is_cluster() {
                    // Its other nodes are asked through it until there is another.
                    *renewing = true;
                    self.reconnect(None);
                } else {
                    let earlier = ticket.connection.identity().cloned();
                    *state = State::Down(Some(failure.clone()));
                    self.reconnect(earlier);
                }
            }
            _ => {}
        }
        failure
    }

    /// Ends it, for good or until [`reopen`](Self::reopen).
    pub(crate) fn close(&self) {
        *self.state() = State::Closed;
        self.changed.notify(usize::MAX);
    }

    /// After a [`close`](Self::close) it may be used again.
    pub(crate) fn reopen(&self) {
        let mut state = self.state();
        if matches!(*state, State::Closed) {
            *state = State::Idle;
        }
    }

    fn last_failure(&self) -> Option<Failure> {
        match &*self.state() {
            State::Down(failure) => failure.clone(),
            _ => None,
        }
    }

    fn reconnect(self: &Arc<Self>, earlier: Option<Identity>) {
        let task = Reconnect {
            link: Arc::downgrade(self),
            config: Arc::clone(&self.config),
            runtime: Arc::clone(&self.runtime),
        };
        self.runtime.spawn(Box::pin(async move { task.run(earlier).await }));
    }

    /// What came of an attempt to connect; true if there is nothing more to do.
    fn settle(&self, outcome: Result<Connection, Failure>) -> bool {
        let mut state = self.state();
        if !matches!(*state, State::Down(_) | State::Up { renewing: true, .. }) {
            return true;
        }
        let connected = outcome.is_ok();
        match (outcome, &*state) {
            (Ok(connection), _) => {
                info!("connected to Redis at {}", self.config);
                let serial = self.serial.fetch_add(1, Ordering::Relaxed);
                *state = State::Up { connection, serial, renewing: false };
            }
            (Err(failure), State::Down(_)) => *state = State::Down(Some(failure)),
            (Err(_), _) => {}
        }
        drop(state);
        self.changed.notify(usize::MAX);
        connected
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that makes a connection. It ends with the link, which it does not keep alive.
struct Reconnect {
    link: Weak<Link>,
    config: Arc<RedisConfig>,
    runtime: Arc<dyn Runtime>,
}

impl Reconnect {
    async fn run(self, earlier: Option<Identity>) {
        let mut backoff = Backoff::default();
        while self.link.strong_count() > 0 {
            let outcome = open(&self.config, &*self.runtime, earlier.as_ref()).await;
            if self.link.upgrade().is_none_or(|link| link.settle(outcome)) {
                return;
            }
            self.runtime.sleep(backoff.pause()).await;
        }
    }
}
