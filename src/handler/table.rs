//! What the application has registered for messages of clients.

use super::{HandlerError, Request};
use crate::session::Session;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use tangelo_core::BoxFuture;
use tangelo_core::wire::ServerInfo;

/// What a client gets, or why not.
pub(crate) type Answer = Result<Vec<u8>, HandlerError>;

pub(super) type Handler = dyn Fn(Request, Session) -> BoxFuture<'static, Answer> + Send + Sync;
pub(super) type Before =
    dyn Fn(Request, Session) -> BoxFuture<'static, Result<Request, HandlerError>> + Send + Sync;
pub(super) type After = dyn Fn(Session, Arc<str>, Answer) -> BoxFuture<'static, Answer> + Send + Sync;
pub(super) type Router = dyn Fn(&Session, &[ServerInfo]) -> Option<String> + Send + Sync;

/// How long a request may take, unless the application says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The application's handlers and what belongs to them. Who takes a message takes a snapshot along.
#[derive(Default)]
pub(crate) struct Handlers(Mutex<Arc<Table>>);

#[derive(Clone)]
pub(crate) struct Table {
    pub(super) handlers: HashMap<Arc<str>, Arc<Handler>>,
    pub(super) before: Vec<Arc<Before>>,
    pub(super) after: Vec<Arc<After>>,
    pub(super) routers: HashMap<String, Arc<Router>>,
    pub(crate) timeout: Duration,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            handlers: HashMap::new(),
            before: Vec::new(),
            after: Vec::new(),
            routers: HashMap::new(),
            timeout: TIMEOUT,
        }
    }
}

impl Table {
    pub(super) const fn has_filters(&self) -> bool {
        !self.before.is_empty() || !self.after.is_empty()
    }

    /// The handler of a route, if it is for servers of this type.
    pub(super) fn find(
        &self,
        server_type: &str,
        route: &str,
    ) -> Result<(Arc<str>, Arc<Handler>), HandlerError> {
        match self.handlers.get_key_value(route) {
            Some((route, handler)) if type_of(route) == server_type => {
                Ok((Arc::clone(route), Arc::clone(handler)))
            }
            _ => Err(HandlerError::new(404, format!("there is no route {route}"))),
        }
    }
}

/// The type of the servers that a route is for; empty if it names none.
pub(crate) fn type_of(route: &str) -> &str {
    route.split_once('.').map_or("", |(server_type, _)| server_type)
}

impl Handlers {
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.0.lock())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Table)) {
        change(Arc::make_mut(&mut self.0.lock()));
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.table().handlers.keys()).finish()
    }
}
