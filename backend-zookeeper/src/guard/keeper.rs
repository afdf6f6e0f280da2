//! The guard's own session with ZooKeeper, kept for ever.

use super::connect;
use super::time::{jittered, within};
use crate::config::Settings;
use crate::error::{Fault, is_hopeless};
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::future::pending;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use event_listener::Event;
use futures_lite::future::or;
use std::sync::MutexGuard;
use tangelo_core::Result;
use tangelo_core::runtime::Runtime;
use zookeeper_client::{Client, SessionState};

/// The pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The same, when the master is dead and every millisecond counts.
const URGENT_PAUSE: Duration = Duration::from_millis(50);
/// How long a lost connection may take to come back before a new session is opened beside it. The client's own
/// pauses grow without bound, and this session has nothing to lose.
const RETURN_LIMIT: Duration = Duration::from_secs(1);
/// How long an attempt may take that is urgent: at first, and at last.
pub(super) const FIRST_LIMIT: Duration = Duration::from_millis(200);
pub(super) const LONGEST_LIMIT: Duration = Duration::from_secs(2);
/// Closing a session takes a round trip and a write.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Holds the session that [`run`](Self::run) keeps.
#[derive(Debug)]
pub(super) struct Keeper {
    runtime: Arc<dyn Runtime>,
    settings: Settings,
    state: Mutex<State>,
    changed: Event,
    urgent: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Present while it is connected.
    client: Option<Client>,
    /// The longest that any session has been granted so far, or what is asked for.
    timeout: Duration,
}

impl Keeper {
    pub(super) fn new(runtime: Arc<dyn Runtime>, settings: Settings) -> Self {
        let state = State { client: None, timeout: settings.config().timeout };
        let (changed, urgent) = (Event::new(), AtomicBool::new(false));
        Self { runtime, settings, state: Mutex::new(state), changed, urgent }
    }

    /// Keeps a session until this is dropped.
    ///
    /// # Errors
    /// Only what no waiting can cure.
    pub(super) async fn run(&self) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(client) => {
                    pause = FIRST_PAUSE;
                    tracing::debug!("the guard has a session with ZooKeeper: {}", client.session_id());
                    let lost = self.keep(&client).await;
                    self.set(None);
                    if lost == SessionState::AuthFailed {
                        return Err(self.settings.unreachable(Fault::AuthFailed));
                    }
                    tracing::debug!("the guard has lost its session with ZooKeeper: {lost}");
                }
                Err(e) if is_hopeless(&e) => return Err(e),
                Err(e) => tracing::debug!("the guard has no session with ZooKeeper: {e}"),
            }
            let wait = jittered(if self.urgent() { URGENT_PAUSE } else { pause });
            or(self.runtime.sleep(wait), self.hurried()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One attempt to get a session.
    async fn connect(&self) -> Result<Client> {
        let urgent = async {
            self.until(|_| self.urgent()).await;
            let connected = within(&*self.runtime, LONGEST_LIMIT, connect::at_once(&self.settings)).await;
            connected.unwrap_or_else(|| Err(self.settings.unreachable(Fault::Timeout)))
        };
        if self.urgent() { urgent.await } else { or(connect::in_turn(&self.settings), urgent).await }
    }

    /// Shows the session while it is connected, until it is lost.
    async fn keep(&self, client: &Client) -> SessionState {
        let mut states = client.state_watcher();
        let mut state = states.state();
        loop {
            let next = async { Some(states.changed().await) };
            let next = match state {
                SessionState::SyncConnected => {
                    self.set(Some(client));
                    let discarded = async {
                        self.until(|state| state.client.is_none()).await;
                        None
                    };
                    or(next, discarded).await
                }
                SessionState::Disconnected => {
                    self.set(None);
                    let late = async {
                        or(self.runtime.sleep(RETURN_LIMIT), self.until(|_| self.urgent())).await;
                        None
                    };
                    or(next, late).await
                }
                _ => None,
            };
            match next {
                Some(next) => state = next,
                None => return state,
            }
        }
    }

    /// The session, as soon as it is connected. Cancel safe.
    pub(super) async fn client(&self) -> Client {
        loop {
            if let Some(client) = self.state().client.clone() {
                return client;
            }
            self.until(|state| state.client.is_some()).await;
        }
    }

    /// Gives up a session that does not answer: another is opened.
    pub(super) fn discard(&self, client: &Client) {
        let mut state = self.state();
        if state.client.as_ref().is_some_and(|kept| kept.session_id() == client.session_id()) {
            state.client = None;
            self.changed.notify(usize::MAX);
        }
    }

    /// From now on a session is wanted at any price.
    pub(super) fn hurry(&self) {
        self.urgent.store(true, Ordering::SeqCst);
        self.changed.notify(usize::MAX);
    }

    /// Where ZooKeeper is, and what is where in it.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends when it becomes urgent.
    async fn hurried(&self) {
        if self.urgent() {
            pending::<()>().await;
        }
        self.until(|_| self.urgent()).await;
    }

    fn urgent(&self) -> bool {
        self.urgent.load(Ordering::SeqCst)
    }

    /// Whether there is a session now.
    pub(super) fn connected(&self) -> bool {
        self.state().client.is_some()
    }

    /// Waits until [`connected`](Self::connected) is other than `seen`. Cancel safe.
    pub(super) async fn connection_changed(&self, seen: bool) {
        self.until(|state| state.client.is_some() != seen).await;
    }

    /// How long the sessions of this configuration live without a sign of life.
    pub(super) fn timeout(&self) -> Duration {
        self.state().timeout
    }

    /// Closes the session, if there is one: an orderly end for ZooKeeper's log.
    pub(super) async fn close(&self) {
        let Some(client) = self.state().client.take() else { return };
        let mut states = client.state_watcher();
        // The session is closed when its last client is dropped.
        drop(client);
        let closed = async { while !states.changed().await.is_terminated() {} };
        within(&*self.runtime, CLOSE_LIMIT, closed).await;
    }

    fn set(&self, client: Option<&Client>) {
        let mut state = self.state();
        state.client = client.cloned();
        if let Some(client) = client {
            state.timeout = state.timeout.max(client.session_timeout());
        }
        self.changed.notify(usize::MAX);
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.listen();
            if condition(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
