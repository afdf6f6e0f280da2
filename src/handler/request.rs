//! What a client asks.

use super::HandlerError;
use crate::app::App;
use alloc::sync::Arc;
use core::fmt;
use serde::de::DeserializeOwned;

/// A message of a client, as its handler gets it.
pub struct Request {
    pub(super) app: App,
    pub(super) route: Arc<str>,
    /// The body is at the end of it: a message from a frontend is not copied.
    pub(super) bytes: Vec<u8>,
    pub(super) body_at: usize,
    pub(super) notify: bool,
}

impl Request {
    /// The route it was sent to: `type.file.method`.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The application in this process.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// The body as it came: JSON.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }

    /// The body, parsed.
    ///
    /// # Errors
    /// If it is not JSON of this type: what the client is to be told, with code 400.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        Ok(serde_json::from_slice(self.body())?)
    }

    /// Whether it is a notify, whose sender gets no response.
    #[must_use]
    pub const fn is_notify(&self) -> bool {
        self.notify
    }

    /// The same request with another body, for filters.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        (self.bytes, self.body_at) = (body.into(), 0);
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(self.body());
        f.debug_struct("Request").field("route", &self.route).field("body", &body).finish_non_exhaustive()
    }
}
