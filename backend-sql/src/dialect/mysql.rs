//! MySQL and MariaDB.

use super::{Bulk, Dialect, Migration, repeated};
use crate::config::{Database, SqlConfig};
use crate::error::{Finding, Remedy};
use crate::session::{Session, session};
use alloc::sync::Arc;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode};
use sqlx::{ConnectOptions as _, MySqlConnection};
use tangelo_core::{BoxFuture, ErrorKind};

#[derive(Debug)]
pub(super) struct MySql;

session!(sqlx::MySql, MySqlConnection, |_, _| Err(sqlx::Error::InvalidArgument(
    "MySQL has no arrays".into()
)));

const VERSIONS: &[&[&str]] = &[&[
    "CREATE TABLE IF NOT EXISTS {p}_frontends (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        sid VARBINARY(255) NOT NULL UNIQUE,
        life BIGINT NOT NULL) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS {p}_members (
        frontend BIGINT NOT NULL,
        life BIGINT NOT NULL,
        channel VARBINARY(255) NOT NULL,
        uid VARBINARY(255) NOT NULL,
        PRIMARY KEY (frontend, life, channel, uid)) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
]];

impl Dialect for MySql {
    fn connect<'a>(&'a self, config: &'a SqlConfig) -> BoxFuture<'a, Result<Box<dyn Session>, sqlx::Error>> {
        Box::pin(async move {
            let mut options = MySqlConnectOptions::new();
            if let Database::MySql { host, port } = &config.at {
                options = if host.starts_with('/') { options.socket(host) } else { options.host(host) };
                options = options.port(*port);
            }
            options = options.ssl_mode(if config.tls {
                MySqlSslMode::VerifyIdentity
            } else {
                MySqlSslMode::Disabled
            });
            if let Some(ca) = &config.ca {
                options = options.ssl_ca(ca);
            }
            if let Some(user) = &config.user {
                options = options.username(user);
            }
            if let Some(password) = &config.password {
                options = options.password(password);
            }
            if let Some(database) = &config.database {
                options = options.database(database);
            }
            let mut session: Box<dyn Session> =
                Box::new(options.disable_statement_logging().connect().await?);
            session.run(&settings(config)).await?;
            Ok(session)
        })
    }

    fn finding(&self, error: &dyn DatabaseError) -> Finding {
        let number = error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
        finding(number)
    }

    fn create(&self) -> &'static str {
        "INSERT INTO {p}_frontends (sid, life) VALUES (?, ?) ON DUPLICATE KEY UPDATE life = life"
    }

    fn purge(&self) -> &'static str {
        "INSERT INTO {p}_frontends (sid, life) VALUES (?, ?)
            ON DUPLICATE KEY UPDATE life = GREATEST(life, VALUES(life))"
    }

    fn destroy(&self) -> &'static str {
        "DELETE m FROM {p}_frontends f JOIN {p}_members m ON m.frontend = f.id AND m.life = f.life
            WHERE m.channel = ?"
    }

    fn bulk(&self) -> Bulk {
        Bulk::Rows { insert: 4096, delete: 256 }
    }

    fn insert(&self, rows: usize) -> String {
        let rows = repeated("(?, ?, ?, ?)", ", ", rows);
        format!(
            "INSERT INTO {{p}}_members (frontend, life, channel, uid) VALUES {rows}
                ON DUPLICATE KEY UPDATE life = {{p}}_members.life"
        )
    }

    /// It finds ranges of a key in a chain of OR, and not in a list of pairs.
    fn delete(&self, rows: usize) -> String {
        let rows = repeated("(channel = ? AND uid = ?)", " OR ", rows);
        format!("DELETE FROM {{p}}_members WHERE frontend = ? AND life = ? AND ({rows})")
    }

    fn delete_some(&self, table: &str, _: &str, condition: &str, limit: usize) -> String {
        format!("DELETE FROM {table} WHERE {condition} LIMIT {limit}")
    }

    fn versions(&self) -> &'static [&'static [&'static str]] {
        VERSIONS
    }

    /// Statements that make tables commit by themselves: a half is finished by the next start.
    fn migration(&self) -> Migration {
        Migration {
            transaction: false,
            lock: Some("SELECT GET_LOCK('tangelo-sql', 60)"),
            answers: true,
            unlock: Some("DO RELEASE_LOCK('tangelo-sql')"),
        }
    }
}

