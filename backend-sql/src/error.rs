//! What errors of databases mean, and what cures them.

use crate::dialect::Dialect;
use core::fmt::Display;
use std::io;
use tangelo_core::{Error, ErrorKind};

/// An error that can be told to several callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The connection is of no use any more; another one may be.
    Reconnect,
    /// The transaction did not happen, and may the next time.
    Again,
    /// Nothing that we could do.
    None,
}

/// What an error is for a caller, what cures it, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: ErrorKind,
    pub(crate) remedy: Remedy,
    pub(crate) cure: &'static str,
    /// A table is not there.
    pub(crate) no_table: bool,
}

impl Finding {
    pub(crate) const fn new(kind: ErrorKind, remedy: Remedy, cure: &'static str) -> Self {
        Self { kind, remedy, cure, no_table: false }
    }

    /// An answer that stays, with its cure.
    pub(crate) const fn stays(kind: ErrorKind, cure: &'static str) -> Self {
        Self::new(kind, Remedy::None, cure)
    }

    pub(crate) const NO_TABLE: Self = Self {
        kind: ErrorKind::NotFound,
        remedy: Remedy::None,
        cure: "its tables are made by the start of the manager: start it first",
        no_table: true,
    };

    pub(crate) fn of(dialect: &dyn Dialect, error: &sqlx::Error) -> Self {
        use ErrorKind as E;
        match error {
            sqlx::Error::Database(error) => dialect.finding(&**error),
            sqlx::Error::Io(error) => of_io(error),
            sqlx::Error::Tls(_) => Self::stays(
                E::Denied,
                "is its certificate signed by an authority that is trusted, and for this host?",
            ),
            sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) | sqlx::Error::Encode(_) => {
                Self::stays(E::Invalid, "")
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
                Self::stays(E::Protocol, "something else uses tables of this prefix: choose another prefix")
            }
            // Half an answer, or a worker that is gone.
            _ => Self::new(
                E::Unavailable,
                Remedy::Reconnect,
                "is it this kind of database that listens there?",
            ),
        }
    }
}

fn of_io(error: &io::Error) -> Finding {
    let (kind, remedy, cure) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::Unavailable, Remedy::Reconnect, "is it running?"),
        io::ErrorKind::ConnectionRefused => {
            (ErrorKind::Unavailable, Remedy::Reconnect, "is it running, at this port?")
        }
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, Remedy::None, "this user of the system may not go there")
        }
        _ => (ErrorKind::Unavailable, Remedy::Reconnect, ""),
    };
    Finding::new(kind, remedy, cure)
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// `error`, met at `place`.
    pub(crate) fn of(place: impl Display, finding: Finding, error: &sqlx::Error) -> Self {
        let (said, cure) = (said(error), finding.cure);
        let message =
            if cure.is_empty() { format!("{place}: {said}") } else { format!("{place}: {said}: {cure}") };
        Self { kind: finding.kind, message }
    }

    /// The same, with what was being done in front.
    pub(crate) fn error(&self, doing: &str) -> Error {
        Error::new(self.kind, format!("cannot {doing}: {}", self.message))
    }
}

/// One line, without the library's own classification.
fn said(error: &sqlx::Error) -> String {
    let said = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    said.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}
