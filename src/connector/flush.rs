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

/// After so many system calls others have their turn: other tasks, and other threads that want this CPU. Whoever pushes
/// more gets to it, so that more goes in each write, and so does who reads what was written (measured: twice the messages
/// a second at a stream of pushes). With those of the last client it is less than the 128 that tokio lets a task do before
/// it answers that nothing is ready.
const AT_ONCE: u64 = 16;

/// The clients that one task has to write to.
#[derive(Debug, Default)]
pub(super) struct Flusher(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    clients: Vec<Client>,
    /// Those that wait for an answer.
    urgent: Vec<Client>,
    task: Option<Waker>,
    ended: bool,
}

impl Flusher {
    /// Puts clients on the list.
    pub(super) fn list(&self, clients: impl IntoIterator<Item = Client>) {
        self.change(|list| list.clients.extend(clients));
    }

    /// Puts a client before those on the list.
    pub(super) fn list_first(&self, client: Client) {
        self.change(|list| list.urgent.push(client));
    }

    /// Ends its task once the list is empty.
    pub(super) fn end(&self) {
        self.change(|list| list.ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut List)) {
        let task = {
            let mut list = self.0.lock();
            change(&mut list);
            list.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Writes to the clients on the list.
    pub(super) async fn run(&self, counters: &Arc<Counters>) {
        let (mut urgent, mut due) = (Vec::new(), Vec::new());
        while poll_fn(|cx| self.poll_wait(cx)).await {
            // What else is about to be sent goes along.
            yield_now().await;
            core::mem::swap(&mut self.0.lock().clients, &mut due);
            let (mut more, mut left) = (Vec::new(), &due[..]);
            loop {
                // An answer does not wait until all is written that is pushed.
                core::mem::swap(&mut self.0.lock().urgent, &mut urgent);
                if urgent.is_empty() && left.is_empty() {
                    break;
                }
                let mut first = &urgent[..];
                while !first.is_empty() {
                    first = write(first, &mut more, counters);
                    yield_now().await;
                }
                urgent.clear();
                left = write(left, &mut more, counters);
                if !left.is_empty() {
                    std::thread::yield_now();
                }
                yield_now().await;
            }
            due.clear();
            self.0.lock().clients.append(&mut more);
        }
    }

    /// Waits until somebody is on the list; `false`: the end.
    fn poll_wait(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut list = self.0.lock();
        if !list.clients.is_empty() || !list.urgent.is_empty() {
            return Poll::Ready(true);
        }
        if list.ended {
            return Poll::Ready(false);
        }
        list.task = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Writes to the first of `clients`, and gives back the others; those that have more yet go to `more`. Whoever
/// takes nothing at present is waited for by its own task.
fn write<'a>(clients: &'a [Client], more: &mut Vec<Client>, counters: &Counters) -> &'a [Client] {
    let (mut sent, mut blocked, mut left) = (Sent::default(), 0, clients);
    let mut cx = Context::from_waker(Waker::noop());
    while let Some((client, others)) = left.split_first()
        && sent.writes + blocked < AT_ONCE
    {
        match client.flush(&mut cx, false, &mut sent) {
            Flushed::More => more.push(client.clone()),
            Flushed::Blocked => blocked += 1,
            Flushed::Drained | Flushed::Dead => {}
        }
        left = others;
    }
    counters.add_sent(sent);
    left
}
