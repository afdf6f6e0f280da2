//! The calls under way on one link to another server.

use crate::link::{Inbox, Link};
use crate::sync::Mutex;
use alloc::sync::{Arc, Weak};
use async_channel::{Receiver, Sender, bounded};
use serde_bytes::ByteBuf;
use std::collections::HashMap;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Call, Message, Return};
use tangelo_core::{Error, ErrorKind, Result};

type Answer = Result<ByteBuf, (ErrorKind, String)>;

#[derive(Debug)]
pub(super) struct Calls {
    peer: String,
    link: Link,
    pending: Mutex<Pending>,
}

/// Calls that wait for an answer; none is taken once the link is closed.
#[derive(Debug, Default)]
struct Pending {
    last: u64,
    closed: bool,
    waiting: HashMap<u64, Sender<Answer>>,
}

/// Forgets the call when its caller goes away.
struct Slot<'a>(&'a Calls, u64, Receiver<Answer>);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.pending.lock().waiting.remove(&self.1);
    }
}

/// Nobody can call any more.
impl Drop for Calls {
    fn drop(&mut self) {
        self.link.close("no longer needed");
    }
}

impl Calls {
    pub(super) fn open(runtime: &Arc<dyn Runtime>, peer: String, link: Link, inbox: Inbox) -> Arc<Self> {
        let calls = Arc::new(Self { peer, link, pending: Mutex::default() });
        runtime.spawn(Box::pin(read(Arc::downgrade(&calls), inbox)));
        calls
    }

    pub(super) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    pub(super) async fn call(&self, route: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        let slot = self.slot()?;
        self.link.send(Message::Call(Call { id: slot.1, route: route.into(), body })).await?;
        match slot.2.recv().await {
            Ok(Ok(body)) => Ok(body.into_vec()),
            Ok(Err((kind, message))) => Err(Error::new(kind, message)),
            Err(_) => Err(self.gone()),
        }
    }

    fn slot(&self) -> Result<Slot<'_>> {
        let mut pending = self.pending.lock();
        if pending.closed {
            return Err(self.gone());
        }
        pending.last += 1;
        let id = pending.last;
        let (answer, answered) = bounded(1);
        pending.waiting.insert(id, answer);
        drop(pending);
        Ok(Slot(self, id, answered))
    }

    fn gone(&self) -> Error {
        let message =
            format!("the link to {} is gone: the call may or may not have been carried out", self.peer);
        Error::new(ErrorKind::Unavailable, message)
    }
}

/// Hands answers to their callers until the link ends or nobody can call any more.
async fn read(calls: Weak<Calls>, mut inbox: Inbox) {
    while let Ok(message) = inbox.next().await {
        let Some(calls) = calls.upgrade() else { return };
        if let Message::Return(Return { id, result }) = message
            && let Some(answer) = calls.pending.lock().waiting.remove(&id)
        {
            // The slot holds one answer and this is the only one.
            let _ = answer.try_send(result);
        }
    }
    if let Some(calls) = calls.upgrade() {
        let mut pending = calls.pending.lock();
        pending.closed = true;
        pending.waiting.clear();
    }
}
