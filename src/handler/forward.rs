//! Messages on their way to a backend, at both ends.

use super::choose::choose;
use super::dispatch::Answering;
use super::run::{panic_text, reply, run};
use super::table::Table;
use super::wire::{Forwarded, REQUEST};
use super::{HandlerError, Request};
use crate::app::App;
use crate::peer::{Ask, Late, Outcome};
use crate::session::{At, Session};
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use core::task::{Context, Waker};
use std::panic::catch_unwind;
use tangelo_core::config::Incarnation;
use tangelo_core::{BoxFuture, Error, ErrorKind, Result};
use tracing::{debug, error};

/// Has a server of the type that the route names answer a message. It is sent before this returns, as long as
/// the link to that server is open and not full; if not, messages are sent in their order once they can be.
pub(super) fn forward(app: &App, table: &Table, server_type: &str, body: &[u8], answering: Answering) {
    let (client, notify) = (answering.client(), answering.is_notify());
    let up = app.shared().servers_by_type();
    let session = Session::here(app, client);
    // The choice may be the application's.
    let chosen = catch_unwind(AssertUnwindSafe(|| choose(app, &up, server_type, &session)));
    let route = answering.route();
    let server = match chosen {
        Ok(Ok(server)) => server,
        Ok(Err(error)) => {
            // Ids are no business of clients.
            debug!(%route, %error, "nobody answers a message");
            let message = format!("no server of the type {server_type:.100} is up");
            return answering.end(Err(HandlerError::new(503, message)));
        }
        Err(panic) => {
            error!(%route, "choosing a server panicked: {}", panic_text(&*panic));
            return answering.end(Err(HandlerError::new(500, "internal error")));
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
    let (peers, message) = match app.shared().peers().and_then(|peers| Ok((peers, message.encode()?))) {
        Ok(ready) => ready,
        Err(error) => return answering.end(Err(unanswered(&error))),
    };
    let id = server.def.id.clone();
    let then = move |outcome: Outcome| {
        let failed = |error: Error| {
            debug!(route = answering.route(), server = id, %error, "a message was not answered");
            unanswered(&error)
        };
        let late = |Late| Err(HandlerError::new(504, "it took too long"));
        let answer = outcome.map_or_else(late, |answer| answer.map_err(failed));
        answering.end(answer);
    };
    let unsent = match peers.ask(server, REQUEST, message, table.timeout, Box::new(then)) {
        Some(Ask::Unsent(unsent)) => unsent,
        Some(Ask::Sent(asked)) => return asked.detach(),
        None => return,
    };
    let (sender, server) = (app.clone(), server.clone());
    let mut sending: BoxFuture<'static, ()> = Box::pin(async move {
        if let Ok(peers) = sender.shared().peers()
            && let Some(asked) = peers.send(&server, unsent).await
        {
            asked.detach();
        }
    });
    // It takes its place at once.
    if sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        app.runtime().spawn(sending);
    }
}

/// What a client is told of a call that failed.
fn unanswered(error: &Error) -> HandlerError {
    match error.kind() {
        ErrorKind::Timeout => HandlerError::new(504, "it took too long"),
        ErrorKind::Invalid => HandlerError::new(500, "the message or its answer is too large"),
        ErrorKind::Unavailable | ErrorKind::NotFound => {
            HandlerError::new(503, "the server has gone: this may or may not have been carried out")
        }
        _ => HandlerError::internal(error.to_string()),
    }
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
