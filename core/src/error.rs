//! One error type for every trait of the cluster.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a cluster operation returns.
pub type Result<T, E = Error> = core::result::Result<T, E>;

type Source = Box<dyn core::error::Error + Send + Sync + 'static>;

/// What went wrong, in the terms a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer, store or coordinator cannot be reached now.
    Unavailable,
    /// No answer came in time; the operation may or may not have happened.
    Timeout,
    /// Leadership is lost, or a later epoch has begun: whoever asks leads no longer.
    Fenced,
    /// The incarnation is not, or no longer, the registered one of its server.
    StaleIncarnation,
    /// What was named does not exist.
    NotFound,
    /// What was to be made exists already.
    AlreadyExists,
    /// The request or a setting makes no sense; it never will.
    Invalid,
    /// The secret, a credential or a permission is wrong.
    Denied,
    /// This build or platform cannot do it.
    Unsupported,
    /// The operating system refused.
    Io,
    /// The peer broke the protocol.
    Protocol,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout)
    }
}

/// An error with its kind, a message that says what happened and what to do, and its source.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

impl Error {
    /// An error of `kind`; `message` says what happened, where, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with the one that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether a retry can help ([`ErrorKind::is_temporary`]).
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.kind.is_temporary()
    }

    /// The message alone, without the source.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// One line: the message, then every source behind a colon.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut next = self.source.as_deref().map(|s| s as &dyn core::error::Error);
        while let Some(source) = next {
            write!(f, ": {source}")?;
            // Our own errors have printed their sources already.
            next = if source.is::<Self>() { None } else { source.source() };
        }
        Ok(())
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

#[cfg(feature = "std")]
impl Error {
    /// An I/O error together with what was being done: `Error::io("read run/secret", e)`.
    pub fn io(doing: impl fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let kind = match error.kind() {
            K::NotFound => ErrorKind::NotFound,
            K::AlreadyExists => ErrorKind::AlreadyExists,
            K::PermissionDenied => ErrorKind::Denied,
            K::TimedOut => ErrorKind::Timeout,
            K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::NotConnected
            | K::BrokenPipe
            | K::UnexpectedEof
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown => ErrorKind::Unavailable,
            _ => ErrorKind::Io,
        };
        Self::new(kind, alloc::format!("cannot {doing}")).with_source(error)
    }
}
