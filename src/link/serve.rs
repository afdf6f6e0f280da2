//! Taking links on a port.

use super::config::LinkConfig;
use super::handles::{Inbox, Link};
use super::open::accept;
use crate::sync::Mutex;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender};
use core::convert::Infallible;
use core::time::Duration;
use event_listener::Event;
use futures_lite::FutureExt as _;
use std::sync::MutexGuard;
use tangelo_core::runtime::{Listener, Runtime, Stream};
use tangelo_core::wire::Hello;
use tangelo_core::{BoxFuture, Error, ErrorKind, Instant, Result};

/// How long to wait after the system has failed to accept.
const PAUSE: Duration = Duration::from_millis(100);

/// When all places are taken, a handshake older than this gives its place to a newcomer.
const YIELDS_AFTER: Duration = Duration::from_millis(250);

/// Complaints about peers are logged at most this often, so that nobody can flood the log.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Keeps a port open. Dropping it closes the port and cuts unfinished handshakes; links that are
/// established go on.
#[derive(Debug)]
pub(crate) struct Server {
    _stop: Sender<Infallible>,
}

/// Takes connections and hands each one, once it has proved itself, to `on_link` in a task of its own.
pub(crate) fn serve<F>(
    runtime: &Arc<dyn Runtime>,
    listener: Box<dyn Listener>,
    config: Arc<LinkConfig>,
    on_link: F,
) -> Server
where
    F: Fn(Link, Inbox, Hello) -> BoxFuture<'static, ()> + Send + Sync + 'static,
{
    let (stop, stopping) = async_channel::bounded(1);
    let acceptor = Arc::new(Acceptor {
        runtime: Arc::clone(runtime),
        places: Places::new(config.max_handshakes),
        config,
        on_link,
        complained: Mutex::new(None),
    });
    runtime.spawn(Box::pin(async move {
        acceptor.run(&*listener).or(wait_closed(&stopping)).await;
        acceptor.places.clear();
    }));
    Server { _stop: stop }
}

async fn wait_closed(channel: &Receiver<Infallible>) {
    // Nothing is ever sent: the only answer is that all senders are gone.
    let Err(async_channel::RecvError) = channel.recv().await;
}

struct Acceptor<F> {
    runtime: Arc<dyn Runtime>,
    config: Arc<LinkConfig>,
    on_link: F,
    places: Arc<Places>,
    complained: Mutex<Option<Instant>>,
}

impl<F> Acceptor<F>
where
    F: Fn(Link, Inbox, Hello) -> BoxFuture<'static, ()> + Send + Sync + 'static,
{
    async fn run(self: &Arc<Self>, listener: &dyn Listener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let (place, taken) = Places::enter(&self.places, &*self.runtime).await;
                    let address = from.to_string();
                    let this = Arc::clone(self);
                    self.runtime
                        .spawn(Box::pin(async move { this.take(stream, &address, place, taken).await }));
                }
                Err(error) => {
                    self.complain(&Error::io("accept connections; will go on trying", error));
                    self.runtime.sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take(&self, stream: Box<dyn Stream>, address: &str, place: Place, taken: Receiver<Infallible>) {
        let cut = async {
            wait_closed(&taken).await;
            Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{address} took too long over its handshake while others waited, or the port was closed"
                ),
            ))
        };
        let result = accept(&self.runtime, &self.config, stream, address).or(cut).await;
        drop(place);
        match result {
            Ok((link, inbox, hello)) => (self.on_link)(link, inbox, hello).await,
            Err(error) => self.complain(&error),
        }
    }

    /// What an operator can mend is worth a warning; port scanners and the like are not.
    fn complain(&self, error: &Error) {
        if !matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::Io) {
            tracing::debug!("{error}");
            return;
        }
        let mut last = self.complained.lock();
        let now = Instant::now();
        if last.is_none_or(|last| now.saturating_since(last) >= LOG_EVERY) {
            *last = Some(now);
            drop(last);
            tracing::warn!("{error}");
        }
    }
}

/// The places for handshakes that are under way.
#[derive(Debug)]
struct Places {
    max: usize,
    state: Mutex<PlacesState>,
    freed: Event,
}

#[derive(Debug, Default)]
struct PlacesState {
    next: u64,
    /// In order of age. Who is taken out of here has lost its place.
    taken: BTreeMap<u64, (Instant, Sender<Infallible>)>,
}

/// A handshake's place; dropping it frees it.
#[derive(Debug)]
struct Place {
    id: u64,
    places: Arc<Places>,
}

impl Places {
    fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), state: Mutex::default(), freed: Event::new() })
    }

    fn state(&self) -> MutexGuard<'_, PlacesState> {
        self.state.lock()
    }

    /// Waits for a place, at most [`YIELDS_AFTER`]. What comes with it is closed when the place is lost.
    async fn enter(this: &Arc<Self>, runtime: &dyn Runtime) -> (Place, Receiver<Infallible>) {
        loop {
            let freed = this.freed.listen();
            let wait = match this.try_enter() {
                Ok(entered) => return entered,
                Err(wait) => wait,
            };
            freed.or(runtime.sleep(wait)).await;
        }
    }

    fn try_enter(self: &Arc<Self>) -> Result<(Place, Receiver<Infallible>), Duration> {
        let now = Instant::now();
        let mut state = self.state();
        if state.taken.len() >= self.max
            && let Some(oldest) = state.taken.first_entry()
        {
            let age = now.saturating_since(oldest.get().0);
            if age < YIELDS_AFTER {
                return Err(YIELDS_AFTER.saturating_sub(age));
            }
            oldest.remove();
        }
        let id = state.next;
        state.next += 1;
        let (hold, taken) = async_channel::bounded(1);
        state.taken.insert(id, (now, hold));
        Ok((Place { id, places: Arc::clone(self) }, taken))
    }

    fn clear(&self) {
        self.state().taken.clear();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let freed = self.places.state().taken.remove(&self.id);
        drop(freed);
        self.places.freed.notify(1);
    }
}
