//! What a handler answers when it cannot.

use crate::app::BoxError;
use alloc::sync::Arc;
use core::fmt;
use serde::Serialize;
use tangelo_core::{Error, ErrorKind};

/// Why a request was not carried out. The client gets it as `{"code": …, "message": …}`.
///
/// Tangelo's own codes are those of HTTP: 400 the body or a name is wrong, 404 there is no such route
/// or thing, 500 the handler failed or panicked, 503 no server of that type is up, or it died meanwhile,
/// 504 it took too long. After a 503 or 504 the request may or may not have been carried out.
///
/// Errors of Tangelo become one with `?`. Those that are no fault of the request (500 and above) tell
/// the client nothing but their code; what they say goes to the log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandlerError {
    /// For programs; any number that is agreed upon with the clients.
    pub code: i64,
    /// For people. Clients read it.
    pub message: String,
    /// For the log.
    pub(super) source: Option<Arc<dyn core::error::Error + Send + Sync>>,
}

impl HandlerError {
    /// An error with a code and a message that the client may read.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None }
    }

    /// Code 500: `error` goes to the log, and nothing of it to the client.
    pub fn internal(error: impl Into<BoxError>) -> Self {
        Self { code: 500, message: "internal error".into(), source: Some(error.into().into()) }
    }

    /// What the client gets.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            code: i64,
            message: &'a str,
        }
        // A number and a text can always be written.
        serde_json::to_vec(&Body { code: self.code, message: &self.message }).unwrap_or_default()
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        let (code, message) = match error.kind() {
            ErrorKind::Invalid => (400, None),
            ErrorKind::Denied => (403, None),
            ErrorKind::NotFound => (404, None),
            ErrorKind::AlreadyExists => (409, None),
            ErrorKind::Unavailable => (503, Some("unavailable")),
            ErrorKind::Timeout => (504, Some("it took too long")),
            _ => (500, Some("internal error")),
        };
        match message {
            None => Self::new(code, error.message()),
            Some(message) => Self { code, message: message.into(), source: Some(Arc::new(error)) },
        }
    }
}

/// What cannot be parsed: the client's fault.
impl From<serde_json::Error> for HandlerError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(400, format!("the body is not what this route takes: {error}"))
    }
}
