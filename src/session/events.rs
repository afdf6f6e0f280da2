//! What the application is told of sessions, at their frontend.

use super::Session;
use crate::app::{App, Hook};
use crate::connector::Client;
use crate::handler::panic_text;
use crate::sync::Mutex;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use futures_lite::FutureExt as _;
use std::collections::HashMap;
use tracing::error;

/// Who listens, and what they have not been told yet.
#[derive(Debug, Default)]
pub(crate) struct Events {
    bound: Mutex<Arc<Vec<Listener>>>,
    closed: Mutex<Arc<Vec<Listener>>>,
    /// By client, each with a task that works on it: one event of a session after the other.
    waiting: Mutex<HashMap<u64, VecDeque<Event>>>,
}

pub(super) type Listener = Arc<Hook<Session>>;

#[derive(Debug)]
struct Event {
    name: &'static str,
    listeners: Arc<Vec<Listener>>,
    session: Session,
}

impl Events {
    pub(super) fn on_bound(&self, listener: Listener) {
        Arc::make_mut(&mut self.bound.lock()).push(listener);
    }

    pub(super) fn on_closed(&self, listener: Listener) {
        Arc::make_mut(&mut self.closed.lock()).push(listener);
    }

    /// Whether everything has been told.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.lock().is_empty()
    }
}

pub(crate) fn bound(app: &App, client: &Client) {
    let listeners = Arc::clone(&app.shared().events.bound.lock());
    if !listeners.is_empty() {
        let session = Session::here(app, client);
        tell(app, client, true, Event { name: "on_session_bound", listeners, session });
    }
}

pub(crate) fn closed(app: &App, client: &Client, reason: &str) {
    let listeners = Arc::clone(&app.shared().events.closed.lock());
    if !listeners.is_empty() {
        let session = Session::here(app, client);
        session.close(reason);
        tell(app, client, false, Event { name: "on_session_closed", listeners, session });
    }
}

fn tell(app: &App, client: &Client, if_open: bool, event: Event) {
    let (events, id) = (&app.shared().events, client.id());
    let mut waiting = events.waiting.lock();
    // The end, which comes through here as well, is the last that is told.
    if if_open && client.is_closed() {
        return;
    }
    if let Some(queue) = waiting.get_mut(&id) {
        queue.push_back(event);
        return;
    }
    waiting.insert(id, VecDeque::new());
    drop(waiting);
    let app_here = app.clone();
    app.spawn(async move {
        let mut next = Some(event);
        while let Some(event) = next {
            event.tell().await;
            let mut waiting = app_here.shared().events.waiting.lock();
            next = waiting.get_mut(&id).and_then(VecDeque::pop_front);
            if next.is_none() {
                waiting.remove(&id);
            }
        }
    });
}

impl Event {
    /// One that fails or panics takes nobody with it.
    async fn tell(self) {
        let Self { name, listeners, session } = self;
        for listener in &*listeners {
            match AssertUnwindSafe(listener.run(session.clone())).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => error!(?session, "{name} failed: {error}"),
                Err(panic) => error!(?session, "{name} panicked: {}", panic_text(&*panic)),
            }
        }
    }
}
