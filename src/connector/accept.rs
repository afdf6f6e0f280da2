//! Taking connections of clients.

use super::client::Client;
use super::hub::Hub;
use super::sweep;
use super::task::ClientTask;
use super::tls::Tls;
use super::why::Why;
use alloc::sync::Arc;
use async_channel::Receiver;
use core::convert::Infallible;
use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;
use futures_lite::FutureExt as _;
use futures_lite::future::yield_now;
use tangelo_core::Instant;
use tangelo_core::runtime::{Listener, Stream};
use tracing::warn;

/// How long to wait after the system has failed to accept.
const PAUSE: Duration = Duration::from_millis(100);
/// Such failures are logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// After so many connections others have their turn.
const AT_ONCE: usize = 32;

/// Takes connections until the port is to be closed.
pub(super) async fn accept(hub: Arc<Hub>, listener: Box<dyn Listener>, stop: Receiver<Infallible>) {
    let stopped = async {
        // Nothing is ever sent: the only answer is that all senders are gone.
        let Err(async_channel::RecvError) = stop.recv().await;
    };
    take_all(&hub, &*listener).or(stopped).await;
}

async fn take_all(hub: &Arc<Hub>, listener: &dyn Listener) {
    let mut logged: Option<Instant> = None;
    let mut turn = 0_usize;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => take(hub, stream, address),
            Err(error) => {
                hub.counters.accept_errors.fetch_add(1, Ordering::Relaxed);
                let now = Instant::now();
                if logged.is_none_or(|last| now.saturating_since(last) >= LOG_EVERY) {
                    logged = Some(now);
                    warn!(%error, "cannot accept clients; will go on trying (`ulimit -n` bounds them)");
                }
                hub.app.sleep(PAUSE).await;
            }
        }
        turn += 1;
        if turn.is_multiple_of(AT_ONCE) {
            yield_now().await;
        }
    }
}

/// Takes one connection.
pub(super) fn take(hub: &Arc<Hub>, stream: Box<dyn Stream>, address: SocketAddr) {
    let (clients, config) = (hub.clients(), &hub.config);
    if config.max_connections.is_some_and(|max| clients.open() >= max as usize) {
        hub.counters.turned_away.fetch_add(1, Ordering::Relaxed);
        return;
    }
    hub.counters.accepted.fetch_add(1, Ordering::Relaxed);
    let stream = match &hub.tls {
        Some(tls) => Tls::accept(tls, stream),
        None => stream,
    };
    let client = Client::connected(hub, hub.next_id(), address, stream);
    clients.opened(&client);
    let longest = {
        let mut fresh = hub.fresh.lock();
        let longest = if fresh.len() >= config.max_handshakes as usize { fresh.pop_first() } else { None };
        fresh.insert(client.id(), client.clone());
        longest
    };
    if let Some((_, longest)) = longest {
        longest.close(Why::Crowded);
    }
    let stopped = client.clone();
    hub.app.runtime().spawn(Box::pin(ClientTask::new(client, Instant::now())));
    sweep::begin(hub);
    if hub.stopping.load(Ordering::Acquire) {
        stopped.close(Why::STOPPING);
    }
}
