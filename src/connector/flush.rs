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

/// After so many system calls others have their turn. With those of the last client it is less than the 128 that
/// tokio lets a task do before it answers that nothing is ready.
const AT_ONCE: u64 = 96;

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
        while poll_fn(|cx| self.poll_wait(cx)).await {
            // What else is about to be sent goes along.
            yield_now().await;
            core::mem::swap(&mut self.0.lock().clients, &mut due);
            let mut more = Vec::new();
            let mut left = &due[..];
            while !left.is_empty() {
                let (done, sent) = write(left, &mut more);
                counters.add_sent(sent);
                left = &left[done..];
                yield_now().await;
            }
            due.clear();
            if !more.is_empty() {
                self.0.lock().clients.append(&mut more);
            }
        }
    }

    /// Waits until somebody is on the list; `false`: the end.
    fn poll_wait(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut list = self.0.lock();
        if !list.clients.is_empty() {
            return Poll::Ready(true);
        }
        if list.ended {
            return Poll::Ready(false);
        }
        list.task = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Writes to the first of `clients`, and says to how many; those that have more yet go to `more`. Whoever
/// takes nothing at present is waited for by its own task.
fn write(clients: &[Client], more: &mut Vec<Client>) -> (usize, Sent) {
    let (mut sent, mut blocked) = (Sent::default(), 0);
    let mut cx = Context::from_waker(Waker::noop());
    for (done, client) in clients.iter().enumerate() {
        if sent.writes + blocked >= AT_ONCE {
            return (done, sent);
        }
        match client.flush(&mut cx, false, &mut sent) {
            Flushed::More => more.push(client.clone()),
            Flushed::Blocked => blocked += 1,
            Flushed::Drained | Flushed::Dead => {}
        }
    }
    (clients.len(), sent)
}
