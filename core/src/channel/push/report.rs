//! What became of a push.

use crate::{Error, ErrorKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why somebody was not reached; it can be sent and compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PushError {
    /// What went wrong. After [`Timeout`](ErrorKind::Timeout), and after
    /// [`Unavailable`](ErrorKind::Unavailable) of a frontend, the message may have arrived all the same.
    pub kind: ErrorKind,
    /// What happened, in a line.
    pub message: String,
}

impl PushError {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<&Error> for PushError {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

impl From<Error> for PushError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for PushError {}

/// Members at one frontend that were not reached, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushFailure {
    /// The frontend.
    pub sid: String,
    /// The members.
    pub users: Vec<String>,
    /// How many there are besides, too many to be named; mostly 0. `None`: nobody knows who, nor
    /// how many, since the frontend does not answer and neither does the store.
    pub more: Option<u64>,
    /// Why.
    pub reason: PushError,
}

/// What became of a push: everybody it was for is either counted as delivered or among the failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PushReport {
    /// How many frontends were sent the message.
    pub frontends: usize,
    /// How many members their frontends' sinks have taken it for.
    pub delivered: u64,
    /// Whom it did not reach, in the order of the frontends' ids. A frontend that failed stands
    /// here even if it has no members.
    pub failed: Vec<PushFailure>,
}

impl PushReport {
    /// Whether everybody was reached.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// The frontend and name of everybody who is known not to have been reached.
    pub fn unreached(&self) -> impl Iterator<Item = (&str, &str)> {
        self.failed.iter().flat_map(|failure| failure.users.iter().map(|uid| (&*failure.sid, &**uid)))
    }
}

/// One line, for a log.
impl fmt::Display for PushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delivered to {} members at {} frontends", self.delivered, self.frontends)?;
        for failure in &self.failed {
            let PushFailure { sid, users, more, reason } = failure;
            match more {
                Some(more) => write!(f, "; not to {} at {sid}: {reason}", users.len() as u64 + more)?,
                None => write!(f, "; not to some at {sid}, nobody knows whom: {reason}")?,
            }
        }
        Ok(())
    }
}
