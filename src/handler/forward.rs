//! Messages on their way to a backend, at both ends.

use super::choose::choose;
use super::run::{reply, run};
use super::table::{Answer, Table};
use super::wire::{Forwarded, REQUEST};
use super::{HandlerError, Request};
use crate::app::App;
use crate::connector::Client;
use crate::session::{At, Session};
use alloc::sync::Arc;
use tangelo_core::config::Incarnation;
use tangelo_core::{ErrorKind, Result};
use tracing::debug;

/// Has a server of the type that the route names answer a message. It is sent before the first await,
/// as long as the link to that server is open and not full.
pub(super) async fn forward(
    app: &App,
    table: &Table,
    server_type: &str,
    route: &str,
    body: &[u8],
    notify: bool,
    client: &Client,
) -> Answer {
    let up = app.shared().servers_by_type();
    let session = Session::here(app, client);
    let server = match choose(app, &up, server_type, &session) {
        Ok(server) => server,
        Err(error) => {
            // Ids are no business of clients.
            debug!(%route, %error, "nobody answers a message");
            return Err(HandlerError::new(503, format!("no server of the type {server_type:.100} is up")));
        }
    };
    let (uid, settings) = (session.user(), client.settings_json());
    let message = Forwarded {
        session: client.id(),
        incarnation: app.incarnation().0,
        uid: uid.as_deref(),
        settings: &settings,
        notify,
        route,
        body,
    };
    let asked = async { app.shared().peers()?.call(server, REQUEST, message.encode()?, table.timeout).await };
    asked.await.map_err(|error| {
        debug!(%route, server = server.def.id, %error, "a message was not answered");
        let died = "the server has gone: this may or may not have been carried out";
        match error.kind() {
            ErrorKind::Timeout => HandlerError::new(504, "it took too long"),
            ErrorKind::Invalid => HandlerError::new(500, "the message or its answer is too large"),
            ErrorKind::Unavailable | ErrorKind::NotFound => HandlerError::new(503, died),
            _ => HandlerError::internal(error),
        }
    })
}

/// Makes this server answer messages that frontends pass on.
pub(crate) fn start(app: &App) {
    let app_here = app.clone();
    app.shared().remotes.insert(REQUEST, move |frontend, bytes| {
        let (app, frontend) = (app_here.clone(), Arc::clone(frontend));
        async move { answer(&app, frontend, bytes).await }
    });
}

/// What the client gets of a message that a frontend has passed on; nothing for a notify.
async fn answer(app: &App, frontend: Arc<str>, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let table = app.shared().handlers.table();
    let message = Forwarded::decode(&bytes)?;
    let (route, handler) = match table.find(app.server_type(), message.route) {
        Ok(found) => found,
        Err(error) => return Ok(reply(Err(error))),
    };
    let at = At { frontend, incarnation: Incarnation(message.incarnation), id: message.session };
    let session = Session::away(app, at, message.uid, message.settings);
    let (body_at, notify) = (bytes.len() - message.body.len(), message.notify);
    let request = Request { app: app.clone(), route, bytes, body_at, notify };
    let answer = run(&table, handler, request, session).await;
    Ok(if notify { Vec::new() } else { reply(answer) })
}
