//! A push, at the frontend that it has come to.

use super::roster::Roster;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use futures_lite::future::yield_now;
use std::collections::HashSet;
use std::panic::catch_unwind;
use tangelo_core::ErrorKind;
use tangelo_core::channel::{PushError, PushMessage, PushReply, PushRequest, PushSink, PushTarget};

/// How many users a sink is given at once; then others have their turn.
const AT_ONCE: usize = 512;

/// Hands a message to this frontend's sink, for whom it is meant.
pub(super) async fn deliver(
    roster: &Mutex<Roster>,
    sink: Option<&dyn PushSink>,
    request: &PushRequest,
) -> PushReply {
    let message = PushMessage { route: &request.route, body: &request.message };
    let mut delivery = Delivery { sink, message, reply: PushReply::default() };
    match &request.target {
        PushTarget::Channel { channel, except, only: None } => {
            let except: HashSet<&str> = except.iter().map(String::as_str).collect();
            let (seen, mut names) = (roster.lock().snapshot(channel), Vec::with_capacity(AT_ONCE));
            for part in seen.chunks(AT_ONCE) {
                roster.lock().names(channel, part, &mut names);
                if !except.is_empty() {
                    names.retain(|name| !except.contains(&**name));
                }
                delivery.hand_over(&names).await;
            }
        }
        PushTarget::Channel { channel, except, only: Some(only) } => {
            let mut chosen: HashSet<&str> = only.iter().map(String::as_str).collect();
            except.iter().for_each(|uid| _ = chosen.remove(&**uid));
            let chosen: Vec<&str> = chosen.into_iter().collect();
            for part in chosen.chunks(AT_ONCE) {
                let here = {
                    let roster = roster.lock();
                    let here = part.iter().filter(|uid| roster.contains(channel, uid));
                    here.copied().map(Arc::from).collect::<Vec<_>>()
                };
                delivery.hand_over(&here).await;
            }
        }
        PushTarget::Users(users) => {
            for part in users.chunks(AT_ONCE) {
                let part: Vec<Arc<str>> = part.iter().map(|uid| Arc::from(uid.as_str())).collect();
                delivery.hand_over(&part).await;
            }
        }
        PushTarget::Everyone => delivery.hand_over_to_all(),
    }
    delivery.reply
}

struct Delivery<'a> {
    sink: Option<&'a dyn PushSink>,
    message: PushMessage<'a>,
    reply: PushReply,
}

impl Delivery<'_> {
    /// No lock is held here: the sink may call the services.
    async fn hand_over(&mut self, users: &[Arc<str>]) {
        if users.is_empty() {
            return;
        }
        let Some(sink) = self.sink else {
            users.iter().for_each(|uid| self.reply.fail(uid, no_sink()));
            return;
        };
        let mut failed = Vec::new();
        let pushed = catch_unwind(AssertUnwindSafe(|| {
            let mut users = users.iter().map(|uid| &**uid);
            sink.push(self.message, &mut users, &mut |uid, reason| failed.push((String::from(uid), reason)));
        }));
        if pushed.is_err() {
            // Nobody knows how far it has come: none of them counts.
            users.iter().for_each(|uid| self.reply.fail(uid, panicked()));
            return;
        }
        self.reply.delivered += users.len().saturating_sub(failed.len()) as u64;
        failed.into_iter().for_each(|(uid, reason)| self.reply.fail(&uid, reason));
        yield_now().await;
    }

    fn hand_over_to_all(&mut self) {
        let Some(sink) = self.sink else { return self.reply.refuse(no_sink()) };
        let (message, mut failed) = (self.message, PushReply::default());
        let pushed = catch_unwind(AssertUnwindSafe(|| {
            sink.push_all(message, &mut |uid, reason| failed.fail(uid, reason))
        }));
        match pushed {
            Ok(Ok(delivered)) => {
                failed.delivered = delivered;
                self.reply = failed;
            }
            Ok(Err(reason)) => self.reply.refuse(reason),
            Err(_) => self.reply.refuse(panicked()),
        }
    }
}

fn no_sink() -> PushError {
    PushError::new(ErrorKind::Unsupported, "this server has no sink for pushes")
}

