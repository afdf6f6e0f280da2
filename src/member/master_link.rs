//! The agent's link to the master: one at a time, and what comes from an earlier one counts no more.

use super::driver::Event;
use crate::link::{Inbox, Link, LinkConfig, connect};
use alloc::sync::Arc;
use async_channel::Sender;
use tangelo_core::Result;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::Message;
use tracing::{debug, warn};

/// What happens on the link.
#[derive(Debug)]
pub(super) enum LinkEvent {
    Linked(Result<(Link, Inbox)>),
    Message(Message),
    Closed(String),
}

#[derive(Debug)]
pub(super) struct MasterLink {
    runtime: Arc<dyn Runtime>,
    config: LinkConfig,
    events: Sender<Event>,
    /// Which attempt counts.
    attempt: u64,
    link: Option<Link>,
}

impl MasterLink {
    pub(super) const fn new(runtime: Arc<dyn Runtime>, config: LinkConfig, events: Sender<Event>) -> Self {
        Self { runtime, config, events, attempt: 0, link: None }
    }

    /// Gives up what there is and links with this master.
    pub(super) fn connect(&mut self, host: String, port: u16) {
        self.disconnect("linking with another master");
        let (attempt, events, config) = (self.attempt, self.events.clone(), self.config.clone());
        let runtime = Arc::clone(&self.runtime);
        self.runtime.spawn(Box::pin(async move {
            let linked = connect(&runtime, &config, &host, port).await.map(|(link, inbox, _)| (link, inbox));
            // If the driver has gone, the process ends.
            let _ = events.send(Event::Link(attempt, LinkEvent::Linked(linked))).await;
        }));
    }

    pub(super) fn disconnect(&mut self, why: &str) {
        self.attempt += 1;
        if let Some(link) = self.link.take() {
            link.close(why);
        }
    }

    /// Says goodbye, and waits until what was sent is out.
    pub(super) async fn leave(&mut self) {
        self.attempt += 1;
        if let Some(link) = self.link.take() {
            link.close("the server has stopped");
            link.ended().await;
        }
    }

    /// Takes over a link that has been made; whether it was.
    pub(super) fn linked(&mut self, linked: Result<(Link, Inbox)>) -> bool {
        match linked {
            Ok((link, inbox)) => {
                let (attempt, events) = (self.attempt, self.events.clone());
                self.runtime.spawn(Box::pin(read(attempt, inbox, events)));
                self.link = Some(link);
                true
            }
            Err(error) if error.is_temporary() => {
                debug!(%error, "cannot link with the master yet");
                false
            }
            Err(error) => {
                warn!(%error, "cannot link with the master");
                false
            }
        }
    }

    pub(super) const fn is_current(&self, attempt: u64) -> bool {
        self.attempt == attempt
    }

    /// Sends, or drops a link on which nothing can be sent: its end is reported by its reader.
    pub(super) fn send(&self, message: &Message) {
        if let Some(link) = &self.link
            && let Err(error) = link.try_send(message)
        {
            debug!(%error, "cannot send to the master");
            link.close("nothing can be sent on it");
        }
    }
}

async fn read(attempt: u64, mut inbox: Inbox, events: Sender<Event>) {
    loop {
        let event = match inbox.next().await {
            Ok(message) => LinkEvent::Message(message),
            Err(closed) => LinkEvent::Closed(closed.to_string()),
        };
        let last = matches!(event, LinkEvent::Closed(_));
        if events.send(Event::Link(attempt, event)).await.is_err() || last {
            return;
        }
    }
}
