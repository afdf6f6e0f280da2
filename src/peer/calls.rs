//! The calls under way on one link to another server.

use crate::link::{Frame, Inbox, Link};
use crate::sync::Mutex;
use crate::time::until;
use alloc::sync::{Arc, Weak};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use event_listener::{Event, listener};
use futures_lite::FutureExt as _;
use serde_bytes::ByteBuf;
use std::collections::HashMap;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Call, Message, Return};
use tangelo_core::{Error, ErrorKind, Instant, Result};

type Answer = Result<ByteBuf, (ErrorKind, String)>;

#[derive(Debug)]
pub(super) struct Calls {
    peer: String,
    link: Link,
    pending: Mutex<Pending>,
    /// A deadline that is sooner than all others, or the end.
    sooner: Arc<Event>,
}

/// Calls that wait for an answer; none is taken once the link is closed.
#[derive(Debug, Default)]
struct Pending {
    last: u64,
    closed: bool,
    /// When the one timer of this link next looks for calls that are too late.
    look_at: Option<Instant>,
    waiting: HashMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Asked(Option<Waker>),
    Answered(Answer),
    Late,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoAnswer {
    Gone,
    Late,
}

/// The call's deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late;

/// A call that has been sent; it is forgotten when its caller goes away.
#[derive(Debug)]
pub(super) struct Sent {
    calls: Arc<Calls>,
    id: u64,
}

impl Future for Sent {
    type Output = Result<Result<Vec<u8>>, Late>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.calls.poll_answer(self.id, cx).map(|answer| match answer {
            Ok(Ok(body)) => Ok(Ok(body.into_vec())),
            Ok(Err((kind, message))) => Ok(Err(Error::new(kind, message))),
            Err(NoAnswer::Gone) => Ok(Err(self.calls.gone())),
            Err(NoAnswer::Late) => Err(Late),
        })
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let forgotten = self.calls.pending.lock().waiting.remove(&self.id);
        drop(forgotten);
    }
}

/// Nobody can call any more.
impl Drop for Calls {
    fn drop(&mut self) {
        self.link.close("no longer needed");
        self.sooner.notify(usize::MAX);
    }
}

impl Calls {
    pub(super) fn open(runtime: &Arc<dyn Runtime>, peer: String, link: Link, inbox: Inbox) -> Arc<Self> {
        let sooner = Arc::new(Event::new());
        let calls = Arc::new(Self { peer, link, pending: Mutex::default(), sooner: Arc::clone(&sooner) });
        runtime.spawn(Box::pin(read(Arc::downgrade(&calls), inbox)));
        runtime.spawn(Box::pin(watch(Arc::clone(runtime), Arc::downgrade(&calls), sooner)));
        calls
    }

    pub(super) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Makes a call ready to be sent.
    ///
    /// # Errors
    /// If the link is closed, or the call is too large.
    pub(super) fn prepare(
        self: &Arc<Self>,
        route: &str,
        body: Vec<u8>,
        deadline: Instant,
    ) -> Result<(Sent, Frame)> {
        let mut pending = self.pending.lock();
        if pending.closed {
            return Err(self.gone());
        }
        pending.last += 1;
        let id = pending.last;
        pending.waiting.insert(id, Waiting { deadline, state: State::Asked(None) });
        let sooner = pending.look_at.is_none_or(|at| deadline < at);
        if sooner {
            pending.look_at = Some(deadline);
        }
        drop(pending);
        let sent = Sent { calls: Arc::clone(self), id };
        if sooner {
            self.sooner.notify(1);
        }
        let frame = Frame::new(&Message::Call(Call { id, route: route.into(), body }))?;
        Ok((sent, frame))
    }

    /// Sends what was made ready if that needs no waiting, or gives it back.
    pub(super) fn try_send(&self, frame: Frame) -> Result<Result<(), Frame>> {
        self.link.try_send_frame(frame)
    }

    pub(super) async fn send(&self, frame: Frame) -> Result<()> {
        self.link.send_frame(frame).await
    }

    fn poll_answer(&self, id: u64, cx: &Context<'_>) -> Poll<Result<Answer, NoAnswer>> {
        let mut pending = self.pending.lock();
        let Some(waiting) = pending.waiting.get_mut(&id) else { return Poll::Ready(Err(NoAnswer::Gone)) };
        if let State::Asked(waker) = &mut waiting.state {
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *waker = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        match pending.waiting.remove(&id).map(|waiting| waiting.state) {
            Some(State::Answered(answer)) => Poll::Ready(Ok(answer)),
            _ => Poll::Ready(Err(NoAnswer::Late)),
        }
    }

    fn answered(&self, id: u64, answer: Answer) {
        let mut pending = self.pending.lock();
        // Else nobody waits for it any more.
        if let Some(Waiting { state: state @ State::Asked(_), .. }) = pending.waiting.get_mut(&id)
            && let State::Asked(Some(waker)) = core::mem::replace(state, State::Answered(answer))
        {
            drop(pending);
            waker.wake();
        }
    }

    /// Ends the calls that are too late, and says when to look again.
    fn end_late(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut wakers = Vec::new();
        let mut pending = self.pending.lock();
        let mut next = None;
        for Waiting { deadline, state } in pending.waiting.values_mut() {
            if let State::Asked(waker) = state {
                if *deadline <= now {
                    wakers.extend(waker.take());
                    *state = State::Late;
                } else {
                    next = Some(next.map_or(*deadline, |next: Instant| next.min(*deadline)));
                }
            }
        }
        pending.look_at = next;
        drop(pending);
        wakers.into_iter().for_each(Waker::wake);
        next
    }

    fn end(&self) {
        let mut pending = self.pending.lock();
        pending.closed = true;
        // Answers that have come and were not fetched yet are still good.
        let (mut wakers, mut answered) = (Vec::new(), HashMap::new());
        for (id, waiting) in pending.waiting.drain() {
            match waiting.state {
                State::Asked(waker) => wakers.extend(waker),
                _ => drop(answered.insert(id, waiting)),
            }
        }
        pending.waiting = answered;
        drop(pending);
        wakers.into_iter().for_each(Waker::wake);
        self.sooner.notify(usize::MAX);
    }

    fn gone(&self) -> Error {
        let message =
            format!("the link to {} is gone: the call may or may not have been carried out", self.peer);
        Error::new(ErrorKind::Unavailable, message)
    }
}

/// Hands answers to their callers until the link ends or nobody can call any more.
async fn read(calls: Weak<Calls>, mut inbox: Inbox) {
    while let Ok(message) = inbox.next().await {
        let Some(calls) = calls.upgrade() else { return };
        if let Message::Return(Return { id, result }) = message {
            calls.answered(id, result);
        }
    }
    if let Some(calls) = calls.upgrade() {
        calls.end();
    }
}

/// The timer for all calls of a link: as long as they are answered in time it has next to nothing to do.
async fn watch(runtime: Arc<dyn Runtime>, calls: Weak<Calls>, sooner: Arc<Event>) {
    loop {
        listener!(sooner => changed);
        let next = match calls.upgrade() {
            Some(calls) if !calls.pending.lock().closed => calls.end_late(),
            _ => return,
        };
        changed.or(until(&runtime, next)).await;
    }
}
