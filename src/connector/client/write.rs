//! What a client is sent: queued by whoever sends, written by its flusher or its own task.

use super::Client;
use crate::connector::frame::Frame;
use crate::connector::outbox::Put;
use crate::connector::pipe::{Pipe, Written};
use crate::connector::stats::Sent;
use crate::connector::why::Why;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use tangelo_core::ErrorKind;
use tangelo_core::channel::PushError;
use tangelo_core::config::SlowClient;

/// How many system calls one client may have at a time, before others have their turn.
const WRITES: usize = 8;

/// What became of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum Flushed {
    /// Nothing waits.
    Drained,
    /// There is more, and now others have their turn.
    More,
    /// The connection takes no more at present. The client's own task has been told.
    Blocked,
    /// It broke.
    Dead,
}

impl Client {
    /// Sends it a message.
    ///
    /// # Errors
    /// `Invalid` for a message that cannot be encoded; `Unavailable` if its queue is full, or it has closed.
    pub(crate) fn push(&self, route: &str, body: &[u8]) -> Result<(), PushError> {
        let frame = self.0.hub.wire.push(route, body)?;
        match self.put(frame) {
            Put::Flush => self.0.hub.flush_later(self.clone()),
            Put::Waits => {}
            refused => {
                if refused == Put::Full {
                    self.overflowed();
                }
                return Err(refusal(refused));
            }
        }
        Ok(())
    }

    /// Answers its request `id`, which was for `route`. Should it have closed, nobody asks any more.
    pub(crate) fn respond(&self, id: u64, route: &str, body: &[u8]) {
        match self.0.hub.wire.response(id, route, body) {
            Ok(frame) => self.send(frame),
            Err(error) => {
                tracing::error!(route, error = %error.message, "a response cannot be sent");
                let body = br#"{"code":500,"message":"the response cannot be sent: see the server's log"}"#;
                if let Ok(frame) = self.0.hub.wire.plain_response(id, body) {
                    self.send(frame);
                }
            }
        }
    }

    /// Queues a frame; what it takes to have it written is for the caller to do.
    pub(in crate::connector) fn put(&self, frame: Frame) -> Put {
        self.0.outbox.lock().put(frame, self.0.hub.room)
    }

    /// Queues a frame that this client alone is sent. It is not written at once, as more may follow, unless the
    /// queue is full: that says nothing of a client before it has had a chance to read.
    pub(in crate::connector) fn send(&self, frame: Frame) {
        let mut put = self.put(frame.clone());
        if put == Put::Full {
            let mut sent = Sent::default();
            let flushed = self.flush(&mut Context::from_waker(Waker::noop()), false, &mut sent);
            self.0.hub.counters.add_sent(sent);
            if flushed == Flushed::More {
                self.0.hub.flush_first(self.clone());
            }
            put = self.put(frame);
        }
        match put {
            Put::Flush => self.0.hub.flush_first(self.clone()),
            Put::Full => self.overflowed(),
            Put::Waits | Put::Closed => {}
        }
    }

    /// Its queue is full. No lock of the registry may be held.
    pub(in crate::connector) fn overflowed(&self) {
        self.0.hub.counters.overflowed.fetch_add(1, Ordering::Relaxed);
        if self.0.hub.config.slow == SlowClient::Disconnect {
            self.close(Why::SLOW);
        }
    }

    /// Writes what waits. `own`: on the client's own task, which is woken when there is room again.
    pub(in crate::connector) fn flush(&self, cx: &mut Context<'_>, own: bool, sent: &mut Sent) -> Flushed {
        let flushed = self.flush_locked(&mut self.0.pipe.lock(), cx, own, sent);
        if flushed == Flushed::Dead {
            self.close(Why::LOST);
        }
        flushed
    }

    fn flush_locked(&self, pipe: &mut Pipe, cx: &mut Context<'_>, own: bool, sent: &mut Sent) -> Flushed {
        let mut written = Written::default();
        for turn in 0.. {
            {
                let mut outbox = self.0.outbox.lock();
                outbox.settle(written.weight, written.frames);
                if own {
                    (outbox.turning, outbox.blocked) = (false, false);
                } else if outbox.blocked {
                    // The client's own task waits for room.
                    outbox.listed = false;
                    return Flushed::Blocked;
                }
                if pipe.sending.is_empty() && !outbox.take(&mut pipe.sending) && pipe.is_done() {
                    outbox.listed = false;
                    let task = if core::mem::take(&mut outbox.paused) { outbox.task.clone() } else { None };
                    drop(outbox);
                    task.inspect(Waker::wake_by_ref);
                    return Flushed::Drained;
                }
                outbox.listed = true;
            }
            if turn == WRITES {
                return Flushed::More;
            }
            match pipe.poll_write(cx) {
                Poll::Ready(Ok(now)) => {
                    written = now;
                    sent.frames += now.frames as u64;
                    sent.bytes += now.bytes as u64;
                    sent.writes += u64::from(now.bytes > 0);
                }
                Poll::Ready(Err(_)) => return Flushed::Dead,
                Poll::Pending => {
                    let task = {
                        let mut outbox = self.0.outbox.lock();
                        (outbox.blocked, outbox.listed) = (true, false);
                        if own { None } else { outbox.task.clone() }
                    };
                    task.inspect(Waker::wake_by_ref);
                    return Flushed::Blocked;
                }
            }
        }
        Flushed::More
    }
}

/// Why a push has not been taken.
pub(in crate::connector) fn refusal(put: Put) -> PushError {
    let what = match put {
        Put::Full => "its queue is full: it reads too slowly",
        _ => "its session has closed",
    };
    PushError::new(ErrorKind::Unavailable, what)
}
