//! What writes to many clients at once.
//!
//! Whoever pushes only queues, and puts a client on the list of its flusher, unless it stands there
//! already. So a push wakes a flusher and no client; and while a flusher is busy with one push, those
//! that come gather in the queues, and go together when their clients' turn comes.

use super::client::{Client, Flushed};
use super::stats::{Counters, Sent};
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use futures_lite::future::yield_now;

/// After so many clients others have their turn. With two system calls for each this is what tokio
/// lets a task do before it answers that nothing is ready.
const AT_ONCE: usize = 64;

/// The clients that one task has to write to.
#[derive(Debug, Default)]
pub(super) struct Flusher(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    clients: Vec<Client>,
    task: Option<Waker>,
    ended: bool,
}

impl Flusher {
    /// Puts clients on the list.
    pub(super) fn list(&self, clients: impl IntoIterator<Item = Client>) {
        let task = {
            let mut list = self.0.lock();
            list.clients.extend(clients);
            list.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Ends its task once the list is empty.
    pub(super) fn end(&self) {
        let task = {
            let mut list = self.0.lock();
            list.ended = true;
            list.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Writes to the clients on the list.
    pub(super) async fn run(&self, counters: &Arc<Counters>) {
        let mut due = Vec::new();
        while poll_fn(|cx| self.poll_list(cx, &mut due)).await {
            let mut more = Vec::new();
            for part in due.chunks(AT_ONCE) {
                counters.add_sent(write(part, &mut more));
                yield_now().await;
            }
            due.clear();
            if !more.is_empty() {
                self.0.lock().clients.append(&mut more);
            }
        }
    }

    /// Takes the list; `false`: the end.
    fn poll_list(&self, cx: &mut Context<'_>, into: &mut Vec<Client>) -> Poll<bool> {
        let mut list = self.0.lock();
        if !list.clients.is_empty() {
            core::mem::swap(&mut list.clients, into);
            return Poll::Ready(true);
        }
        if list.ended {
            return Poll::Ready(false);
        }
        list.task = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Writes to clients; those that have more yet go to `more`. Whoever takes nothing at present is waited
/// for by its own task.
fn write(clients: &[Client], more: &mut Vec<Client>) -> Sent {
    let mut sent = Sent::default();
    let mut cx = Context::from_waker(Waker::noop());
    for client in clients {
        if client.flush(&mut cx, false, &mut sent) == Flushed::More {
            more.push(client.clone());
        }
    }
    sent
}
