//! What this server answers to others.

use crate::link::{Frame, Inbox, Link, LinkConfig, Server, serve};
use crate::sync::Mutex;
use alloc::sync::Arc;
use async_lock::Semaphore;
use core::fmt;
use core::panic::AssertUnwindSafe;
use futures_lite::{FutureExt, future};
use serde_bytes::ByteBuf;
use std::collections::HashMap;
use tangelo_core::runtime::{Listener, Runtime};
use tangelo_core::wire::{Call, Message, Return, Role};
use tangelo_core::{BoxFuture, Error, ErrorKind, Result};

/// How many calls of one peer are worked on at once; further ones wait in its link.
const AT_ONCE: usize = 1024;

/// After so many calls, others on this thread have their turn.
const TURN: usize = 64;

type Answer = dyn Fn(&Arc<str>, Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>>> + Send + Sync;

/// The routes that this server answers.
#[derive(Clone, Default)]
pub(crate) struct Remotes(Arc<Mutex<HashMap<String, Arc<Answer>>>>);

impl fmt::Debug for Remotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.lock().keys()).finish()
    }
}

impl Remotes {
    pub(crate) fn insert<F, Fut>(&self, route: &str, answer: F)
    where
        F: Fn(&Arc<str>, Vec<u8>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<u8>>> + Send + 'static,
    {
        let answer: Arc<Answer> = Arc::new(move |from, body| Box::pin(answer(from, body)));
        self.0.lock().insert(route.into(), answer);
    }

    /// Answers a call; a panic is an error.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is no such remote, or what it says itself.
    pub(crate) async fn answer(&self, from: &Arc<str>, route: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        let found = self.0.lock().get(route).cloned();
        let Some(answer) = found else {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no remote {route}")));
        };
        let answering = AssertUnwindSafe(async { answer(from, body).await }).catch_unwind();
        answering.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Io, format!("remote {route} panicked: see its log")))
        })
    }
}

/// Answers the calls of other servers on `listener` until the returned guard is dropped.
pub(crate) fn serve_peers(
    runtime: &Arc<dyn Runtime>,
    listener: Box<dyn Listener>,
    config: LinkConfig,
    remotes: &Remotes,
) -> Server {
    let (spawner, remotes) = (Arc::clone(runtime), remotes.clone());
    serve(runtime, listener, Arc::new(config), move |link, inbox, hello| {
        let (runtime, remotes) = (Arc::clone(&spawner), remotes.clone());
        Box::pin(async move {
            if hello.role == Role::Server {
                answer_all(runtime, remotes, link, inbox).await;
            } else {
                link.close("a server's port takes servers only: masters listen where master.json says");
            }
        })
    })
}

/// Begins with each call before the next one is looked at, so that what one client or one task has
/// sent in an order is begun in that order. Only what has to wait becomes a task.
async fn answer_all(runtime: Arc<dyn Runtime>, remotes: Remotes, link: Link, mut inbox: Inbox) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let from: Arc<str> = link.peer().id.as_str().into();
    for n in 1_usize.. {
        let Ok(message) = inbox.next().await else { return };
        let Message::Call(call) = message else {
            link.close("it sent what is no call");
            return;
        };
        let slot = slots.acquire_arc().await;
        let (remotes, link, from) = (remotes.clone(), link.clone(), Arc::clone(&from));
        let mut answering: BoxFuture<'static, ()> = Box::pin(async move {
            answer_one(&remotes, &link, &from, call).await;
            drop(slot);
        });
        if future::poll_once(&mut answering).await.is_none() {
            runtime.spawn(answering);
        }
        if n % TURN == 0 {
            future::yield_now().await;
        }
    }
}

async fn answer_one(remotes: &Remotes, link: &Link, from: &Arc<str>, Call { id, route, body }: Call) {
    let result = remotes.answer(from, &route, body).await;
    let result = result.map(ByteBuf::from).map_err(|error| (error.kind(), error.to_string()));
    let frame = Frame::new(&Message::Return(Return { id, result })).or_else(|error| {
        // Whoever asked must not wait in vain for what is too large to be sent.
        let message = format!("its answer cannot be sent: {}", error.message());
        Frame::new(&Message::Return(Return { id, result: Err((error.kind(), message)) }))
    });
    if let Ok(frame) = frame
        && let Ok(Err(full)) = link.try_send_frame(frame)
    {
        let _ = link.send_frame(full).await;
    }
    // A caller that has gone needs no answer.
}
