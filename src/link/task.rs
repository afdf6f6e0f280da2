//! The one task of a link: it reads, writes, and judges whether the peer is alive.
//!
//! It always reads, whether or not anybody takes the messages: what may wait is bounded by the
//! credit that the peer was given, not by a socket that is left unread. So heartbeats get through
//! in both directions however slow a reader is, and only a process that does not run looks dead.

use super::closed::Closed;
use super::config::{LinkConfig, QueueLimits};
use super::frame::{self, Kind};
use super::handshake::Session;
use super::record::{LARGE, Reader, Writer};
use super::shared::Shared;
use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use snow::TransportState;
use tangelo_core::liveness::{Heartbeat, Liveness, Verdict};
use tangelo_core::local::rss_bytes;
use tangelo_core::runtime::{Runtime, Stream};
use tangelo_core::wire::{Message, decode, encode};
use tangelo_core::{BoxFuture, Instant};

/// Reads and writes that one poll may do before other tasks get their turn.
const TURNS: usize = 8;

/// Runs a link until it ends. To be polled as a future.
pub(super) struct Task {
    runtime: Arc<dyn Runtime>,
    shared: Arc<Shared>,
    stream: Box<dyn Stream>,
    noise: TransportState,
    reader: Reader,
    writer: Writer,
    liveness: Liveness,
    patience: Duration,
    flush_timeout: Duration,
    timer: Option<(Instant, BoxFuture<'static, ()>)>,
    /// What we may still send; below zero after a message larger than the rest.
    may_send: Credit,
    /// What the peer may still send.
    may_come: Credit,
    /// Messages that have come and were not handed over yet; empty between polls.
    arrived: Vec<(Message, u32)>,
    phase: Phase,
    /// What is to be sent has waited while others had a turn, who may have had more to send.
    gathered: bool,
    /// Writing has failed: whatever the peer said before is still to be read.
    mute: bool,
}

/// How far a close from this side has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What was queued goes out, at the latest by then.
    Flushing(Instant),
    /// The goodbye is queued.
    Leaving(Instant),
    /// All is sent; waiting for the peer to hang up too, so that no reset overtakes it.
    Lingering(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Credit {
    messages: i64,
    bytes: i64,
}

impl Credit {
    const fn new(limits: QueueLimits) -> Self {
        Self { messages: limits.messages as i64, bytes: limits.bytes as i64 }
    }

    const fn is_left(self) -> bool {
        self.messages > 0 && self.bytes > 0
    }

    const fn add(&mut self, more: QueueLimits) {
        self.messages = self.messages.saturating_add(more.messages as i64);
        self.bytes = self.bytes.saturating_add(more.bytes as i64);
    }

    const fn spend(&mut self, bytes: u32) {
        self.messages -= 1;
        self.bytes -= bytes as i64;
    }
}

impl Task {
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        shared: Arc<Shared>,
        stream: Box<dyn Stream>,
        session: Session,
        config: &LinkConfig,
        beats: bool,
    ) -> Self {
        // Who only answers must bear with the other side's rhythm.
        let interval =
            if beats { config.heartbeat.interval } else { config.heartbeat.interval.max(session.peer.beat) };
        let heartbeat = Heartbeat { interval, ..config.heartbeat };
        Self {
            runtime,
            shared,
            stream,
            noise: session.noise,
            reader: Reader::default(),
            writer: Writer::default(),
            liveness: Liveness::new(heartbeat, beats, Instant::now()),
            patience: heartbeat.patience(),
            flush_timeout: config.flush_timeout,
            timer: None,
            may_send: Credit::new(session.peer.credit),
            may_come: Credit::new(config.queue),
            arrived: Vec::new(),
            phase: Phase::Open,
            gathered: false,
            mute: false,
        }
    }

    /// One step after the other until none gets on. Reading comes before judging, so that what
    /// waits in the socket speaks for the peer.
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        let gathered = core::mem::take(&mut self.gathered);
        for _ in 0..TURNS {
            match self.poll_turn(cx, gathered) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(closed) => return Poll::Ready(closed),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, gathered: bool) -> Result<bool, Closed> {
        let read = self.poll_read(cx)?;
        self.poll_timer(cx)?;
        let wrote = self.poll_write(cx, gathered)?;
        Ok(read || wrote)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Closed> {
        match self.reader.poll_fill(cx, &mut *self.stream) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(e)) => Err(Closed::Ended(format!("the connection broke: {e}"))),
            Poll::Ready(Ok(0)) => Err(Closed::Ended("the connection was cut at the other end".into())),
            Poll::Ready(Ok(_)) => {
                let records = self.reader.records();
                let result = self.take_frames();
                if self.reader.records() != records {
                    self.liveness.heard(Instant::now());
                }
                self.shared.deliver(&mut self.arrived);
                result.map(|()| true)
            }
        }
    }