/// No statement outlives its call for long, nor does a transaction whose process was frozen. What only one of MySQL
/// and MariaDB knows stands in a comment that only it reads. Without gap locks neighbours do not wait for each other.
fn settings(config: &SqlConfig) -> Arc<str> {
    let (millis, seconds) = (config.timeout.as_millis(), config.timeout.as_secs().clamp(1, 86_400));
    let precise = config.timeout.as_secs_f64();
    // MySQL has no limit for idle transactions but that of idle connections, which are made again when needed.
    let idle = seconds.max(30);
    format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
         SET SESSION innodb_lock_wait_timeout = {seconds}, SESSION lock_wait_timeout = {seconds},
             SESSION autocommit = 1
             /*M!100301 , SESSION max_statement_time = {precise}, SESSION idle_transaction_timeout = {seconds} */
             /*!50708 , SESSION wait_timeout = {idle} */
         /*!80000 ; SET SESSION max_execution_time = {millis} */"
    )
    .into()
}

fn finding(number: u16) -> Finding {
    use ErrorKind as E;
    use Remedy as R;
    match number {
        // Lock wait timeout, deadlock, and MariaDB's "record has changed since last read".
        1205 => Finding::new(E::Unavailable, R::Again, "others hold the same rows for long"),
        1213 | 1020 => Finding::new(E::Unavailable, R::Again, "others change the same rows"),
        // A statement that took too long, here and there.
        1317 | 1969 | 3024 => Finding::new(E::Timeout, R::Again, ""),
        1040 | 1203 | 1226 => {
            Finding::new(E::Unavailable, R::Reconnect, "raise its max_connections, or lower `connections`")
        }
        1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 3169 => {
            Finding::new(E::Unavailable, R::Reconnect, "")
        }
        1021 | 1114 => Finding::stays(E::Unavailable, "its disk is full"),
        1037 | 1038 | 1041 => Finding::new(E::Unavailable, R::Again, "it lacks memory"),
        1290 | 1792 | 1836 => Finding::stays(E::Unavailable, "it is read-only: give the primary's address"),
        1044 => Finding::stays(E::Denied, "its user may not use this database: GRANT it"),
        1045 | 1698 => Finding::stays(E::Denied, "the user or the password is wrong"),
        1130 => Finding::stays(E::Denied, "the user may not come from this host"),
        1142 | 1227 => Finding::stays(E::Denied, "its user lacks a right: see tangelo-sql's README"),
        1046 => Finding::stays(E::Invalid, "name a database in the URL: mysql://host/database"),
        1049 => Finding::stays(E::NotFound, "make it with CREATE DATABASE, or name another"),
        1665 => Finding::stays(E::Invalid, "set its binlog_format to ROW or MIXED"),
        1146 => Finding::NO_TABLE,
        _ => Finding::stays(E::Protocol, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_has_a_kind_and_a_cure() {
        for (number, kind, remedy) in [
            (1213, ErrorKind::Unavailable, Remedy::Again),
            (1205, ErrorKind::Unavailable, Remedy::Again),
            (1053, ErrorKind::Unavailable, Remedy::Reconnect),
            (1040, ErrorKind::Unavailable, Remedy::Reconnect),
            (1045, ErrorKind::Denied, Remedy::None),
            (1049, ErrorKind::NotFound, Remedy::None),
            (1969, ErrorKind::Timeout, Remedy::Again),
            (9, ErrorKind::Protocol, Remedy::None),
        ] {
            let found = finding(number);
            assert_eq!((found.kind, found.remedy), (kind, remedy), "{number}");
        }
        assert!(finding(1146).no_table);
    }
}
