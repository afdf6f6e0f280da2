//! Connections in memory, which stick at will, and count writes.

use super::frame::Frame;
use super::hub::Hub;
use super::setup::begin;
use super::sink::ClientSink;
use super::wire::Wire;
use crate::app::App;
use crate::sync::Mutex;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use futures_io::{AsyncRead, AsyncWrite, IoSlice};
use std::io;
use tangelo_core::client::{PackageType, package};
use tangelo_core::config::ConnectorConfig;

/// The other end of a connection in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<MemoryState>);

#[derive(Debug, Default)]
struct MemoryState {
    /// What comes from the client.
    incoming: Mutex<VecDeque<u8>>,
    /// What the client is sent.
    outgoing: Mutex<Vec<u8>>,
    writes: AtomicUsize,
    /// Takes nothing.
    stuck: AtomicBool,
    ended: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Memory {
    pub(super) fn say(&self, bytes: &[u8]) {
        self.0.incoming.lock().extend(bytes);
        self.wake();
    }

    pub(super) fn stuck(&self, stuck: bool) {
        self.0.stuck.store(stuck, Ordering::Release);
        self.wake();
    }

    pub(super) fn heard(&self) -> Vec<u8> {
        core::mem::take(&mut self.0.outgoing.lock())
    }

    /// How many writes there have been.
    pub(super) fn writes(&self) -> usize {
        self.0.writes.load(Ordering::Acquire)
    }

    fn wake(&self) {
        core::mem::take(&mut *self.0.wakers.lock()).into_iter().for_each(Waker::wake);
    }

    fn wait<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.0.wakers.lock().push(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncRead for Memory {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut incoming = self.0.incoming.lock();
        if incoming.is_empty() && !self.0.ended.load(Ordering::Acquire) {
            return self.wait(cx);
        }
        let length = incoming.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(incoming.drain(..length)) {
            *to = from;
        }
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.0.stuck.load(Ordering::Acquire) {
            return self.wait(cx);
        }
        let mut outgoing = self.0.outgoing.lock();
        bufs.iter().for_each(|buf| outgoing.extend_from_slice(buf));
        self.0.writes.fetch_add(1, Ordering::AcqRel);
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever hears that nothing more comes hangs up.
        self.0.ended.store(true, Ordering::Release);
        Poll::Ready(Ok(()))
    }
}

/// A connector without a port.
pub(super) fn hub(app: &App, config: ConnectorConfig) -> Arc<Hub> {
    let hub = app.shared().connector.get_or_init(|| {
        let wire = Wire::new(&config, None, None);
        let heartbeat = Frame::package(PackageType::Heartbeat, &[]).unwrap();
        let hub = Arc::new(Hub::new(app.clone(), config, wire, None, heartbeat, 1));
        begin(&hub);
        app.push_sink(ClientSink(Arc::clone(&hub)));
        hub
    });
    Arc::clone(hub)
}

/// The packages in bytes.
pub(super) fn packages(mut bytes: &[u8]) -> Vec<(PackageType, Vec<u8>)> {
    let mut packages = Vec::new();
    while !bytes.is_empty() {
        let (package, length) = package::decode(bytes, package::MAX_BODY).unwrap().expect("whole packages");
        packages.push((package.kind, package.body.to_vec()));
        bytes = &bytes[length..];
    }
    packages
}
