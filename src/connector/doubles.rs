//! Clients without a network, for tests of what is done with clients.

use super::client::Client;
use super::clients::Clients;
use super::frame::Frame;
use super::hub::Hub;
use super::setup::begin;
use super::sink::ClientSink;
use super::task::ClientTask;
use super::wire::Wire;
use crate::app::App;
use crate::sync::Mutex;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use futures_io::{AsyncRead, AsyncWrite, IoSlice};
use std::collections::HashMap;
use std::io;
use tangelo_core::Instant;
use tangelo_core::client::{Message, MessageKind, PackageType, Route, package};
use tangelo_core::config::ConnectorConfig;
use tangelo_core::runtime::Stream;

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

/// What messages the clients of tests were sent and have not been asked for.
static HEARD: Mutex<Option<HashMap<(usize, u64), Memory>>> = Mutex::new(None);

fn key(app: &App, id: u64) -> (usize, u64) {
    (core::ptr::from_ref(app.shared()).addr(), id)
}

impl Client {
    /// A client that has shaken hands, on TCP, with nobody at the other end.
    pub(crate) fn new(app: &App, id: u64) -> Self {
        let (hub, memory) = (hub(app, ConnectorConfig::default()), Memory::default());
        let stream: Box<dyn Stream> = Box::new(memory.clone());
        HEARD.lock().get_or_insert_default().insert(key(app, id), memory);
        let client = Self::connected(&hub, id, ([127, 0, 0, 1], 1).into(), stream);
        client.begin_work();
        hub.clients().opened(&client);
        app.runtime().spawn(Box::pin(ClientTask::working(client.clone(), Instant::now())));
        client
    }

    /// What it was sent since the last time: the request's id or none, the route, the body.
    pub(crate) fn sent(&self) -> Vec<(Option<u64>, String, Vec<u8>)> {
        self.flush(&mut Context::from_waker(Waker::noop()), false, &mut super::stats::Sent::default());
        let heard = HEARD.lock();
        let memory = &heard.as_ref().unwrap()[&key(&self.hub().app, self.id())];
        let data = packages(&memory.heard()).into_iter().filter(|(kind, _)| *kind == PackageType::Data);
        data.map(|(_, body)| {
            let message = Message::decode(&body).unwrap();
            let route = match message.route {
                Some(Route::Name(name)) => name.into(),
                _ => String::new(),
            };
            assert!(matches!(message.kind, MessageKind::Push | MessageKind::Response));
            (message.id, route, message.body.to_vec())
        })
        .collect()
    }
}

impl Clients {
    /// A client of a test is there as soon as it is made.
    pub(crate) fn insert(&self, client: Client) {
        assert!(self.get(client.id()).is_some());
    }
}
