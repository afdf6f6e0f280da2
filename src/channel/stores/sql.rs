//! PostgreSQL, MySQL and SQLite, as globalChannel.json describes them.

use crate::app::App;
use alloc::sync::Arc;
use std::path::Path;
use tangelo_core::config::{ChannelStore, GlobalChannelConfig};
use tangelo_core::{ChannelManager, Result};
use tangelo_sql::{SqlChannelManager, SqlConfig};

/// Where SQLite has its file, unless another is given.
const FILE: &str = "run/channels.db";
const POSTGRES_PORT: u16 = 5432;
const MYSQL_PORT: u16 = 3306;

/// A database, on a server or in a file.
///
/// # Errors
/// What is wrong with the settings.
pub(crate) fn manager(app: &App, config: &GlobalChannelConfig) -> Result<Arc<dyn ChannelManager>> {
    let config = settings(app.dir(), config)?;
    Ok(Arc::new(SqlChannelManager::new(config, Arc::clone(app.runtime()))?))
}

fn settings(dir: &Path, config: &GlobalChannelConfig) -> Result<SqlConfig> {
    let mut sql = place(config)?.relative_to(dir).timeout(config.timeout);
    if let Some(db) = &config.db {
        sql = sql.database(db);
    }
    if let Some(user) = &config.user {
        sql = sql.user(user);
    }
    if let Some(password) = &config.password {
        sql = sql.password(password.expose());
    }
    if let Some(prefix) = &config.prefix {
        sql = sql.prefix(prefix);
    }
    if let Some(connections) = config.connections {
        sql = sql.connections(connections);
    }
    if let Some(ca) = &config.ca {
        sql = sql.ca(dir.join(ca));
    }
    Ok(sql)
}

/// Which database it is, and whether it speaks TLS.
fn place(config: &GlobalChannelConfig) -> Result<SqlConfig> {
    let host = || config.host.clone();
    let sql = match (config.url.first(), &config.channel_manager) {
        (None, ChannelStore::Sqlite) => SqlConfig::sqlite(FILE),
        (Some(path), ChannelStore::Sqlite) if path.store().is_none() => SqlConfig::sqlite(path.expose()),
        (Some(url), _) => return SqlConfig::from_url(url.expose()),
        (None, ChannelStore::Postgres) => SqlConfig::postgres(host(), config.port.unwrap_or(POSTGRES_PORT)),
        (None, _) => SqlConfig::mysql(host(), config.port.unwrap_or(MYSQL_PORT)),
    };
    Ok(sql.tls(config.tls))
}

#[cfg(all(test, feature = "channel-postgres", feature = "channel-mysql", feature = "channel-sqlite"))]
mod tests {
    use super::super::tests::parsed;
    use super::*;
    use core::time::Duration;

    #[track_caller]
    fn made(text: &str) -> SqlConfig {
        settings(Path::new("/app"), &parsed(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_setting_arrives() {
        let postgres = |host: &str| SqlConfig::postgres(host, 5432);
        assert_eq!(
            made(
                r#"{"channelManager": "postgres", "host": "a", "port": 7, "db": "game", "user": "anna",
                    "password": "p@ss", "prefix": "rooms", "timeout": 700, "connections": 9}"#
            ),
            SqlConfig::postgres("a", 7)
                .database("game")
                .user("anna")
                .password("p@ss")
                .prefix("rooms")
                .timeout(Duration::from_millis(700))
                .connections(9)
        );
        assert_eq!(made(r#"{"channelManager": "postgres", "host": "a"}"#), postgres("a"));
        assert_eq!(made(r#"{"channelManager": "mysql", "host": "a"}"#), SqlConfig::mysql("a", 3306));
        assert_eq!(
            made(r#"{"url": "postgres://a/game", "user": "anna", "password": "hush"}"#),
            postgres("a").database("game").user("anna").password("hush")
        );
        assert_eq!(
            made(r#"{"url": "mariadb://anna:hush@a:7/game"}"#),
            SqlConfig::mysql("a", 7).database("game").user("anna").password("hush")
        );
        assert_eq!(
            made(r#"{"channelManager": "postgres", "host": "a", "tls": true}"#),
            postgres("a").tls(true)
        );
        assert_eq!(made(r#"{"url": "postgres://a", "ca": "ca.pem"}"#), postgres("a").ca("/app/ca.pem"));
        assert_eq!(made(r#"{"url": "postgres://a?sslmode=verify-full"}"#), postgres("a").tls(true));
    }

    #[test]
    fn a_file_is_in_the_application_s_directory() {
        for (text, file) in [
            (r#"{"channelManager": "sqlite"}"#, "/app/run/channels.db"),
            (r#"{"channelManager": "sqlite", "url": "data/my rooms.db"}"#, "/app/data/my rooms.db"),
            (r#"{"url": "sqlite:data/my%20rooms.db"}"#, "/app/data/my rooms.db"),
            (r#"{"channelManager": "sqlite", "url": "/var/rooms.db"}"#, "/var/rooms.db"),
            (r#"{"url": "sqlite:///var/rooms.db"}"#, "/var/rooms.db"),
        ] {
            assert_eq!(made(text), SqlConfig::sqlite(file), "{text}");
        }
    }
}
