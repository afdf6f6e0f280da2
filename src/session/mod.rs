//! A client's session, at its frontend and as backends see it.

mod app;
pub(crate) mod events;
mod orders;
mod settings;

pub(crate) use events::Events;
pub(crate) use orders::start;

use crate::app::App;
use crate::connector::Client;
use crate::handler::{hash, mix};
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::fmt;
use orders::{Order, carry_out};
use serde::Serialize;
use serde::de::DeserializeOwned;
use settings::Settings;
use tangelo_core::config::Incarnation;
use tangelo_core::{Error, ErrorKind, Result};

/// A client's connection, as the code of any server sees it; a cheap handle.
///
/// It works the same at the frontend that has the connection and in a backend: there, what changes
/// something travels to the frontend, which a lost connection makes a
/// [`NotFound`](ErrorKind::NotFound) error. The user and the settings are those of the time when
/// the message came, and what has been changed through this handle since.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    app: App,
    place: Place,
    state: Mutex<State>,
}

enum Place {
    /// It is a client of this server.
    Here(Client),
    Away(At),
}

/// A session at another server.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) frontend: Arc<str>,
    /// The frontend's life: in the next one the same number is somebody else's.
    pub(crate) incarnation: Incarnation,
    pub(crate) id: u64,
}

struct State {
    uid: Option<Arc<str>>,
    settings: Settings,
    closed: Option<String>,
}

impl Session {
    pub(crate) fn here(app: &App, client: &Client) -> Self {
        let settings = Settings::new(client.settings_json());
        let state = State { uid: client.uid(), settings, closed: None };
        Self::new(app, Place::Here(client.clone()), state)
    }

    pub(crate) fn away(app: &App, at: At, uid: Option<&str>, settings: &[u8]) -> Self {
        let state = State { uid: uid.map(Arc::from), settings: Settings::new(settings.into()), closed: None };
        Self::new(app, Place::Away(at), state)
    }

    fn new(app: &App, place: Place, state: State) -> Self {
        Self(Arc::new(Inner { app: app.clone(), place, state: Mutex::new(state) }))
    }

    /// Its number, which no other session of this frontend has until the frontend is started again.
    #[must_use]
    pub fn id(&self) -> u64 {
        match &self.0.place {
            Place::Here(client) => client.id(),
            Place::Away(at) => at.id,
        }
    }

    /// The server id of the frontend that has the connection: what channels call `sid`.
    #[must_use]
    pub fn frontend_id(&self) -> &str {
        match &self.0.place {
            Place::Here(_) => self.0.app.id(),
            Place::Away(at) => &at.frontend,
        }
    }

    /// The application in this process.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// The user that it is bound to.
    #[must_use]
    pub fn uid(&self) -> Option<String> {
        self.0.state.lock().uid.as_deref().map(Into::into)
    }

    /// The same, for those within.
    pub(crate) fn user(&self) -> Option<Arc<str>> {
        self.0.state.lock().uid.clone()
    }

    /// Why it has closed: what the client was kicked for, or a word as in the connector's counts, such as
    /// `by-client` or `heartbeat-timeout`. Known in [`on_session_closed`](App::on_session_closed).
    #[must_use]
    pub fn close_reason(&self) -> Option<String> {
        self.0.state.lock().closed.clone()
    }

    /// Binds it to a user: pushes to that user reach it from now on. Binding it twice to the same user is
    /// binding it once.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a name of other than 1 to 255 bytes;
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if it is bound to another user;
    /// [`NotFound`](ErrorKind::NotFound) if the session, or its frontend, has gone;
    /// from a backend also [`Unavailable`](ErrorKind::Unavailable) or [`Timeout`](ErrorKind::Timeout):
    /// then it may or may not have happened.
    ///
    /// # Cancel safety
    /// It happens whole or not at all; a dropped future does not tell which.
    pub async fn bind(&self, uid: &str) -> Result<()> {
        self.order(Order::Bind(uid)).await?;
        self.0.state.lock().uid = Some(uid.into());
        Ok(())
    }

    /// Undoes a [`bind`](Self::bind); of a session that is not bound, nothing.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    ///
    /// # Cancel safety
    /// As for [`bind`](Self::bind).
    pub async fn unbind(&self) -> Result<()> {
        self.order(Order::Unbind).await?;
        self.0.state.lock().uid = None;
        Ok(())
    }

    /// A setting of the session; `None` if there is none, or one of another type.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.0.state.lock().settings.get(key)
    }

    /// Sets a setting in this handle; [`push_settings`](Self::push_settings) makes the frontend send it
    /// along with all further messages of the session.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if it cannot be written as JSON.
    pub fn set(&self, key: &str, value: impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|e| {
            Error::new(ErrorKind::Invalid, format!("the setting {key:.100} cannot be JSON")).with_source(e)
        })?;
        self.0.state.lock().settings.set(key, value);
        Ok(())
    }

    /// Hands the frontend all that was [`set`](Self::set) here and has not been handed over yet. Other
    /// settings stay as they are.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind); [`Invalid`](ErrorKind::Invalid) if the settings of the session would
    /// be larger than 64 KiB as JSON: they travel with every message.
    ///
    /// # Cancel safety
    /// As for [`bind`](Self::bind). What was not acknowledged is handed over again by the next call.
    pub async fn push_settings(&self) -> Result<()> {
        let changed = self.0.state.lock().settings.changed();
        if changed.is_empty() {
            return Ok(());
        }
        let encoded = serde_json::to_vec(&changed).map_err(|e| {
            Error::new(ErrorKind::Invalid, "the settings of a session cannot be JSON").with_source(e)
        })?;
        self.order(Order::Settings(&encoded)).await?;
        self.0.state.lock().settings.handed_over(changed);
        Ok(())
    }

    /// Sends the client a message, as JSON; `Ok`: it is in the frontend's queue to the client.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a route of other than 1 to 255 bytes, or what cannot be JSON;
    /// [`Unavailable`](ErrorKind::Unavailable) if the client does not keep up; else as for [`bind`](Self::bind).
    ///
    /// # Cancel safety
    /// As for [`bind`](Self::bind).
    pub async fn push(&self, route: &str, message: &(impl Serialize + ?Sized)) -> Result<()> {
        let body = serde_json::to_vec(message).map_err(|e| {
            Error::new(ErrorKind::Invalid, format!("the message for {route:.255} cannot be JSON"))
                .with_source(e)
        })?;
        self.order(Order::Push { route, body: &body }).await
    }

    /// Tells the client why, and closes its connection.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind); [`Invalid`](ErrorKind::Invalid) for a reason of more than 1000 bytes.
    ///
    /// # Cancel safety
    /// As for [`bind`](Self::bind).
    pub async fn kick(&self, reason: &str) -> Result<()> {
        self.order(Order::Kick(reason)).await
    }

    /// What servers are chosen by.
    pub(crate) fn key(&self) -> u64 {
        match &self.0.state.lock().uid {
            Some(uid) => hash(uid.as_bytes()),
            None => mix(hash(self.frontend_id().as_bytes()) ^ self.id()),
        }
    }

    fn close(&self, reason: &str) {
        self.0.state.lock().closed = Some(reason.into());
    }

    async fn order(&self, order: Order<'_>) -> Result<()> {
        order.check()?;
        match &self.0.place {
            Place::Here(client) => carry_out(&self.0.app, Some(client), client.id(), &order),
            Place::Away(at) => orders::send(&self.0.app, at, order).await,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Session");
        debug.field("frontend", &self.frontend_id()).field("id", &self.id()).field("uid", &self.uid());
        debug.finish_non_exhaustive()
    }
}
