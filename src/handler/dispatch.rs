//! A client's message, at its frontend. The connector calls what is here.

use super::forward::forward;
use super::run::{reply, run};
use super::table::{Answer, type_of};
use super::{HandlerError, Request};
use crate::app::App;
use crate::connector::Client;
use crate::session::{self, Session};
use tangelo_core::BoxFuture;
use tracing::debug;

/// A message of a client.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// `None` for a notify.
    pub(crate) id: Option<u64>,
    pub(crate) route: String,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

/// Whoever is to have the answer to a message.
pub(super) struct Answering {
    client: Client,
    id: Option<u64>,
    route: String,
    /// Dropped when the client has its answer.
    _under_way: Box<dyn Send>,
}

impl Answering {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn is_notify(&self) -> bool {
        self.id.is_none()
    }

    pub(super) fn route(&self) -> &str {
        &self.route
    }

    pub(super) fn end(self, answer: Answer) {
        let route = &*self.route;
        match self.id {
            Some(id) => self.client.respond(id, route, &reply(answer)),
            None => drop(answer.inspect_err(|error| debug!(%route, %error, "a notify failed"))),
        }
    }
}

/// Carries a message out, and responds to the client; that takes [`request_timeout`](App::request_timeout)
/// at most. What is given back is to be polled at once: so one client's messages are begun in their
/// order, wherever their handlers are. `under_way` is dropped at the end.
pub(crate) fn handle(
    app: &App,
    client: Client,
    incoming: Incoming,
    under_way: impl Send + 'static,
) -> Option<BoxFuture<'static, ()>> {
    let Incoming { id, route, body } = incoming;
    let answering = Answering { client, id, route, _under_way: Box::new(under_way) };
    let (table, route) = (app.shared().handlers.table(), answering.route());
    match type_of(route) {
        "" => {
            let message = format!("there is no route {route}");
            answering.end(Err(HandlerError::new(404, message)));
        }
        own if own == app.server_type() => match table.find(own, route) {
            Ok((route, handler)) => {
                let request =
                    Request { app: app.clone(), route, bytes: body, body_at: 0, notify: id.is_none() };
                let session = Session::here(app, &answering.client);
                return Some(Box::pin(async move {
                    let answer = run(&table, handler, request, session).await;
                    answering.end(answer);
                }));
            }
            Err(error) => answering.end(Err(error)),
        },
        other => {
            let other = String::from(other);
            forward(app, &table, &other, &body, answering);
        }
    }
    None
}

/// The routes that are registered here, of servers of all types, sorted.
pub(crate) fn routes(app: &App) -> Vec<String> {
    let mut routes: Vec<String> =
        app.shared().handlers.table().handlers.keys().map(|route| String::from(&**route)).collect();
    routes.sort_unstable();
    routes
}

/// A client's session was bound to a user.
pub(crate) fn bound(app: &App, client: &Client) {
    session::events::bound(app, client);
}

/// A client's session has closed.
pub(crate) fn closed(app: &App, client: &Client, reason: &str) {
    session::events::closed(app, client, reason);
}
