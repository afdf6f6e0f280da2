//! What an application does with sessions and users, from any server.

use super::{Session, orders};
use crate::app::{App, Hook, Outcome};
use crate::channel::direct;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use serde::Serialize;
use tangelo_core::channel::{PushOptions, PushReport};
use tangelo_core::{Error, ErrorKind, Result};

/// Sessions and users.
impl App {
    /// Runs `listener` at the frontend when a session there was bound to a user. What is told of one
    /// session comes one after the other: its end is not told before this has ended.
    pub fn on_session_bound<F, Fut>(&self, listener: F) -> &Self
    where
        F: Fn(Session) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.shared().events.on_bound(Arc::new(Hook::new(listener)));
        self
    }

    /// Runs `listener` at the frontend when a session there has closed, bound or not;
    /// [`close_reason`](Session::close_reason) says why.
    pub fn on_session_closed<F, Fut>(&self, listener: F) -> &Self
    where
        F: Fn(Session) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.shared().events.on_closed(Arc::new(Hook::new(listener)));
        self
    }

    /// Closes all sessions of a user, at whichever frontends they are, and says how many they were. The
    /// clients are told the reason, of at most 1000 bytes. Frontends have 5 s to answer.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if a name is out of bounds. If a frontend does not answer, its kind
    /// of failure: the sessions at all others are closed.
    ///
    /// # Cancel safety
    /// Not cancel safe: some or all may be closed all the same.
    pub async fn kick(&self, uid: &str, reason: &str) -> Result<u64> {
        orders::check_kick(uid, reason)?;
        let frontends: Vec<String> = self
            .servers()
            .into_iter()
            .filter(|server| server.def.frontend)
            .map(|server| server.def.id)
            .collect();
        let (tell, told) = async_channel::bounded(frontends.len().max(1));
        for frontend in frontends {
            let (app, tell) = (self.clone(), tell.clone());
            let (uid, reason) = (String::from(uid), String::from(reason));
            self.spawn(async move {
                let kicked = orders::kick_user(&app, &frontend, &uid, &reason).await;
                let _ = tell.try_send((frontend, kicked));
            });
        }
        drop(tell);
        let (mut sessions, mut failed) = (0, None);
        while let Ok((frontend, kicked)) = told.recv().await {
            match kicked {
                Ok(kicked) => sessions += kicked,
                // One that has just gone has no sessions any more.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => failed = Some((frontend, error)),
            }
        }
        match failed {
            None => Ok(sessions),
            Some((frontend, error)) => {
                let message = format!(
                    "{frontend} has not answered: {sessions} sessions of {uid} at other frontends were closed"
                );
                Err(Error::new(error.kind(), message).with_source(error))
            }
        }
    }

    /// Sends a message, as JSON, to users, each named with the frontend (`sid`) where it is; within 5 s.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the route is not of 1 to 255 bytes, or the message cannot be
    /// JSON. All else is in the report.
    ///
    /// # Cancel safety
    /// Not cancel safe: the message may be delivered all the same.
    pub async fn push_by_uids<U: AsRef<str>, S: AsRef<str>>(
        &self,
        route: &str,
        message: &(impl Serialize + ?Sized),
        users: &[(U, S)],
    ) -> Result<PushReport> {
        let message = json(route, message)?;
        let mut by_frontend: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (uid, sid) in users {
            by_frontend.entry(sid.as_ref()).or_default().push(uid.as_ref().into());
        }
        let users = by_frontend.into_iter().map(|(sid, uids)| (sid.into(), uids)).collect();
        direct::push_to(self, users, route, message, &PushOptions::new()).await
    }

    /// Sends a message, as JSON, to all clients of all frontends of a type, bound to a user or not; within 5 s.
    ///
    /// # Errors
    /// As for [`push_by_uids`](Self::push_by_uids). Of a frontend that does not answer, the report
    /// cannot say whom it has missed.
    ///
    /// # Cancel safety
    /// Not cancel safe: the message may be delivered all the same.
    pub async fn broadcast(
        &self,
        server_type: &str,
        route: &str,
        message: &(impl Serialize + ?Sized),
    ) -> Result<PushReport> {
        direct::broadcast(self, server_type, route, json(route, message)?, &PushOptions::new()).await
    }
}

fn json(route: &str, message: &(impl Serialize + ?Sized)) -> Result<Vec<u8>> {
    serde_json::to_vec(message).map_err(|e| {
        Error::new(ErrorKind::Invalid, format!("the message for {route:.255} cannot be JSON")).with_source(e)
    })
}
