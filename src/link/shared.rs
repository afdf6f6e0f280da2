//! What a link's handles and its task share: the two queues, and whether it is open.

use super::closed::Closed;
use super::config::QueueLimits;
use crate::sync::Mutex;
use alloc::collections::VecDeque;
use core::task::{Context, Poll, Waker};
use event_listener::{Event, EventListener};
use std::sync::MutexGuard;
use tangelo_core::wire::{Hello, Message};
use tangelo_core::{Error, ErrorKind, Result};

/// The state of one link. No lock is held across an await or a wake.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) peer: Hello,
    /// The peer as errors and logs name it.
    pub(super) name: String,
    limits: QueueLimits,
    state: Mutex<State>,
    /// Room in the outbound queue, or the end of the link.
    room: Event,
    /// The task has ended.
    ended: Event,
}

#[derive(Debug, Default)]
struct State {
    /// Whole frames.
    outbound: VecDeque<Vec<u8>>,
    outbound_bytes: usize,
    inbound: VecDeque<(Message, u32)>,
    /// What the reader has taken since the peer was last told.
    consumed: Consumed,
    /// The task, if it sleeps.
    task: Option<Waker>,
    /// The reader, if it waits.
    reader: Option<Waker>,
    no_links: bool,
    no_inbox: bool,
    closed: Option<Closed>,
    ended: bool,
    peer_rss: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Consumed {
    messages: u32,
    bytes: u32,
}

/// What the task must know of the handles.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Room that the reader has made, once it is worth telling.
    pub(super) credit: Option<QueueLimits>,
    /// The link was closed here.
    pub(super) close: Option<String>,
    /// Nothing is left to be sent.
    pub(super) drained: bool,
}

/// A queue that had no room: the frame, and the event to wait for.
type NoRoom = (Vec<u8>, EventListener);

impl Shared {
    pub(super) fn new(peer: Hello, name: String, limits: QueueLimits) -> Self {
        let state = Mutex::default();
        Self { peer, name, limits, state, room: Event::new(), ended: Event::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn closed_error(&self, closed: &Closed) -> Error {
        let kind = match closed {
            Closed::Protocol(_) => ErrorKind::Protocol,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("the link to {} is closed: {closed}", self.name))
    }

    /// Queues a frame, or gives it back with an event that tells of room.
    fn push(&self, frame: Vec<u8>) -> Result<Result<(), NoRoom>> {
        let mut state = self.state();
        if let Some(closed) = &state.closed {
            return Err(self.closed_error(closed));
        }
        let full = state.outbound.len() >= self.limits.messages as usize
            || state.outbound_bytes + frame.len() > self.limits.bytes as usize;
        if full && !state.outbound.is_empty() {
            return Ok(Err((frame, self.room.listen())));
        }
        state.outbound_bytes += frame.len();
        state.outbound.push_back(frame);
        let task = state.task.take();
        drop(state);
        wake(task);
        Ok(Ok(()))
    }

    /// Queues a frame if there is room, or gives it back.
    pub(super) fn try_push(&self, frame: Vec<u8>) -> Result<Result<(), Vec<u8>>> {
        Ok(self.push(frame)?.map_err(|(frame, _)| frame))
    }

    pub(super) fn try_send(&self, frame: Vec<u8>) -> Result<()> {
        match self.push(frame)? {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the queue to {} is full: it does not keep up with what it is sent", self.name),
            )),
        }
    }

    pub(super) async fn send(&self, mut frame: Vec<u8>) -> Result<()> {
        loop {
            let room;
            (frame, room) = match self.push(frame)? {
                Ok(()) => return Ok(()),
                Err(no_room) => no_room,
            };
            room.await;
        }
    }

