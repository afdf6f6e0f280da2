//! This server's own users: who is in which channel, and what hands them messages.

use super::deliver::deliver;
use super::roster::Roster;
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
}

impl Here {
    pub(super) fn new(frontend: Frontend) -> Self {
        Self { frontend, roster: Arc::default(), sink: Arc::default() }
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
