//! In what the databases differ.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use crate::config::{Database, SqlConfig};
use crate::error::Finding;
use crate::session::Session;
use core::fmt::Debug;
use sqlx::error::DatabaseError;
use tangelo_core::{BoxFuture, Error, ErrorKind, Result};

/// How many rows go into one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bulk {
    /// Any number, as arrays.
    Arrays,
    /// At most so many, each with values of its own.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "sqlite")),
        expect(dead_code, reason = "PostgreSQL takes arrays")
    )]
    Rows { insert: usize, delete: usize },
}

/// One kind of database. Statements are templates: `{p}` is the prefix of the tables, `?` the next value.
pub(crate) trait Dialect: Debug + Send + Sync {
    /// A connection, ready for use.
    fn connect<'a>(
        &'a self,
        config: &'a SqlConfig,
    ) -> BoxFuture<'a, core::result::Result<Box<dyn Session>, sqlx::Error>>;

    /// What an error of the database means.
    fn finding(&self, error: &dyn DatabaseError) -> Finding;

    /// Whether values are `$1`, `$2`, … instead of `?`.
    fn numbered(&self) -> bool {
        false
    }

    /// Begins a transaction that changes something.
    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    /// What makes a SELECT hold its rows until the end of the transaction.
    fn lock(&self) -> &'static str {
        " FOR UPDATE"
    }

    /// Whether there is one writer at a time, so that changes need one connection and readers others.
    fn one_writer(&self) -> bool {
        false
    }

    /// Makes a frontend (sid, life) if it is not there.
    fn create(&self) -> &'static str {
        "INSERT INTO {p}_frontends (sid, life) VALUES (?, ?) ON CONFLICT (sid) DO NOTHING"
    }

    /// Makes a frontend (sid, life), or raises its life.
    fn purge(&self) -> &'static str;

    /// Removes the members of a channel at all frontends.
    fn destroy(&self) -> &'static str;

    fn bulk(&self) -> Bulk;

    /// Adds so many members: frontend, life, channel, user each, or for arrays frontend, life, channels, users.
    fn insert(&self, rows: usize) -> String;

    /// Removes so many members: frontend, life, and then channel and user each, or channels and users.
    fn delete(&self, rows: usize) -> String;

    /// Removes some rows of a table.
    fn delete_some(&self, table: &str, key: &str, condition: &str, limit: usize) -> String;

    /// The statements that make the tables of each version of the schema.
    fn versions(&self) -> &'static [&'static [&'static str]];

    /// How only one process at a time changes the schema.
    fn migration(&self) -> Migration;
}

/// How only one process at a time changes the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Whether that is a transaction like any other.
    pub(crate) transaction: bool,
    /// Takes a lock; if it answers with a number other than 1, somebody else has it.
    pub(crate) lock: Option<&'static str>,
    /// Whether it answers with a number.
    pub(crate) answers: bool,
    pub(crate) unlock: Option<&'static str>,
}

/// The dialect of a database.
pub(crate) fn of(database: &Database) -> Result<&'static dyn Dialect> {
    match database {
        #[cfg(feature = "postgres")]
        Database::Postgres { .. } => Ok(&postgres::Postgres),
        #[cfg(feature = "mysql")]
        Database::MySql { .. } => Ok(&mysql::MySql),
        #[cfg(feature = "sqlite")]
        Database::Sqlite(_) => Ok(&sqlite::Sqlite),
        #[allow(unreachable_patterns, reason = "all may be compiled in")]
        other => {
            let message = format!("{} is not compiled in", other.product());
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

/// `one`, `n` times, with commas.
#[cfg(any(feature = "mysql", feature = "sqlite"))]
fn repeated(one: &str, by: &str, n: usize) -> String {
    vec![one; n].join(by)
}
