//! A client's message, at its frontend. The connector calls what is here.

use super::forward::forward;
use super::run::{reply, run};
use super::table::type_of;
use super::{HandlerError, Request};
use crate::app::App;
use crate::connector::Client;
use crate::session::{self, Session};
use core::panic::AssertUnwindSafe;
use futures_lite::FutureExt as _;
use tangelo_core::BoxFuture;
use tracing::{debug, error};

/// A message of a client.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// `None` for a notify.
    pub(crate) id: Option<u64>,
    pub(crate) route: String,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

/// Carries a message out, and responds to the client; that takes [`request_timeout`](App::request_timeout)
/// at most. Who polls the futures of one client's messages in their order has them begun in that
/// order, wherever their handlers are.
pub(crate) fn handle(app: &App, client: Client, incoming: Incoming) -> BoxFuture<'static, ()> {
    let app = app.clone();
    Box::pin(async move {
        let Incoming { id, route, body } = incoming;
        let answering = AssertUnwindSafe(answer(&app, &client, id.is_none(), &route, body)).catch_unwind();
        let answer = answering.await.unwrap_or_else(|panic| {
            // Handlers' panics are caught where they run: this is the application's choice of a server.
            error!(%route, "choosing a server panicked: {}", super::panic_text(&*panic));
            Err(HandlerError::new(500, "internal error"))
        });
        match id {
            Some(id) => client.respond(id, &route, &reply(answer)),
            None => drop(answer.inspect_err(|error| debug!(%route, %error, "a notify failed"))),
        }
    })
}

/// What the client gets; also an error if it is a backend's answer.
async fn answer(
    app: &App,
    client: &Client,
    notify: bool,
    route: &str,
    body: Vec<u8>,
) -> Result<Vec<u8>, HandlerError> {
    let table = app.shared().handlers.table();
    match type_of(route) {
        "" => Err(HandlerError::new(404, format!("there is no route {route}"))),
        own if own == app.server_type() => {
            let (route, handler) = table.find(own, route)?;
            let request = Request { app: app.clone(), route, bytes: body, body_at: 0, notify };
            run(&table, handler, request, Session::here(app, client)).await
        }
        other => forward(app, &table, other, route, &body, notify, client).await,
    }
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
