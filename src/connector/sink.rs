//! Pushes to users: the sink of a frontend whose clients are here.

use super::client::{Client, refusal};
use super::clients::SHARDS;
use super::hub::Hub;
use super::outbox::Put;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use tangelo_core::ErrorKind;
use tangelo_core::channel::{PushError, PushMessage, PushSink};

/// So many users are looked up under one lock.
const AT_ONCE: usize = 64;

/// Hands pushes to this frontend's clients.
#[derive(Debug)]
pub(super) struct ClientSink(pub(super) Arc<Hub>);

impl PushSink for ClientSink {
    fn push(
        &self,
        message: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        failed: &mut dyn FnMut(&str, PushError),
    ) {
        let hub = &self.0;
        let frame = match hub.wire.push(message.route, message.body) {
            Ok(frame) => frame,
            Err(error) => return users.for_each(|uid| failed(uid, error.clone())),
        };
        let clients = hub.clients();
        let (mut due, mut slow) = (Vec::new(), Vec::new());
        let mut missed: Vec<(&str, Option<Put>)> = Vec::new();
        loop {
            let part = clients.users();
            let mut seen = 0;
            for uid in (&mut *users).take(AT_ONCE) {
                seen += 1;
                let mut outcome = None;
                for client in part.of(uid) {
                    match client.put(frame.clone()) {
                        Put::Flush => {
                            due.push(client.clone());
                            outcome = Some(Put::Flush);
                        }
                        Put::Waits => outcome = Some(Put::Waits),
                        put => {
                            if put == Put::Full {
                                slow.push(client.clone());
                            }
                            outcome = outcome.or(Some(put));
                        }
                    }
                }
                if !matches!(outcome, Some(Put::Flush | Put::Waits)) {
                    missed.push((uid, outcome));
                }
            }
            drop(part);
            if seen < AT_ONCE {
                break;
            }
        }
        hub.flush_all_later(due);
        slow.iter().for_each(Client::overflowed);
        for (uid, outcome) in missed {
            failed(uid, outcome.map_or_else(|| nobody(hub), refusal));
        }
    }

    fn push_all(
        &self,
        message: PushMessage<'_>,
        failed: &mut dyn FnMut(&str, PushError),
    ) -> Result<u64, PushError> {
        let hub = &self.0;
        let frame = hub.wire.push(message.route, message.body)?;
        let (mut due, mut missed, mut delivered) = (Vec::new(), Vec::new(), 0);
        for part in 0..SHARDS {
            hub.clients().in_part(part, |client| {
                // Whoever is on the way to be a client is none yet.
                if client.is_working() {
                    match client.put(frame.clone()) {
                        Put::Flush => due.push(client.clone()),
                        Put::Waits => {}
                        put => return missed.push((client.clone(), put)),
                    }
                    delivered += 1;
                }
            });
            hub.flush_all_later(core::mem::take(&mut due));
        }
        for (client, put) in missed {
            failed(client.uid().as_deref().unwrap_or_default(), refusal(put));
            if put == Put::Full {
                client.overflowed();
            }
        }
        Ok(delivered)
    }

    fn has_session(&self, uid: &str) -> bool {
        !self.0.clients().users().of(uid).is_empty()
    }
}

fn nobody(hub: &Hub) -> PushError {
    let message = match hub.stopping.load(Ordering::Acquire) {
        true => "this server stops",
        false => "the user has no session here",
    };
    PushError::new(ErrorKind::NotFound, message)
}