    /// The next message; those that came before the end are still given out.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Message, Closed>> {
        let mut state = self.state();
        if let Some((message, bytes)) = state.inbound.pop_front() {
            state.consumed.add(bytes);
            let task = if self.worth_telling(state.consumed) { state.task.take() } else { None };
            drop(state);
            wake(task);
            return Poll::Ready(Ok(message));
        }
        if let Some(closed) = &state.closed {
            return Poll::Ready(Err(closed.clone()));
        }
        remember(&mut state.reader, cx);
        Poll::Pending
    }

    /// Closes the link from this side: nothing more is taken, and what is queued is sent.
    pub(super) fn close(&self, reason: &str) {
        let mut state = self.state();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(Closed::Local(reason.into()));
        let wakers = [state.task.take(), state.reader.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
        self.room.notify(usize::MAX);
    }

    pub(super) fn links_dropped(&self) {
        let mut state = self.state();
        state.no_links = true;
        self.close_if_unused(state);
    }

    pub(super) fn inbox_dropped(&self) {
        let mut state = self.state();
        state.no_inbox = true;
        while let Some((_, bytes)) = state.inbound.pop_front() {
            state.consumed.add(bytes);
        }
        let task = state.task.take();
        self.close_if_unused(state);
        wake(task);
    }

    fn close_if_unused(&self, state: MutexGuard<'_, State>) {
        let unused = state.no_links && state.no_inbox;
        drop(state);
        if unused {
            self.close("nobody uses it any more");
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    pub(super) fn peer_rss(&self) -> Option<u64> {
        self.state().peer_rss
    }

    /// Waits until the task has ended: all was sent, or given up.
    pub(super) async fn ended(&self) {
        loop {
            let ended = self.ended.listen();
            if self.state().ended {
                return;
            }
            ended.await;
        }
    }

    // The task's side.

    pub(super) fn set_peer_rss(&self, bytes: u64) {
        self.state().peer_rss = Some(bytes);
    }

    /// Hands what has come to the reader; what nobody reads counts as read.
    pub(super) fn deliver(&self, messages: &mut Vec<(Message, u32)>) {
        if messages.is_empty() {
            return;
        }
        let mut state = self.state();
        if state.no_inbox || state.closed.is_some() {
            messages.drain(..).for_each(|(_, bytes)| state.consumed.add(bytes));
            return;
        }
        state.inbound.extend(messages.drain(..));
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// Moves frames to be sent into `batch` as long as `take` says yes to the next one's length,
    /// and asks to be woken at the next change.
    pub(super) fn poll_orders(
        &self,
        cx: &mut Context<'_>,
        batch: &mut VecDeque<Vec<u8>>,
        mut take: impl FnMut(usize) -> bool,
    ) -> Orders {
        let mut state = self.state();
        remember(&mut state.task, cx);
        let before = state.outbound.len();
        while let Some(frame) = state.outbound.pop_front_if(|frame| take(frame.len())) {
            state.outbound_bytes -= frame.len();
            batch.push_back(frame);
        }
        let mut orders = Orders { drained: state.outbound.is_empty(), ..Orders::default() };
        if self.worth_telling(state.consumed) {
            let Consumed { messages, bytes } = core::mem::take(&mut state.consumed);
            orders.credit = Some(QueueLimits { messages, bytes });
        }
        if let Some(Closed::Local(reason)) = &state.closed {
            orders.close = Some(reason.clone());
        }
        let freed = before - state.outbound.len();
        drop(state);
        if freed > 0 {
            self.room.notify_additional(freed);
        }
        orders
    }

    /// Gives the memory of a burst back.
    pub(super) fn shrink(&self) {
        let mut state = self.state();
        shrink(&mut state.outbound);
        shrink(&mut state.inbound);
    }

    /// The task has ended; a link that was closed before keeps its first reason.
    pub(super) fn end(&self, closed: Closed) {
        let mut state = self.state();
        state.closed.get_or_insert(closed);
        state.ended = true;
        let unsent = core::mem::take(&mut state.outbound);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        self.room.notify(usize::MAX);
        self.ended.notify(usize::MAX);
        if !unsent.is_empty() {
            tracing::debug!(peer = %self.name, messages = unsent.len(), "link ended with messages unsent");
        }
    }

    /// Half of what the peer may send is worth a frame.
    const fn worth_telling(&self, consumed: Consumed) -> bool {
        consumed.messages > self.limits.messages / 2 || consumed.bytes > self.limits.bytes / 2
    }
}

impl Consumed {
    const fn add(&mut self, bytes: u32) {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > 64 {
        *queue = VecDeque::new();
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
