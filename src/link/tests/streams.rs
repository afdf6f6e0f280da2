//! Streams that fail on purpose.

use alloc::sync::Arc;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use futures_io::{AsyncRead, AsyncWrite};
use std::io;
use std::sync::Mutex;
use tangelo_core::runtime::Stream;

/// What happens to the bytes that are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    None,
    /// After so many, the connection ends.
    CutAt(usize),
    /// One bit of this one is turned.
    FlipAt(usize),
}

/// A stream with a fault, which keeps a record of what was really written, and that can be made
/// a black hole: nothing comes out any more, and what goes in is lost.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Box<dyn Stream>,
    pub(super) fault: Fault,
    pub(super) written: Arc<Mutex<Vec<u8>>>,
    pub(super) hole: Arc<AtomicBool>,
}

impl Faulty {
    pub(super) fn new(inner: Box<dyn Stream>, fault: Fault) -> Self {
        Self { inner, fault, written: Arc::default(), hole: Arc::default() }
    }
}

impl AsyncRead for Faulty {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let result = Pin::new(&mut self.inner).poll_read(cx, buf);
            match result {
                Poll::Ready(Ok(1..)) if self.hole.load(Ordering::SeqCst) => {}
                Poll::Ready(_) if self.hole.load(Ordering::SeqCst) => return Poll::Pending,
                result => return result,
            }
        }
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.hole.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(buf.len()));
        }
        let at = self.written.lock().unwrap().len();
        let mut bytes = buf.to_vec();
        match self.fault {
            Fault::None => {}
            Fault::CutAt(end) if at >= end => {
                return match Pin::new(&mut self.inner).poll_close(cx) {
                    Poll::Ready(_) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                    Poll::Pending => Poll::Pending,
                };
            }
            Fault::CutAt(end) => bytes.truncate(end - at),
            Fault::FlipAt(byte) => {
                if let Some(byte) = byte.checked_sub(at).and_then(|i| bytes.get_mut(i)) {
                    *byte ^= 1;
                }
            }
        }
        let result = Pin::new(&mut self.inner).poll_write(cx, &bytes);
        if let Poll::Ready(Ok(n)) = result {
            self.written.lock().unwrap().extend_from_slice(&bytes[..n]);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