    fn take_frames(&mut self) -> Result<(), Closed> {
        while let Some((kind, payload)) = self.reader.next(&mut self.noise).map_err(Closed::Protocol)? {
            match kind {
                Kind::Message => {
                    if !self.may_come.is_left() {
                        return Err(Closed::Protocol("it sends more than it was allowed to".into()));
                    }
                    let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                    self.may_come.spend(bytes);
                    let message = decode(payload).map_err(|e| Closed::Protocol(e.to_string()))?;
                    self.arrived.push((message, bytes));
                }
                Kind::Heartbeat => match decode(payload) {
                    Ok(Message::Ping) => beat(&mut self.writer, &Message::Pong { rss_bytes: rss_bytes() }),
                    Ok(Message::Pong { rss_bytes }) => self.shared.set_peer_rss(rss_bytes),
                    _ => return Err(Closed::Protocol("a heartbeat that is none".into())),
                },
                Kind::Credit => self.may_send.add(frame::credit(payload).map_err(Closed::Protocol)?),
                Kind::Bye => {
                    let reason = String::from_utf8_lossy(payload);
                    return Err(Closed::Ended(format!("closed by the peer: {}", reason.escape_debug())));
                }
            }
        }
        Ok(())
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        loop {
            let now = Instant::now();
            let due = match self.phase {
                Phase::Open => match self.liveness.poll(now) {
                    Verdict::Dead => return Err(Closed::Silent(self.patience)),
                    Verdict::Beat => {
                        beat(&mut self.writer, &Message::Ping);
                        continue;
                    }
                    Verdict::Wait(until) => until,
                },
                Phase::Flushing(until) | Phase::Leaving(until) | Phase::Lingering(until) if now >= until => {
                    return Err(Closed::Ended("the flush timeout has passed".into()));
                }
                Phase::Flushing(until) | Phase::Leaving(until) | Phase::Lingering(until) => until,
            };
            // A timer that is due earlier is left alone: it looks again then.
            if self.timer.as_ref().is_none_or(|(at, _)| *at > due) {
                self.timer = Some((due, self.runtime.sleep(due.saturating_since(now))));
            }
            let Some((_, sleep)) = &mut self.timer else { return Ok(()) };
            if sleep.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            self.timer = None;
            // An idle link needs little memory.
            self.reader.shrink();
            self.writer.shrink();
            self.shared.shrink();
            self.arrived = Vec::new();
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, gathered: bool) -> Result<bool, Closed> {
        let Self { shared, writer, may_send, mute, .. } = self;
        let can_take = !writer.is_busy() && may_send.is_left() && !*mute;
        let mut room = if can_take && gathered { LARGE } else { 0 };
        let orders = shared.poll_orders(cx, &mut writer.batch, |length| {
            let payload = u32::try_from(length - frame::HEADER).unwrap_or(u32::MAX);
            let take = room > 0 && may_send.is_left() && !*mute;
            if take {
                may_send.spend(payload);
                room = room.saturating_sub(length);
            }
            take
        });
        if can_take && !gathered && !orders.drained {
            self.gathered = true;
            cx.waker().wake_by_ref();
        }
        if let Some(credit) = orders.credit {
            self.may_come.add(credit);
            frame::put_credit(&mut writer.control, credit);
        }
        if let Some(reason) = orders.close {
            self.close(&reason, orders.drained);
        }
        if self.mute {
            return Ok(false);
        }
        if let Phase::Lingering(_) = self.phase {
            return Ok(false);
        }
        match self.writer.poll_write(cx, &mut *self.stream, &mut self.noise) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => match self.phase {
                Phase::Leaving(until) => self.poll_hang_up(cx, until),
                _ => Ok(false),
            },
            Poll::Ready(Ok(_)) => Ok(true),
            Poll::Ready(Err(e)) if self.phase == Phase::Open => {
                tracing::debug!(peer = %self.shared.name, error = %e, "cannot write to the link any more");
                self.mute = true;
                Ok(true)
            }
            Poll::Ready(Err(e)) => Err(Closed::Ended(format!("the connection broke: {e}"))),
        }
    }

    /// Takes the next step of a close from this side.
    fn close(&mut self, reason: &str, drained: bool) {
        if self.phase == Phase::Open {
            self.phase = Phase::Flushing(Instant::now() + self.flush_timeout);
        }
        if let Phase::Flushing(until) = self.phase
            && drained
            && self.writer.batch.is_empty()
        {
            frame::put_bye(&mut self.writer.control, reason);
            self.phase = Phase::Leaving(until);
        }
    }

    fn poll_hang_up(&mut self, cx: &mut Context<'_>, until: Instant) -> Result<bool, Closed> {
        match Pin::new(&mut *self.stream).poll_close(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) => {
                self.phase = Phase::Lingering(until);
                Ok(true)
            }
            Poll::Ready(Err(e)) => Err(Closed::Ended(format!("the connection broke: {e}"))),
        }
    }
}

/// Queues a heartbeat, unless so many wait already that one more would say nothing new.
fn beat(writer: &mut Writer, message: &Message) {
    if writer.control.len() < 256
        && let Ok(payload) = encode(message)
    {
        frame::put(&mut writer.control, Kind::Heartbeat, &payload);
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.poll_run(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(closed) => {
                tracing::debug!(peer = %this.shared.name, %closed, "link ended");
                this.shared.end(closed);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Task {
    /// Also when the executor drops it, or a poll has panicked.
    fn drop(&mut self) {
        self.shared.end(Closed::Local("its task has ended".into()));
    }
}
