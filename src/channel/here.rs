//! This server's own users: who is in which channel, and what hands them messages.

use super::deliver::deliver;
use super::roster::Roster;
use crate::peer::Turns;
use crate::sync::Mutex;
use alloc::sync::Arc;
use tangelo_core::channel::{Frontend, PushReply, PushRequest, PushSink};
use tangelo_core::{Error, ErrorKind, Result};

/// This server as the place of users; a handle.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) frontend: Frontend,
    pub(super) roster: Arc<Mutex<Roster>>,
    sink: Arc<Mutex<Option<Arc<dyn PushSink>>>>,
    /// Pushes are handed over in the order in which they came, also where one is handed over in parts.
    turns: Arc<Turns>,
}

impl Here {
    pub(super) fn new(frontend: Frontend) -> Self {
        Self { frontend, roster: Arc::default(), sink: Arc::default(), turns: Arc::default() }
    }

    pub(super) fn set_sink(&self, sink: Arc<dyn PushSink>) {
        *self.sink.lock() = Some(sink);
    }

    pub(super) fn has_sink(&self) -> bool {
        self.sink.lock().is_some()
    }

    fn sink(&self) -> Option<Arc<dyn PushSink>> {
        self.sink.lock().clone()
    }

    pub(super) async fn deliver(&self, request: &PushRequest) -> PushReply {
        let _turn = self.turns.enter().await;
        deliver(&self.roster, self.sink().as_deref(), request).await
    }

    /// That everybody has a session here, who is to be put into a channel.
    pub(super) fn check_sessions(&self, uids: &[String]) -> Result<()> {
        let Some(sink) = self.sink() else { return Ok(()) };
        match uids.iter().find(|uid| !sink.has_session(uid)) {
            None => Ok(()),
            Some(uid) => {
                let message = format!("user {uid:?} has no session at {}", self.frontend.sid);
                Err(Error::new(ErrorKind::NotFound, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::sinks::TestSink;
    use core::pin::pin;
    use futures_lite::future::{block_on, poll_once, zip};
    use tangelo_core::channel::{PushOptions, PushTarget};
    use tangelo_core::config::Incarnation;

    #[test]
    fn a_push_does_not_overtake_one_that_is_handed_over_in_parts() {
        let here = Here::new(Frontend { sid: "connector-1".into(), incarnation: Incarnation(1) });
        let sink = Arc::new(TestSink::default());
        here.set_sink(sink.clone());
        (0..2000).for_each(|n| _ = here.roster.lock().add("room", &format!("user-{n}")));
        let request = |text: &str| {
            let target = PushTarget::channel("room", &PushOptions::new());
            PushRequest { route: "onChat".into(), target, message: text.into() }
        };
        let (first, second) = (request("first"), request("second"));
        block_on(async {
            let (mut first, mut second) = (pin!(here.deliver(&first)), pin!(here.deliver(&second)));
            assert!(poll_once(&mut first).await.is_none(), "one part is through");
            // Its task is in no hurry, that of the next one is.
            for _ in 0..100 {
                assert!(poll_once(&mut second).await.is_none());
            }
            let (first, second) = zip(first, second).await;
            assert_eq!((first.delivered, second.delivered), (2000, 2000));
        });
        let got = sink.got();
        assert_eq!(got.len(), 2000);
        assert!(got.values().all(|messages| *messages == ["onChat: first", "onChat: second"]));
    }
}
