//! The one task that each client has: it reads, and waits for room where there was none to write.

use super::client::{Client, Flushed, LAST_WORDS};
use super::input::Input;
use super::packages::Taking;
use super::stats::Sent;
use super::why::Why;
use crate::handler::dispatch;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use tangelo_core::Instant;
use tangelo_core::client::connection::Connection;
use tracing::{debug, error};

/// What is read at a time, in bytes. All clients of a thread share it.
const SCRATCH: usize = 16 << 10;
/// How often one client is read from before others have their turn.
const READS: usize = 4;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Does something with this thread's buffer.
fn with_buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    // Taken out: should a handler run another client's task from within, that one makes a buffer of its own.
    let mut buffer = BUFFER.take();
    buffer.resize(SCRATCH, 0);
    let done = work(&mut buffer);
    BUFFER.set(buffer);
    done
}

/// One client's task.
pub(super) struct ClientTask {
    client: Client,
    input: Input,
    machine: Connection,
    /// Its handshake is through, and the application is still to hear that it has closed.
    known: bool,
    /// Once it closes: until when it may listen, and whether it knows that it heard everything.
    until: Option<Instant>,
    shut: bool,
    /// What waits is for this task to write, in its next turn.
    writing: bool,
}

impl ClientTask {
    pub(super) fn new(client: Client, now: Instant) -> Self {
        let machine = Connection::new(now, client.hub().settings.clone());
        client.set_deadline(machine.next_deadline());
        Self {
            client,
            input: Input::default(),
            machine,
            known: false,
            until: None,
            shut: false,
            writing: false,
        }
    }

    /// Reads, and looks at the time. `true`: there is more to read.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<bool, Why> {
        let mut again = true;
        let mut excused = false;
        for _ in 0..READS {
            let (busy, behind) = (self.client.is_busy(), self.client.is_behind());
            if busy || behind {
                again = false;
                excused = busy || self.client.progresses();
                break;
            }
            if self.input.is_paused() {
                let Self { client, input, machine, known, .. } = self;
                input.take(&mut [], &mut Taking { client, machine, known, now: Instant::now() })?;
                continue;
            }
            if !self.read(cx)? {
                again = false;
                break;
            }
        }
        let now = Instant::now();
        if excused {
            // Who is not read from cannot show that it lives. (That it takes what it is sent does.)
            self.machine.slept(now, Duration::MAX);
        }
        if !again && let Some(reason) = self.machine.poll(now) {
            return Err(Why::Is(reason));
        }
        self.client.set_deadline(self.machine.next_deadline());
        Ok(again)
    }

    /// Reads once; `false`: there is nothing to read at present.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Why> {
        let Self { client, input, machine, known, .. } = self;
        with_buffer(|buffer| {
            let read = client.pipe().poll_read(cx, buffer);
            match read {
                Poll::Pending => Ok(false),
                Poll::Ready(Ok(0)) => Err(Why::LEFT),
                Poll::Ready(Ok(n)) => {
                    input.take(
                        &mut buffer[..n],
                        &mut Taking { client, machine, known, now: Instant::now() },
                    )?;
                    Ok(true)
                }
                Poll::Ready(Err(error)) => Err(broken(&error)),
            }
        })
    }

    /// Writes what waits, if that is for this task to do. `true`: there is more to write.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.client.end_turn() && !self.writing {
            return false;
        }
        let mut sent = Sent::default();
        let flushed = self.client.flush(cx, true, &mut sent);
        self.client.hub().counters.add_sent(sent);
        self.writing = flushed == Flushed::More;
        self.writing
    }

    /// Ends the connection: whoever may still listen hears all that waits, and has until it hangs up, or for
    /// [`LAST_WORDS`]. (To close while input is unread would reset the connection, and lose what was sent.)
    fn end(&mut self, cx: &mut Context<'_>, why: Why) -> Poll<()> {
        let now = Instant::now();
        let until = match self.until {
            Some(until) => until,
            None => {
                debug!(client = self.client.id(), address = %self.client.address(), why = why.name(), "closed");
                self.tell(why);
                *self.until.insert(now + LAST_WORDS)
            }
        };
        if why.is_abrupt() || now >= until {
            return Poll::Ready(());
        }
        if !self.shut {
            let mut sent = Sent::default();
            let flushed = self.client.flush(cx, true, &mut sent);
            self.client.hub().counters.add_sent(sent);
            match flushed {
                Flushed::Drained => {}
                Flushed::Dead => return Poll::Ready(()),
                Flushed::More => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Flushed::Blocked => return Poll::Pending,
            }
            match self.client.pipe().poll_shut(cx) {
                Poll::Ready(Ok(())) => self.shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        with_buffer(|buffer| {
            for _ in 0..READS {
                match self.client.pipe().poll_read(cx, buffer) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// The application hears that it has closed, once.
    fn tell(&mut self, why: Why) {
        if core::mem::take(&mut self.known) {
            let client = &self.client;
            let told = || dispatch::closed(&client.hub().app, client, &client.farewell(why));
            if catch_unwind(AssertUnwindSafe(told)).is_err() {
                error!("what the application does about a closed session panicked");
            }
        }
    }
}

impl Future for ClientTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut again = false;
        if this.client.begin_turn(cx) {
            match this.work(cx) {
                Ok(more) => again = more,
                Err(why) => this.client.close(why),
            }
            again |= this.write(cx);
        }
        if let Some(why) = this.client.closing() {
            return this.end(cx, why);
        }
        if again {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for ClientTask {
    /// However it ends, the connection ends with it.
    fn drop(&mut self) {
        self.client.close(Why::Panicked);
        self.tell(Why::Panicked);
        self.client.cut();
    }
}

fn broken(error: &io::Error) -> Why {
    // This is how the TLS library says that it does not understand.
    if error.kind() == io::ErrorKind::InvalidData { Why::Tls } else { Why::LOST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_takes_little_memory() {
        assert!(size_of::<ClientTask>() <= 256, "{}", size_of::<ClientTask>());
    }
}