fn panicked() -> PushError {
    PushError::new(ErrorKind::Io, "the sink for pushes panicked: see this server's log")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::sinks::TestSink;
    use futures_lite::future::block_on;
    use tangelo_core::channel::PushOptions;

    fn roster(n: usize) -> Mutex<Roster> {
        let mut roster = Roster::default();
        (0..n).for_each(|n| _ = roster.add("room", &format!("user-{n}")));
        roster.add("other", "user-0");
        Mutex::new(roster)
    }

    fn request(options: &PushOptions) -> PushRequest {
        let target = PushTarget::channel("room", options);
        PushRequest { route: "onChat".into(), target, message: b"hello".to_vec() }
    }

    #[test]
    fn everybody_gets_it_once_in_parts() {
        let (roster, sink) = (roster(2000), TestSink::default());
        let reply = block_on(deliver(&roster, Some(&sink), &request(&PushOptions::new())));
        assert_eq!((reply.delivered, reply.failed.len()), (2000, 0));
        let got = sink.got();
        assert_eq!(got.len(), 2000);
        assert!(got.values().all(|messages| *messages == ["onChat: hello"]));
    }

    #[test]
    fn options_choose() {
        let (roster, sink) = (roster(10), TestSink::default());
        let options = PushOptions::new().except(["user-1", "nobody"]);
        assert_eq!(block_on(deliver(&roster, Some(&sink), &request(&options))).delivered, 9);
        let options = PushOptions::new().only(["user-1", "user-2", "user-2", "stranger"]).except(["user-2"]);
        assert_eq!(block_on(deliver(&roster, Some(&sink), &request(&options))).delivered, 1);
        assert_eq!(sink.got()["user-1"].len(), 1);
        assert_eq!(sink.got()["user-2"].len(), 1);
        let options = PushOptions::new().only::<String>([]);
        assert_eq!(block_on(deliver(&roster, Some(&sink), &request(&options))), PushReply::default());
    }

    #[test]
    fn whom_the_sink_cannot_reach_is_named_and_a_panic_is_an_error() {
        let (roster, sink) = (roster(1000), TestSink::default());
        sink.refuse("user-7", "its queue is full");
        let reply = block_on(deliver(&roster, Some(&sink), &request(&PushOptions::new())));
        assert_eq!((reply.delivered, &*reply.failed[0].users), (999, &["user-7".to_owned()][..]));
        sink.panic_at("user-600");
        let reply = block_on(deliver(&roster, Some(&sink), &request(&PushOptions::new())));
        let missed: usize = reply.failed.iter().map(|refusal| refusal.users.len()).sum();
        assert_eq!(reply.delivered + missed as u64, 1000, "everybody is in the report");
        assert!(reply.failed.iter().any(|refusal| refusal.reason.message.contains("panicked")));
        let reply = block_on(deliver(&roster, None, &request(&PushOptions::new())));
        assert_eq!((reply.delivered, reply.failed[0].users.len()), (0, 1000));
    }

    #[test]
    fn everybody_is_whom_the_sink_has() {
        let (roster, sink) = (roster(10), TestSink::default());
        let request =
            PushRequest { route: "onNews".into(), target: PushTarget::Everyone, message: b"hi".to_vec() };
        let reply = block_on(deliver(&roster, Some(&sink), &request));
        assert_eq!((reply.delivered, reply.failed.len()), (0, 1), "this sink cannot");
        assert_eq!(reply.failed[0].reason.kind, ErrorKind::Unsupported);
        assert_eq!((reply.failed[0].users.len(), reply.failed[0].more), (0, 0));
        sink.takes_all(["ann", "ben", "", ""]);
        sink.refuse("ben", "its queue is full");
        sink.refuse("", "its queue is full");
        let reply = block_on(deliver(&roster, Some(&sink), &request));
        assert_eq!((reply.delivered, reply.failed.len()), (1, 1));
        assert_eq!((&*reply.failed[0].users, reply.failed[0].more), (&["ben".to_owned()][..], 2));
        assert_eq!(sink.got()["ann"], ["onNews: hi"]);
        sink.panic_at("ann");
        let reply = block_on(deliver(&roster, Some(&sink), &request));
        assert_eq!((reply.delivered, reply.failed[0].reason.kind), (0, ErrorKind::Io));
        let reply = block_on(deliver(&roster, None, &request));
        assert_eq!((reply.delivered, reply.failed[0].reason.kind), (0, ErrorKind::Unsupported));
    }
}
