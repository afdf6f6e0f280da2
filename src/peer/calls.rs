//! The calls under way on one link to another server.

use crate::link::{Frame, Inbox, Link};
use crate::sync::Mutex;
use crate::time::until;
use alloc::sync::Arc;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering};
use event_listener::{Event, listener};
use futures_lite::{FutureExt as _, future};
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::MutexGuard;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Call, Message, Return};
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// After so many answers, others on this thread have their turn.
const TURN: usize = 64;

/// The call's deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late;

/// What has become of a call.
pub(crate) type Outcome = Result<Result<Vec<u8>>, Late>;

/// Is told the outcome of a call, once, unless that is [forgotten](Asked). It must not block: whoever finds the
/// outcome out runs it, mostly the link's reader. So an answer costs no task of its own, and those that come
/// together are dealt with together.
pub(crate) type Then = Box<dyn FnOnce(Outcome) + Send>;

pub(super) struct Calls {
    peer: String,
    link: Link,
    last: AtomicU64,
    pending: Mutex<Pending>,
    /// A deadline that is sooner than all others, or the end.
    sooner: Event,
}

/// A call that has been asked; who drops it does not want the outcome any more.
#[derive(Debug)]
pub(crate) struct Asked(Option<(Arc<Calls>, u64)>);

impl Asked {
    /// The outcome is wanted, whoever lives.
    pub(crate) fn detach(mut self) {
        self.0 = None;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some((calls, id)) = self.0.take() {
            calls.forget(id);
        }
    }
}

/// Calls that wait for an answer; none is taken once the link is closed.
#[derive(Default)]
struct Pending {
    closed: bool,
    /// No further calls come: the link goes with the last answer.
    retired: bool,
    /// When the one timer of this link next looks for calls that are too late.
    look_at: Option<Instant>,
    waiting: HashMap<u64, (Instant, Then)>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("peer", &self.peer).field("link", &self.link).finish_non_exhaustive()
    }
}

/// Nobody reads answers any more.
impl Drop for Calls {
    fn drop(&mut self) {
        self.end();
    }
}

impl Calls {
    pub(super) fn open(runtime: &Arc<dyn Runtime>, peer: String, link: Link, inbox: Inbox) -> Arc<Self> {
        let (last, pending) = (AtomicU64::new(0), Mutex::default());
        let calls = Arc::new(Self { peer, link, last, pending, sooner: Event::new() });
        runtime.spawn(Box::pin(read(Arc::clone(&calls), inbox)));
        runtime.spawn(Box::pin(watch(Arc::clone(runtime), Arc::clone(&calls))));
        calls
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.pending.lock().waiting.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Makes a call ready to be sent. From now on `then` is told its outcome, whatever happens; if it has been told
    /// already, nothing is to be sent.
    pub(super) fn prepare(
        self: &Arc<Self>,
        route: &str,
        body: Vec<u8>,
        deadline: Instant,
        then: Then,
    ) -> Option<(Asked, Frame)> {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let frame = match Frame::new(&Message::Call(Call { id, route: route.into(), body })) {
            Ok(frame) => frame,
            Err(error) => {
                tell(then, Ok(Err(error)));
                return None;
            }
        };
        let mut pending = self.pending.lock();
        if pending.closed {
            drop(pending);
            tell(then, Ok(Err(self.gone())));
            return None;
        }
        pending.waiting.insert(id, (deadline, then));
        let sooner = pending.look_at.is_none_or(|at| deadline < at);
        if sooner {
            pending.look_at = Some(deadline);
        }
        drop(pending);
        if sooner {
            self.sooner.notify(1);
        }
        Some((Asked(Some((Arc::clone(self), id))), frame))
    }

    /// Sends what was made ready if that needs no waiting, or gives it back.
    pub(super) fn try_send(&self, frame: Frame) -> Result<(), Frame> {
        // Of a link that has closed everybody is told by its reader.
        self.link.try_send_frame(frame).unwrap_or(Ok(()))
    }

    pub(super) async fn send(&self, frame: Frame) {
        let _ = self.link.send_frame(frame).await;
    }

    /// Closes the link, once what has been asked is answered.
    pub(super) fn retire(&self) {
        let mut pending = self.pending.lock();
        pending.retired = true;
        self.close_if_done(pending);
    }

    fn close_if_done(&self, pending: MutexGuard<'_, Pending>) {
        let done = pending.retired && pending.waiting.is_empty();
        drop(pending);
        if done {
            self.link.close("no longer needed");
        }
    }

    fn forget(&self, id: u64) {
        let mut pending = self.pending.lock();
        let forgotten = pending.waiting.remove(&id);
        self.close_if_done(pending);
        drop(forgotten);
    }

    fn answered(&self, Return { id, result }: Return) {
        let mut pending = self.pending.lock();
        let Some((_, then)) = pending.waiting.remove(&id) else { return };
        self.close_if_done(pending);
        let answer = result.map(serde_bytes::ByteBuf::into_vec);
        tell(then, Ok(answer.map_err(|(kind, message)| Error::new(kind, message))));
    }

    /// Ends the calls that are too late, and says when to look again; `None`: the link has closed.
    fn end_late(&self) -> Option<Option<Instant>> {
        let now = Instant::now();
        let mut pending = self.pending.lock();
        if pending.closed {
            return None;
        }
        let late: Vec<_> = pending.waiting.extract_if(|_, (deadline, _)| *deadline <= now).collect();
        let next = pending.waiting.values().map(|(deadline, _)| *deadline).min();
        pending.look_at = next;
        self.close_if_done(pending);
        late.into_iter().for_each(|(_, (_, then))| tell(then, Err(Late)));
        Some(next)
    }

    fn end(&self) {
        let mut pending = self.pending.lock();
        pending.closed = true;
        let waiting = core::mem::take(&mut pending.waiting);
        drop(pending);
        waiting.into_values().for_each(|(_, then)| tell(then, Ok(Err(self.gone()))));
        self.sooner.notify(usize::MAX);
    }

    fn gone(&self) -> Error {
        let message =
            format!("the link to {} is gone: the call may or may not have been carried out", self.peer);
        Error::new(ErrorKind::Unavailable, message)
    }
}

/// A panic concerns nobody else's call.
fn tell(then: Then, outcome: Outcome) {
    if catch_unwind(AssertUnwindSafe(|| then(outcome))).is_err() {
        tracing::error!("what was to be done with an answer panicked");
    }
}

/// Hands out answers until the link ends.
async fn read(calls: Arc<Calls>, mut inbox: Inbox) {
    for n in 1_usize.. {
        let Ok(message) = inbox.next().await else { break };
        if let Message::Return(answer) = message {
            calls.answered(answer);
        }
        if n % TURN == 0 {
            future::yield_now().await;
        }
    }
    calls.end();
}

/// The timer for all calls of a link: as long as they are answered in time it has next to nothing to do.
async fn watch(runtime: Arc<dyn Runtime>, calls: Arc<Calls>) {
    loop {
        listener!(calls.sooner => changed);
        let Some(next) = calls.end_late() else { return };
        changed.or(until(&runtime, next)).await;
    }
}
