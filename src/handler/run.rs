//! Runs a handler with its filters.

use super::table::{Answer, Handler, Table};
use super::{HandlerError, Request};
use crate::session::Session;
use crate::time::timeout;
use alloc::sync::Arc;
use core::any::Any;
use core::panic::AssertUnwindSafe;
use futures_lite::FutureExt as _;
use tracing::{error, warn};

/// What the handler answers; it is always something, and in time.
pub(super) async fn run(table: &Table, handler: Arc<Handler>, request: Request, session: Session) -> Answer {
    let (app, route) = (request.app.clone(), Arc::clone(&request.route));
    let running = match table.has_filters() {
        false => handler(request, session),
        true => Box::pin(filtered(table, handler, request, session)),
    };
    let running = timeout(app.runtime(), table.timeout, guarded(&route, running));
    let answer = running.await.unwrap_or_else(|_| {
        warn!(%route, limit = ?table.timeout, "a handler took too long and was dropped");
        Err(HandlerError::new(504, "it took too long"))
    });
    if let Err(HandlerError { code, source: Some(source), .. }) = &answer {
        warn!(%route, code, error = %source, "a request failed");
    }
    answer
}

async fn filtered(table: &Table, handler: Arc<Handler>, request: Request, session: Session) -> Answer {
    let (route, again) = (Arc::clone(&request.route), session.clone());
    let handling = async {
        let mut request = request;
        for filter in &table.before {
            request = filter(request, session.clone()).await?;
        }
        handler(request, session).await
    };
    let mut answer = guarded(&route, handling).await;
    for filter in &table.after {
        let filtering = async { filter(again.clone(), Arc::clone(&route), answer).await };
        answer = guarded(&route, filtering).await;
    }
    answer
}

async fn guarded(route: &str, running: impl Future<Output = Answer>) -> Answer {
    AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|panic| {
        error!(%route, "a handler panicked: {}", panic_text(&*panic));
        Err(HandlerError::new(500, "internal error"))
    })
}

/// What a panic has said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// An answer as the client gets it.
pub(crate) fn reply(answer: Answer) -> Vec<u8> {
    answer.unwrap_or_else(|error| error.to_json())
}
