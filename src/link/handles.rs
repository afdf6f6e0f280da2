//! The two handles of a link.

use super::closed::Closed;
use super::frame;
use super::shared::Shared;
use alloc::sync::Arc;
use core::future::poll_fn;
use tangelo_core::wire::{Hello, Message, encode_behind};
use tangelo_core::{Error, ErrorKind, Result};

/// The sending half of a link; clones send on the same one.
///
/// The connection closes when all of these and the [`Inbox`] are dropped, after what was queued
/// has been sent or the flush timeout has passed.
#[derive(Debug, Clone)]
pub(crate) struct Link(Arc<Sender>);

#[derive(Debug)]
struct Sender(Arc<Shared>);

/// The receiving half of a link. While it is kept, messages must be read: once a queueful waits
/// here, the peer's sends wait there. A dropped inbox throws away what comes.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Shared>);

pub(super) fn handles(shared: &Arc<Shared>) -> (Link, Inbox) {
    (Link(Arc::new(Sender(Arc::clone(shared)))), Inbox(Arc::clone(shared)))
}

impl Link {
    /// Queues a message, and waits for room if the queue is full: for as long as the peer is alive
    /// but reads nothing, so who must not hang sets a deadline or uses [`try_send`](Self::try_send).
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) or [`Protocol`](ErrorKind::Protocol) once the link
    /// is closed, [`Invalid`](ErrorKind::Invalid) for a message that is too large.
    /// `Ok` means queued: what a dying connection takes along, only an answer can tell.
    ///
    /// # Cancel safety
    /// Cancel safe: the message was queued or it was not.
    pub(crate) async fn send(&self, message: Message) -> Result<()> {
        let frame = Frame::new(&message)?;
        drop(message);
        self.send_frame(frame).await
    }

    /// As [`send`](Self::send), of what is encoded already.
    pub(crate) async fn send_frame(&self, frame: Frame) -> Result<()> {
        self.0.0.send(frame.0).await
    }

    /// Queues what is encoded already if there is room, or gives it back.
    ///
    /// # Errors
    /// Once the link is closed, as [`send`](Self::send).
    pub(crate) fn try_send_frame(&self, frame: Frame) -> Result<Result<(), Frame>> {
        Ok(self.0.0.try_push(frame.0)?.map_err(Frame))
    }

    /// Queues a message if there is room.
    ///
    /// # Errors
    /// As for [`send`](Self::send), and [`Unavailable`](ErrorKind::Unavailable) if the queue is full.
    pub(crate) fn try_send(&self, message: &Message) -> Result<()> {
        self.0.0.try_send(Frame::new(message)?.0)
    }

    /// Closes the link: nothing more is sent or received, what is queued still goes out, and the
    /// peer is told why. Closing twice is closing once.
    pub(crate) fn close(&self, reason: &str) {
        self.0.0.close(reason);
    }

    /// Waits until the connection is gone; after a [`close`](Self::close) at most the flush timeout.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn ended(&self) {
        self.0.0.ended().await;
    }

    /// Whether the link is closed, by whichever side.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.0.is_closed()
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> &Hello {
        &self.0.0.peer
    }

    /// The peer's resident memory in bytes, as its last heartbeat said.
    pub(crate) fn peer_rss(&self) -> Option<u64> {
        self.0.0.peer_rss()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.links_dropped();
    }
}

impl Inbox {
    /// The next message. After the link's end the messages that came before it are given out first.
    ///
    /// # Errors
    /// Why the link is closed; again at every further call.
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    pub(crate) async fn next(&mut self) -> Result<Message, Closed> {
        poll_fn(|cx| self.0.poll_next(cx)).await
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.inbox_dropped();
    }
}

/// A message as it is queued.
#[derive(Debug)]
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// Encodes a message.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for one that is too large.
    pub(crate) fn new(message: &Message) -> Result<Self> {
        if matches!(message, Message::Ping | Message::Pong { .. }) {
            return Err(Error::new(ErrorKind::Invalid, "heartbeats are the link's own"));
        }
        let mut out = encode_behind(&[0; frame::HEADER], message)?;
        frame::put_header(&mut out, frame::Kind::Message);
        Ok(Self(out))
    }
}
