//! One client of this frontend: its connection and its session.

mod close;
mod user;
mod write;

use super::hub::Hub;
use super::outbox::Outbox;
use super::pipe::Pipe;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use serde_json::{Map, Value};
use std::sync::MutexGuard;
use tangelo_core::Instant;
use tangelo_core::runtime::Stream;
pub(super) use write::{Flushed, refusal};

/// A connection that is closing has this long to hear its last words.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);

/// A client of this frontend; a cheap handle, also when the client has gone.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    id: u64,
    address: SocketAddr,
    hub: Arc<Hub>,
    stage: AtomicU8,
    /// Whether it speaks WebSocket.
    web: AtomicBool,
    /// When its task is to be woken, in milliseconds after boot; `u64::MAX`: never.
    deadline: AtomicU64,
    /// How many of its messages are worked on.
    under_way: AtomicU32,
    outbox: Mutex<Outbox>,
    session: Mutex<Session>,
    // Locked before the outbox.
    pipe: Mutex<Pipe>,
}

#[derive(Debug, Default)]
struct Session {
    uid: Option<Arc<str>>,
    settings: Map<String, Value>,
    /// The same as JSON; empty if nothing has been set.
    encoded: Arc<[u8]>,
    /// What it was told at its end.
    farewell: Option<Box<str>>,
}

/// On the way to be a client.
const FRESH: u8 = 0;
/// A client.
const WORKING: u8 = 1;
/// Closed, or about to be.
const CLOSED: u8 = 2;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.0.id).field("address", &self.0.address).finish()
    }
}

impl Client {
    pub(super) fn connected(hub: &Arc<Hub>, id: u64, address: SocketAddr, stream: Box<dyn Stream>) -> Self {
        Self(Arc::new(Inner {
            id,
            address,
            hub: Arc::clone(hub),
            stage: AtomicU8::new(FRESH),
            web: AtomicBool::new(false),
            deadline: AtomicU64::new(u64::MAX),
            under_way: AtomicU32::new(0),
            outbox: Mutex::default(),
            session: Mutex::default(),
            pipe: Mutex::new(Pipe::new(stream, hub.tls.is_some())),
        }))
    }

    /// Its number, unique in this life of the frontend.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Where it has connected from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether its connection is closed, or about to be.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == CLOSED
    }

    /// Whether its handshake is through, and it has not closed.
    pub(super) fn is_working(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == WORKING
    }

    /// Its handshake is through. `false`: it has closed.
    pub(super) fn begin_work(&self) -> bool {
        let swapped = self.0.stage.compare_exchange(FRESH, WORKING, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_ok() {
            self.0.hub.clients().count(1);
            self.0.hub.fresh.lock().remove(&self.0.id);
        }
        swapped.is_ok()
    }

    /// It speaks WebSocket.
    pub(super) fn is_upgraded(&self) {
        self.0.web.store(true, Ordering::Release);
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// Its connection. The lock is held across system calls, but no others are taken in there but the outbox's.
    pub(super) fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.0.pipe.lock()
    }

    /// Its task is at work from now on. `false`: its connection is closing.
    pub(super) fn begin_turn(&self, cx: &Context<'_>) -> bool {
        let mut outbox = self.0.outbox.lock();
        if !outbox.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            outbox.task = Some(cx.waker().clone());
        }
        outbox.turning = outbox.closing().is_none();
        outbox.turning
    }

    /// Its task is through. `true`: what waits is for it to write.
    pub(super) fn end_turn(&self) -> bool {
        self.0.outbox.lock().end_turn()
    }

    /// When its task wants to be woken.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        let at = deadline.map_or(u64::MAX, millis);
        self.0.deadline.store(at, Ordering::Release);
    }

    /// Wakes its task if that wants it, at `now` in milliseconds after boot.
    pub(super) fn wake_if_due(&self, now: u64) {
        if self.0.deadline.load(Ordering::Acquire) <= now {
            self.wake();
        }
    }

    fn wake(&self) {
        let task = self.0.outbox.lock().task.clone();
        task.inspect(Waker::wake_by_ref);
    }

    /// One more of its messages is worked on.
    pub(super) fn begin_message(&self) {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
    }

    /// One of them is through.
    pub(super) fn end_message(&self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) >= self.0.hub.config.requests_at_once {
            // It had not been read from.
            self.wake();
        }
    }

    /// Whether so many of its messages are worked on that it is not read from.
    pub(super) fn is_busy(&self) -> bool {
        self.0.under_way.load(Ordering::Acquire) >= self.0.hub.config.requests_at_once
    }

    /// Whether so much waits for it that it is not read from; its task is woken when nothing does.
    pub(super) fn is_behind(&self) -> bool {
        let mut outbox = self.0.outbox.lock();
        outbox.paused = !outbox.is_relaxed(self.0.hub.room);
        outbox.paused
    }

    /// Whether it has taken something of what waits since this was asked last.
    pub(super) fn progresses(&self) -> bool {
        core::mem::take(&mut self.0.outbox.lock().progress)
    }
}

/// Milliseconds after boot, rounded up.
pub(super) fn millis(at: Instant) -> u64 {
    u64::try_from(at.since_boot().as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_takes_little_memory() {
        assert!(size_of::<Inner>() <= 512, "{}", size_of::<Inner>());
    }
}
