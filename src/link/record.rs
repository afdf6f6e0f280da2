//! Records: the encrypted pieces that the stream of frames travels in.
//!
//! ```text
//! u16 BE length | ciphertext with its tag
//! ```
//!
//! A record holds whatever was there to be sent, up to [`MAX_PLAIN`] bytes: many small frames, or
//! a part of a large one. Buffers start empty and give a burst's memory back.

use super::frame::{self, Kind};
use alloc::collections::VecDeque;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use snow::TransportState;
use std::io;
use tangelo_core::runtime::Stream;

/// The most plaintext in a record, in bytes.
const MAX_PLAIN: usize = 16 << 10;
const TAG: usize = 16;
const MAX_RECORD: usize = MAX_PLAIN + TAG;

/// What a buffer for reading has at first.
const SMALL: usize = 1 << 10;
/// What one system call reads or writes at most, roughly.
pub(super) const LARGE: usize = 64 << 10;

/// Reads records and cuts them into frames.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// As it came; `start..end` is not decrypted yet, the rest is spare.
    raw: Vec<u8>,
    start: usize,
    end: usize,
    /// Decrypted, from `taken` on not given out yet.
    plain: Vec<u8>,
    taken: usize,
    records: u64,
}

impl Reader {
    /// How many records have been opened: each is a sign of life.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Reads once. 0 is the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut dyn Stream,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        loop {
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut self.raw[self.end..])) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
                Ok(n) => {
                    self.end += n;
                    return Poll::Ready(Ok(n));
                }
            }
        }
    }

    /// A buffer that the last read has filled is doubled.
    fn make_room(&mut self) {
        let full = self.end == self.raw.len();
        self.raw.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if full && self.raw.len() < LARGE {
            let size = (self.raw.len() * 2).max(SMALL);
            self.raw.resize(size, 0);
        }
    }

    /// The next whole frame, if it has come.
    pub(super) fn next(&mut self, noise: &mut TransportState) -> Result<Option<(Kind, &[u8])>, String> {
        loop {
            if let Some((kind, length)) = frame::header(&self.plain[self.taken..])? {
                let from = self.taken + frame::HEADER;
                let to = from + length;
                if to <= self.plain.len() {
                    self.taken = to;
                    return Ok(Some((kind, &self.plain[from..to])));
                }
            }
            self.plain.drain(..self.taken);
            self.taken = 0;
            if self.plain.is_empty() && self.plain.capacity() > LARGE {
                self.plain = Vec::new();
            }
            if !self.open(noise)? {
                return Ok(None);
            }
        }
    }

    /// Decrypts the next record, if all of it has come.
    fn open(&mut self, noise: &mut TransportState) -> Result<bool, String> {
        let Some((length, rest)) = self.raw[self.start..self.end].split_first_chunk::<2>() else {
            return Ok(false);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if !(TAG..=MAX_RECORD).contains(&length) {
            return Err(format!("a record of {length} bytes where {TAG} to {MAX_RECORD} are allowed"));
        }
        let Some(record) = rest.get(..length) else {
            return Ok(false);
        };
        let old = self.plain.len();
        self.plain.resize(old + length - TAG, 0);
        noise
            .read_message(record, &mut self.plain[old..])
            .map_err(|_| "a record was tampered with or is out of order")?;
        self.start += 2 + length;
        self.records += 1;
        Ok(true)
    }

    /// Gives memory back that an idle link does not need.
    pub(super) fn shrink(&mut self) {
        if self.start == self.end && self.raw.len() > SMALL {
            (self.raw, self.start, self.end) = (Vec::new(), 0, 0);
        }
        if self.plain.is_empty() && self.plain.capacity() > SMALL {
            self.plain = Vec::new();
        }
    }
}

/// Puts frames into records and writes them.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// Whole frames; of the first, `sent` bytes are in a record already.
    pub(super) batch: VecDeque<Vec<u8>>,
    sent: usize,
    /// The link's own small frames; they go before the next frame of the batch.
    pub(super) control: Vec<u8>,
    /// The plaintext of the record being made.
    plain: Vec<u8>,
    /// Records; the first `written` bytes are gone.
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl Writer {
    /// Whether a further batch should wait for the socket.
    pub(super) fn is_busy(&self) -> bool {
        !self.batch.is_empty() || self.out.len() >= LARGE
    }

    /// Whether all has gone to the socket.
    pub(super) fn is_idle(&self) -> bool {
        self.out.is_empty() && self.batch.is_empty() && self.control.is_empty() && !self.unflushed
    }

    /// Encrypts what is there and writes once. Ready with 0 if there was nothing to do.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut dyn Stream,
        noise: &mut TransportState,
    ) -> Poll<io::Result<usize>> {
        while self.out.len() < LARGE && self.seal(noise)? {}
        loop {
            if self.out.is_empty() {
                if self.unflushed {
                    ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Ready(Ok(0));
            }
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.out[self.written..])) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    self.written += n;
                    self.unflushed = true;
                    if self.written == self.out.len() {
                        self.out.clear();
                        self.written = 0;
                    }
                    return Poll::Ready(Ok(n));
                }
            }
        }
    }

    /// Makes one record; false if there is nothing to be sent.
    fn seal(&mut self, noise: &mut TransportState) -> io::Result<bool> {
        self.plain.clear();
        while self.plain.len() < MAX_PLAIN {
            let room = MAX_PLAIN - self.plain.len();
            if self.sent == 0 && !self.control.is_empty() && self.control.len() <= room {
                self.plain.append(&mut self.control);
                continue;
            }
            let Some(first) = self.batch.front() else { break };
            let n = room.min(first.len() - self.sent);
            self.plain.extend_from_slice(&first[self.sent..self.sent + n]);
            self.sent += n;
            if self.sent == first.len() {
                self.batch.pop_front();
                self.sent = 0;
            }
        }
        if self.plain.is_empty() {
            return Ok(false);
        }
        let start = self.out.len();
        let length = self.plain.len() + TAG;
        self.out.resize(start + 2 + length, 0);
        let (head, body) = self.out[start..].split_at_mut(2);
        head.copy_from_slice(&u16::try_from(length).map_err(io::Error::other)?.to_be_bytes());
        noise.write_message(&self.plain, body).map_err(io::Error::other)?;
        Ok(true)
    }

    /// Gives memory back that an idle link does not need.
    pub(super) fn shrink(&mut self) {
        if self.is_idle() {
            *self = Self::default();
        }
    }
}
