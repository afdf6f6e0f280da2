//! SQLite.

use super::{Bulk, Dialect, Migration, repeated};
use crate::config::{Database, SqlConfig};
use crate::error::{Finding, Remedy};
use crate::session::{Session, session};
use core::time::Duration;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tangelo_core::{BoxFuture, ErrorKind};

#[derive(Debug)]
pub(super) struct Sqlite;

session!(sqlx::Sqlite, SqliteConnection, |_, _| Err(sqlx::Error::InvalidArgument(
    "SQLite has no arrays".into()
)));

const VERSIONS: &[&[&str]] = &[&[
    "CREATE TABLE {p}_frontends (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        sid BLOB NOT NULL UNIQUE,
        life INTEGER NOT NULL)",
    "CREATE TABLE {p}_members (
        frontend INTEGER NOT NULL,
        life INTEGER NOT NULL,
        channel BLOB NOT NULL,
        uid BLOB NOT NULL,
        PRIMARY KEY (frontend, life, channel, uid)) WITHOUT ROWID",
]];

/// A thread waits for another process's lock at most so long in one go, so that one whose caller has gone is soon free.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

impl Dialect for Sqlite {
    fn connect<'a>(&'a self, config: &'a SqlConfig) -> BoxFuture<'a, Result<Box<dyn Session>, sqlx::Error>> {
        Box::pin(async move {
            let mut options = SqliteConnectOptions::new();
            if let Database::Sqlite(path) = &config.at {
                if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
                    std::fs::create_dir_all(dir)?;
                }
                options = options.filename(path);
            }
            let synchronous =
                if config.power_safe { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
            let options = options
                .create_if_missing(true)
                .busy_timeout((config.timeout / 4).clamp(Duration::from_millis(1), LONGEST_WAIT))
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .disable_statement_logging();
            Ok(Box::new(options.connect().await?) as Box<dyn Session>)
        })
    }

    fn finding(&self, error: &dyn DatabaseError) -> Finding {
        let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
        finding(code, error.message())
    }

    /// Takes the place of the one writer at once, since a reader that becomes one may find that it is too late.
    fn begin(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }

    fn lock(&self) -> &'static str {
        ""
    }

    fn one_writer(&self) -> bool {
        true
    }

    fn purge(&self) -> &'static str {
        "INSERT INTO {p}_frontends (sid, life) VALUES (?, ?)
            ON CONFLICT (sid) DO UPDATE SET life = MAX(life, excluded.life)"
    }

    fn destroy(&self) -> &'static str {
        "DELETE FROM {p}_members WHERE (frontend, life) IN (SELECT id, life FROM {p}_frontends) AND channel = ?"
    }

    fn bulk(&self) -> Bulk {
        Bulk::Rows { insert: 4096, delete: 4096 }
    }

    fn insert(&self, rows: usize) -> String {
        let rows = repeated("(?, ?, ?, ?)", ", ", rows);
        format!(
            "INSERT INTO {{p}}_members (frontend, life, channel, uid) VALUES {rows} ON CONFLICT DO NOTHING"
        )
    }

    fn delete(&self, rows: usize) -> String {
        let rows = repeated("(?, ?)", ", ", rows);
        format!(
            "DELETE FROM {{p}}_members WHERE frontend = ? AND life = ? AND (channel, uid) IN (VALUES {rows})"
        )
    }

    fn delete_some(&self, table: &str, key: &str, condition: &str, limit: usize) -> String {
        format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition} LIMIT {limit})"
        )
    }

    fn versions(&self) -> &'static [&'static [&'static str]] {
        VERSIONS
    }

    fn migration(&self) -> Migration {
        Migration { transaction: true, lock: None, answers: false, unlock: None }
    }
}

/// The lower byte of a code is its kind.
fn finding(code: i32, message: &str) -> Finding {
    use ErrorKind as E;
    use Remedy as R;
    match code & 0xff {
        1 if message.starts_with("no such table") => Finding::NO_TABLE,
        // Permission denied (3), and a file or a directory that may only be read (8).
        3 | 8 => Finding::stays(E::Denied, "this user of the system may not write to it or to its directory"),
        5 | 6 => Finding::new(E::Unavailable, R::Again, "another process holds its lock for long"),
        7 => Finding::new(E::Unavailable, R::Again, "there is no memory"),
        9 => Finding::new(E::Timeout, R::Again, ""),
        10 => Finding::new(E::Unavailable, R::Reconnect, "look at the disk"),
        11 => {
            Finding::stays(E::Protocol, "the file is damaged: stop all processes, remove it, and start anew")
        }
        13 => Finding::new(E::Unavailable, R::Again, "the disk is full"),
        14 => {
            Finding::stays(E::Denied, "is its directory there, and may this user of the system write to it?")
        }
        15 => Finding::new(
            E::Unavailable,
            R::Reconnect,
            "the file is locked by means that are strange to SQLite",
        ),
        26 => Finding::stays(E::Invalid, "it is another kind of file: name another one"),
        _ => Finding::stays(E::Protocol, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_has_a_kind_and_a_cure() {
        for (code, kind, remedy) in [
            (5, ErrorKind::Unavailable, Remedy::Again),
            (517, ErrorKind::Unavailable, Remedy::Again),
            (13, ErrorKind::Unavailable, Remedy::Again),
            (778, ErrorKind::Unavailable, Remedy::Reconnect),
            (1032, ErrorKind::Denied, Remedy::None),
            (26, ErrorKind::Invalid, Remedy::None),
            (1, ErrorKind::Protocol, Remedy::None),
        ] {
            let found = finding(code, "");
            assert_eq!((found.kind, found.remedy), (kind, remedy), "{code}");
        }
        assert!(finding(1, "no such table: a").no_table);
    }
}
