//! A client's connection, as it is written to.

use super::frame::Frame;
use alloc::collections::VecDeque;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_io::IoSlice;
use std::io;
use tangelo_core::runtime::Stream;

/// How many frames go in one system call.
const AT_ONCE: usize = 64;

/// A client's connection, and what it is about to be sent.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Gone once the connection has been closed.
    stream: Option<Box<dyn Stream>>,
    /// Whether the client speaks HTTP and WebSocket.
    pub(super) web: bool,
    /// Whether what has been written may still lie in the stream: TLS.
    buffers: bool,
    unflushed: bool,
    pub(super) sending: VecDeque<Frame>,
    /// How much of the first frame has been written.
    sent: usize,
}

/// What a write has taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Of frames that are through, as they weigh in the queue.
    pub(super) weight: usize,
    pub(super) frames: usize,
    /// What went over the connection.
    pub(super) bytes: usize,
}

impl Pipe {
    pub(super) fn new(stream: Box<dyn Stream>, buffers: bool) -> Self {
        Self {
            stream: Some(stream),
            web: false,
            buffers,
            unflushed: false,
            sending: VecDeque::new(),
            sent: 0,
        }
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_done(&self) -> bool {
        self.sending.is_empty() && !self.unflushed
    }

    /// Writes what is to be sent, with one system call (and what TLS needs besides).
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Written>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
        let mut stream = Pin::new(&mut **stream);
        if self.unflushed {
            ready!(stream.as_mut().poll_flush(cx))?;
            self.unflushed = false;
        }
        let (web, sent) = (self.web, self.sent);
        let bytes = match self.sending.len() {
            0 => return Poll::Ready(Ok(Written::default())),
            1 => ready!(stream.poll_write(cx, &self.sending[0].bytes(web)[sent..]))?,
            _ => {
                let mut slices = [IoSlice::new(&[]); AT_ONCE];
                let mut count = 0;
                for (slice, frame) in slices.iter_mut().zip(&self.sending) {
                    let skip = if count == 0 { sent } else { 0 };
                    *slice = IoSlice::new(&frame.bytes(web)[skip..]);
                    count += 1;
                }
                ready!(stream.poll_write_vectored(cx, &slices[..count]))?
            }
        };
        if bytes == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = self.buffers;
        Poll::Ready(Ok(self.advance(bytes)))
    }

    fn advance(&mut self, bytes: usize) -> Written {
        let mut written = Written { bytes, ..Written::default() };
        self.sent += bytes;
        while let Some(first) = self.sending.front()
            && let length = first.bytes(self.web).len()
            && self.sent >= length
        {
            self.sent -= length;
            written.weight += first.weight();
            written.frames += 1;
            self.sending.pop_front();
        }
        written
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => Pin::new(&mut **stream).poll_read(cx, into),
            None => Poll::Ready(Err(gone())),
        }
    }

    /// Tells the client that nothing more will come.
    pub(super) fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(&mut **stream).poll_close(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes the connection.
    pub(super) fn cut(&mut self) {
        self.stream = None;
        self.sending = VecDeque::new();
        (self.sent, self.unflushed) = (0, false);
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
