//! What an application says about messages of clients.

use super::table::Answer;
use super::{HandlerError, Request};
use crate::app::{App, INTERNAL};
use crate::session::Session;
use alloc::sync::Arc;
use core::time::Duration;
use serde::Serialize;
use tangelo_core::wire::ServerInfo;

/// The longest route, in bytes: a message of a client has no room for more.
const MAX_ROUTE: usize = 255;

/// Messages of clients.
impl App {
    /// Answers the clients' messages to `route`, which is `type.file.method` as in Pomelo: the type is that
    /// of the servers that answer it. Body and answer are JSON.
    ///
    /// Registered on servers of other types it only makes the route known there, which gives it a short
    /// code in the frontends' dictionary; so handlers are best registered everywhere. A route
    /// of another form, or one that is registered twice, keeps the server from starting.
    ///
    /// The messages of one client are begun in the order in which it sent them: each handler runs up to
    /// its first await before the next one is begun, here as in a backend. What comes behind the first
    /// await of one may mix with the next ones. A handler that computes for long belongs behind
    /// [`Runtime::spawn_blocking`](crate::core::runtime::Runtime::spawn_blocking): others wait for it.
    ///
    /// A panic is a 500 for the client and is logged. A handler that takes longer than
    /// [`request_timeout`](Self::request_timeout) is dropped at its await.
    ///
    /// ```
    /// # fn configure(app: &tangelo::App) {
    /// use tangelo::{HandlerError, Request, Session};
    ///
    /// app.handler("chat.chatHandler.send", async |request: Request, session: Session| {
    ///     let Some(uid) = session.uid() else { return Err(HandlerError::new(401, "enter first")) };
    ///     let text: String = request.json()?;
    ///     Ok(format!("{uid} says {text}"))
    /// });
    /// # }
    /// ```
    pub fn handler<F, Fut, R>(&self, route: &str, handler: F) -> &Self
    where
        F: Fn(Request, Session) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: Serialize,
    {
        let shared = self.shared();
        let parts: Vec<&str> = route.split('.').collect();
        let is_route = parts.len() == 3 && parts.iter().all(|part| !part.is_empty());
        if !is_route || route.len() > MAX_ROUTE || route.starts_with(INTERNAL) {
            let mistake = format!(
                "handler {route:?}: a route is type.file.method, of at most {MAX_ROUTE} bytes, and does not begin \
                 with {INTERNAL}"
            );
            shared.mistakes.lock().push(mistake);
            return self;
        }
        let handler = Arc::new(handler);
        let run = Arc::new(move |request, session| -> tangelo_core::BoxFuture<'static, Answer> {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let answer = handler(request, session).await?;
                serde_json::to_vec(&answer).map_err(HandlerError::internal)
            })
        });
        let mut twice = false;
        shared.handlers.change(|table| twice = table.handlers.insert(route.into(), run).is_some());
        if twice {
            shared.mistakes.lock().push(format!("handler {route:?} is registered twice"));
        }
        self
    }

    /// Looks at each message before its handler, on the server where the handler is: `filter` hands it
    /// on, perhaps [changed](Request::with_body), or answers in its place with an error. Several run in
    /// the order of registration.
    pub fn before_filter<F, Fut>(&self, filter: F) -> &Self
    where
        F: Fn(Request, Session) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, HandlerError>> + Send + 'static,
    {
        let filter = Arc::new(move |request, session| -> tangelo_core::BoxFuture<'static, _> {
            Box::pin(filter(request, session))
        });
        self.shared().handlers.change(|table| table.before.push(filter));
        self
    }

    /// Looks at what came of each message, on the server where the handler is, before the client gets it:
    /// the session, the route, and the answer's JSON or the error. What it returns is what the client
    /// gets. Several run in the order of registration; they also see what filters before have refused.
    pub fn after_filter<F, Fut>(&self, filter: F) -> &Self
    where
        F: Fn(Session, Arc<str>, Result<Vec<u8>, HandlerError>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<u8>, HandlerError>> + Send + 'static,
    {
        let filter = Arc::new(move |session, route, answer| -> tangelo_core::BoxFuture<'static, Answer> {
            Box::pin(filter(session, route, answer))
        });
        self.shared().handlers.change(|table| table.after.push(filter));
        self
    }

    /// Chooses which server of a type answers a session's messages: `choose` gets the servers of the type
    /// that are up and returns the id of one, or `None` if none will do (a 503 for the client). It must not block.
    ///
    /// By default it is the same server for the same user at every frontend (before the session is bound:
    /// for the same session): when a server goes, only its sessions move, to all the others; one that
    /// comes takes its share of each.
    pub fn route(
        &self,
        server_type: &str,
        choose: impl Fn(&Session, &[ServerInfo]) -> Option<String> + Send + Sync + 'static,
    ) -> &Self {
        self.shared().handlers.change(|table| _ = table.routers.insert(server_type.into(), Arc::new(choose)));
        self
    }

    /// How long a request may take, at its frontend and where its handler is: 30 s by default, at least 1 ms.
    /// Then the client gets a 504. It is also the limit of [`rpc`](Self::rpc).
    pub fn request_timeout(&self, limit: Duration) -> &Self {
        let limit = limit.max(Duration::from_millis(1));
        self.shared().handlers.change(|table| table.timeout = limit);
        self
    }
}
