//! Typed calls from server to server.

mod method;

pub use method::Caller;

use crate::app::App;
use crate::handler::{choose, type_of};
use crate::session::Session;
use crate::time::timeout;
use alloc::sync::Arc;
use core::time::Duration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tangelo_core::{Error, ErrorKind, Result};

/// Calls the methods of other servers; from [`App::rpc`].
#[derive(Debug, Clone)]
pub struct Rpc {
    app: App,
    timeout: Duration,
}

/// A call that knows where it goes.
#[derive(Debug, Clone)]
pub struct RpcTo {
    rpc: Rpc,
    to: To,
}

#[derive(Debug, Clone)]
enum To {
    Server(String),
    Session(Session),
}

impl App {
    /// Calls [`method`](Self::method)s of other servers.
    ///
    /// ```no_run
    /// # async fn example(app: tangelo::App) -> tangelo::Result<()> {
    /// let members: u32 = app.rpc().to("chat-server-1").call("chat.chatRemote.count", &"lobby").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn rpc(&self) -> Rpc {
        Rpc { app: self.clone(), timeout: self.shared().handlers.table().timeout }
    }
}

impl Rpc {
    /// How long a call may take; else as long as a [request](App::request_timeout).
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// To one server, by its id.
    #[must_use]
    pub fn to(self, id: &str) -> RpcTo {
        RpcTo { to: To::Server(id.into()), rpc: self }
    }

    /// To the server that answers this session, of the type that the method's name begins with, as
    /// [`App::route`] says.
    #[must_use]
    pub fn for_session(self, session: &Session) -> RpcTo {
        RpcTo { to: To::Session(session.clone()), rpc: self }
    }
}

impl RpcTo {
    /// Calls a method and waits for its answer. Arguments and answer travel as JSON, so that versions
    /// of a program which differ in a field understand each other. Calls of one task arrive in their order.
    ///
    /// # Errors
    /// At once: [`NotFound`](ErrorKind::NotFound) if there is no such server, or method at it, and
    /// [`Unavailable`](ErrorKind::Unavailable) if no server of the type is up, or if the server dies:
    /// then, as after a [`Timeout`](ErrorKind::Timeout), the call may or may not have been carried out.
    /// [`Invalid`](ErrorKind::Invalid) if the arguments are not what the method takes;
    /// [`Protocol`](ErrorKind::Protocol) if the answer is not an `R`; or what the method says.
    /// Nothing is tried again by itself.
    ///
    /// # Cancel safety
    /// Not cancel safe: the call may be carried out all the same.
    pub async fn call<A, R>(&self, method: &str, args: &A) -> Result<R>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        method::check(method)?;
        let args = serde_json::to_vec(args).map_err(|e| {
            Error::new(ErrorKind::Invalid, format!("the arguments of {method} cannot be JSON")).with_source(e)
        })?;
        let answer = self.send(method, args).await?;
        serde_json::from_slice(&answer).map_err(|e| {
            Error::new(ErrorKind::Protocol, format!("{method} has answered something else")).with_source(e)
        })
    }

    async fn send(&self, method: &str, args: Vec<u8>) -> Result<Vec<u8>> {
        let Rpc { app, timeout: limit } = &self.rpc;
        let up;
        let id = match &self.to {
            To::Server(id) => id.as_str(),
            To::Session(session) => {
                up = app.shared().servers_by_type();
                &choose(app, &up, type_of(method), session)?.def.id
            }
        };
        if id != app.id() {
            return app.call(id, method, args, *limit).await;
        }
        let from: Arc<str> = id.into();
        let answering = app.shared().remotes.answer(&from, method, args);
        timeout(app.runtime(), *limit, answering).await.unwrap_or_else(|_| {
            let message = format!("{id} has not answered {method} within {} ms", limit.as_millis());
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }
}
