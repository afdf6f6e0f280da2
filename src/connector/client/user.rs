//! Who a client is, and what has been set for its session.

use super::Client;
use crate::connector::why::Why;
use alloc::sync::Arc;
use serde_json::{Map, Value};
use tangelo_core::channel::check_name;
use tangelo_core::config::SessionsPerUser;
use tangelo_core::{Error, ErrorKind, Result};

impl Client {
    /// The user that it is bound to.
    pub(crate) fn uid(&self) -> Option<Arc<str>> {
        self.0.session.lock().uid.clone()
    }

    /// Binds it to a user. If users may have one session only, an older one is kicked.
    ///
    /// # Errors
    /// `Invalid` for a name that channels would not take; `AlreadyExists` if it is bound to another user;
    /// `NotFound` if it has closed.
    pub(crate) fn bind(&self, uid: &str) -> Result<()> {
        check_name("user", uid)?;
        let others = {
            let mut session = self.0.session.lock();
            match &session.uid {
                Some(bound) if **bound == *uid => return Ok(()),
                Some(bound) => {
                    let message = format!("this session is bound to user {bound:?} already");
                    return Err(Error::new(ErrorKind::AlreadyExists, message));
                }
                None => {}
            }
            let clients = self.0.hub.clients();
            let uid: Arc<str> = uid.into();
            let Some(others) =
                clients.bind(&uid, self, self.0.hub.config.sessions_per_user == SessionsPerUser::One)
            else {
                return Err(Error::new(ErrorKind::NotFound, "this session has closed"));
            };
            session.uid = Some(uid);
            others
        };
        others.iter().for_each(|other| other.kick_for(Why::REPLACED, "replaced"));
        crate::handler::dispatch::bound(&self.0.hub.app, self);
        Ok(())
    }

    /// Takes the user away from it.
    pub(crate) fn unbind(&self) {
        let mut session = self.0.session.lock();
        if let Some(uid) = session.uid.take() {
            self.leave_user(&uid);
        }
    }

    pub(super) fn leave_user(&self, uid: &Arc<str>) {
        if self.0.hub.clients().unbind(uid, self)
            && let Some(channels) = self.0.hub.app.shared().channels.made()
        {
            channels.session_closed(uid);
        }
    }

    /// What has been set for this session.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        self.0.session.lock().settings.clone()
    }

    /// Sets some of it anew.
    pub(crate) fn set_settings(&self, changed: Map<String, Value>) {
        let mut session = self.0.session.lock();
        session.settings.extend(changed);
        // Maps of JSON values can always be written.
        session.encoded = serde_json::to_vec(&session.settings).unwrap_or_default().into();
    }

    /// What has been set for this session, as JSON; empty if nothing has.
    pub(crate) fn settings_json(&self) -> Arc<[u8]> {
        Arc::clone(&self.0.session.lock().encoded)
    }
}
