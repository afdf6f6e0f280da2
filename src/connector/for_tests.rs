//! Clients without a network, for tests of what lies behind the connector.

use super::client::Client;
use super::setup::{begin, hub};
use super::sink::ClientSink;
use crate::app::App;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_io::{AsyncRead, AsyncWrite};
use std::io;
use tangelo_core::client::{Message, MessageKind, PackageType, Route, package};

/// What a client was sent: the id of its request or the route of a push, and the body.
pub(crate) type Sent = (Result<u64, String>, Vec<u8>);

/// The other end of a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct FarEnd(Arc<Mutex<Vec<u8>>>);

/// A client of a server that has no port for clients; its handshake is through.
pub(crate) fn client(app: &App, id: u64) -> (Client, FarEnd) {
    let hub = app.shared().connector.get_or_init(|| {
        let made = hub(app).expect("the defaults");
        app.push_sink(ClientSink(Arc::clone(&made)));
        begin(&made);
        made
    });
    let far = FarEnd::default();
    let client = Client::connected(hub, id, ([127, 0, 0, 1], 9).into(), Box::new(far.clone()));
    hub.clients().opened(&client);
    assert!(client.begin_work());
    (client, far)
}

impl FarEnd {
    /// What it was sent since the last time.
    pub(crate) fn take(&self) -> Vec<Sent> {
        let mut bytes = self.0.lock();
        let (mut sent, mut at) = (Vec::new(), 0);
        while let Some((package, length)) = package::decode(&bytes[at..], 1 << 24).expect("a package") {
            at += length;
            if package.kind == PackageType::Data {
                let message = Message::decode(package.body).expect("a message");
                let body = message.body.to_vec();
                match (message.kind, message.route) {
                    (MessageKind::Response, _) => sent.push((Ok(message.id.expect("an id")), body)),
                    (_, Some(Route::Name(route))) => sent.push((Err(route.into()), body)),
                    other => panic!("a message of {other:?}"),
                }
            }
        }
        bytes.drain(..at);
        sent
    }
}

impl AsyncRead for FarEnd {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for FarEnd {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
