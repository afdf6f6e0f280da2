//! The line between a master and its guard: a pair of sockets, one of them the guard's stdin.
//!
//! A socket instead of a pipe, so that the guard answers on the same descriptor and its stdout stays
//! free. What was written before the writer died is read before the end-of-file, as with a pipe.

use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::Serialize;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use tangelo_core::runtime::{Readiness, Runtime};

/// The longest line that is taken, in bytes.
const LONGEST: usize = 64 * 1024;

/// The reading end of a line.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    readiness: Box<dyn Readiness>,
    received: Vec<u8>,
}

impl Link {
    pub(super) fn new(runtime: &dyn Runtime, stream: UnixStream) -> io::Result<Self> {
        // This sets the socket itself to non-blocking, not just the copy.
        let readiness = runtime.watch(OwnedFd::from(stream.try_clone()?))?;
        Ok(Self { stream, readiness, received: Vec::new() })
    }

    /// This process's stdin, if it is such a socket.
    pub(super) fn stdin(runtime: &dyn Runtime) -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // Fails for anything but a socket of this family. A terminal must not become non-blocking.
        stream.peer_addr()?;
        Self::new(runtime, stream)
    }

    /// The socket, to write to.
    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// The next line, without its end; `None` at end-of-file. Cancel safe.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.available() {
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.readiness.readable().await?,
                line => return line,
            }
        }
    }

    /// The next line if it is there already; else [`WouldBlock`](ErrorKind::WouldBlock).
    pub(super) fn available(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            if self.received.len() > LONGEST {
                return Err(io::Error::new(ErrorKind::InvalidData, "a line without an end"));
            }
            let mut chunk = [0; 4096];
            match (&self.stream).read(&mut chunk) {
                // Half a line is what a writer has begun that has died.
                Ok(0) => return Ok(None),
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // The other end closed its socket with a line of ours unread.
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }
}

/// Writes a line to a non-blocking socket, at once or not at all. (The kernel takes a line of less than
/// 32 KiB whole or not at all; if a longer one is cut, whoever reads it sees that it is malformed.)
pub(super) fn send(mut stream: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
    line.push(b'\n');
    match stream.write(&line)? {
        written if written == line.len() => Ok(()),
        _ => Err(ErrorKind::WouldBlock.into()),
    }
}
