//! The links of a master: who is at the other end, and what they say.

use super::events::Event;
use crate::link::{Inbox, Link};
use alloc::sync::Arc;
use async_channel::Sender;
use std::collections::HashMap;
use tangelo_core::master::LinkId;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::Message;
use tracing::debug;

#[derive(Debug)]
pub(super) struct Links {
    runtime: Arc<dyn Runtime>,
    events: Sender<Event>,
    last: u64,
    links: HashMap<LinkId, Link>,
}

impl Links {
    pub(super) fn new(runtime: Arc<dyn Runtime>, events: Sender<Event>) -> Self {
        Self { runtime, events, last: 0, links: HashMap::new() }
    }

    /// Keeps a link and lets what it says come in.
    pub(super) fn insert(&mut self, link: Link, inbox: Inbox) -> LinkId {
        self.last += 1;
        let id = LinkId(self.last);
        self.links.insert(id, link);
        self.runtime.spawn(Box::pin(read(id, inbox, self.events.clone())));
        id
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// Sends, or closes a link on which nothing can be sent: its end is then reported.
    pub(super) fn send(&self, id: LinkId, message: &Message) {
        let Some(link) = self.links.get(&id) else { return };
        if let Err(error) = link.try_send(message) {
            debug!(peer = %link.peer().id, %error, "cannot send");
            link.close("nothing can be sent on it");
        }
    }

    /// Closes a link after what was sent on it. Its end is not reported any more.
    pub(super) fn close(&mut self, id: LinkId, reason: &str) {
        if let Some(link) = self.links.remove(&id) {
            link.close(reason);
        }
    }

    /// Takes in that a link has ended; whether it was still ours.
    pub(super) fn ended(&mut self, id: LinkId) -> bool {
        self.links.remove(&id).is_some()
    }

    pub(super) fn close_all(&mut self, reason: &str) -> Vec<Link> {
        let links: Vec<Link> = self.links.drain().map(|(_, link)| link).collect();
        links.iter().for_each(|link| link.close(reason));
        links
    }
}

async fn read(id: LinkId, mut inbox: Inbox, events: Sender<Event>) {
    loop {
        let (event, last) = match inbox.next().await {
            Ok(message) => (Event::Message(id, message), false),
            Err(closed) => (Event::Closed(id, closed), true),
        };
        if events.send(event).await.is_err() || last {
            return;
        }
    }
}
