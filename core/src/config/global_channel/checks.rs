//! What goes together, and what does not.

use super::super::names::{check_host, quoted};
use super::super::value::DAY;
use super::{ChannelStore, GlobalChannelConfig, MAX_CONNECTIONS, SHORTEST};
use alloc::format;
use alloc::string::String;

/// The key that is wrong, and what is wrong with it.
type Objection = (&'static str, String);

/// The longest prefix of keys, in bytes: it is part of each of them.
const LONGEST_KEY_PREFIX: usize = 128;
/// The longest prefix of tables: PostgreSQL cuts names at 63 bytes.
const LONGEST_TABLE_PREFIX: usize = 32;

impl GlobalChannelConfig {
    pub(super) fn check_keys(&self) -> Result<(), Objection> {
        let store = &self.channel_manager;
        #[cfg(feature = "std")]
        if let ChannelStore::Custom(_) = store {
            // What its settings mean is for it to say.
            return self.check_times();
        }
        self.check_place(store)?;
        self.check_login(store)?;
        self.check_redis(store)?;
        if let Some(prefix) = &self.prefix {
            check_prefix(store, prefix).map_err(|message| ("prefix", message))?;
        }
        self.check_times()
    }

    fn check_times(&self) -> Result<(), Objection> {
        if !(SHORTEST..=DAY).contains(&self.timeout) {
            return Err(("timeout", "expected 10 ms to a day".into()));
        }
        if self.connections.is_some_and(|n| n == 0 || n > MAX_CONNECTIONS) {
            return Err(("connections", format!("expected 1 to {MAX_CONNECTIONS}")));
        }
        Ok(())
    }

    fn check_place(&self, store: &ChannelStore) -> Result<(), Objection> {
        check_host(&self.host).map_err(|message| ("host", message))?;
        if *store == ChannelStore::Memory && (!self.url.is_empty() || self.port.is_some()) {
            let message = "\"memory\" is in this process: expected no \"url\" and no \"port\"";
            return Err(("channelManager", message.into()));
        }
        for url in &self.url {
            url.check().map_err(|message| ("url", message.into()))?;
            if *store == ChannelStore::Sqlite && url.store().is_none() {
                // A path.
                continue;
            }
            match url.store() {
                Some(other) if other == *store => (),
                Some(other) => return Err(("url", format!("this is an address of {other}, not of {store}"))),
                None => {
                    return Err((
                        "url",
                        format!("expected an address of {store}, such as {}", example(store)),
                    ));
                }
            }
        }
        match store {
            ChannelStore::Sqlite if self.port.is_some() => {
                Err(("port", "SQLite is a file: expected its path as \"url\"".into()))
            }
            ChannelStore::Redis => Ok(()),
            _ if self.url.len() > 1 => {
                Err(("url", format!("expected one address of {store}, found several")))
            }
            _ => Ok(()),
        }
    }

    fn check_login(&self, store: &ChannelStore) -> Result<(), Objection> {
        let twice = self.url.iter().any(super::StoreUrl::has_login);
        if twice && (self.user.is_some() || self.password.is_some()) {
            return Err((
                "url",
                "expected the name and password here, or as \"user\" and \"password\"".into(),
            ));
        }
        let has_server = !matches!(store, ChannelStore::Memory | ChannelStore::Sqlite);
        let text = |key: &'static str, value: &Option<String>| match value {
            Some(_) if !has_server => Err((key, format!("{store} has none"))),
            Some(text) if text.is_empty() || text.len() > 255 || text.contains(char::is_control) => {
                Err((key, "expected 1 to 255 characters without control characters".into()))
            }
            _ => Ok(()),
        };
        text("user", &self.user)?;
        text("db", &self.db)?;
        text("ca", &self.ca)?;
        match &self.db {
            Some(db) if *store == ChannelStore::Redis && db.parse::<u16>().is_err() => {
                return Err(("db", format!("expected a number from 0 to 65535, found {}", quoted(db))));
            }
            _ => (),
        }
        for (key, set) in [("password", self.password.is_some()), ("tls", self.tls)] {
            if set && !has_server {
                return Err((key, format!("{store} has none")));
            }
        }
        if self.tls && !self.url.is_empty() {
            return Err(("tls", "a \"url\" says it by its scheme or its parameters".into()));
        }
        if self.connections.is_some() && !store.is_sql_server() {
            return Err((
                "connections",
                format!("only postgres and mysql have connections to choose, not {store}"),
            ));
        }
        Ok(())
    }

    fn check_redis(&self, store: &ChannelStore) -> Result<(), Objection> {
        for (key, set) in [("sentinel", self.sentinel.is_some()), ("cluster", self.cluster)] {
            if set && *store != ChannelStore::Redis {
                return Err((key, format!("only redis has it, not {store}")));
            }
        }
        if let Some(name) = &self.sentinel
            && (name.is_empty() || name.len() > 255 || name.contains(char::is_control))
        {
            return Err(("sentinel", "expected the name of the master, 1 to 255 characters".into()));
        }
        if self.sentinel.is_some() && self.cluster {
            return Err(("cluster", "expected either \"sentinel\" or \"cluster\"".into()));
        }
        if self.cluster && self.db.as_deref().is_some_and(|db| db != "0") {
            return Err(("db", "a Redis Cluster has database 0 only".into()));
        }
        if *store == ChannelStore::Redis && self.url.len() > 1 && self.sentinel.is_none() && !self.cluster {
            let cure = "several addresses are those of Sentinels or of a Cluster: add \"sentinel\": \"mymaster\" or \"cluster\": true";
            return Err(("url", cure.into()));
        }
        Ok(())
    }
}

fn check_prefix(store: &ChannelStore, prefix: &str) -> Result<(), String> {
    let (expected, right) = match store {
        ChannelStore::Redis | ChannelStore::Memory => (
            "1 to 128 characters without control characters, spaces, \"{\" and \"}\"",
            (1..=LONGEST_KEY_PREFIX).contains(&prefix.len())
                && !prefix.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '{' | '}')),
        ),
        _ => (
            "1 to 32 small letters, digits and \"_\", a letter first: it begins the names of tables",
            (1..=LONGEST_TABLE_PREFIX).contains(&prefix.len())
                && prefix.starts_with(|c: char| c.is_ascii_lowercase())
                && prefix.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'),
        ),
    };
    if right { Ok(()) } else { Err(format!("expected {expected}, found {}", quoted(prefix))) }
}

const fn example(store: &ChannelStore) -> &'static str {
    match store {
        ChannelStore::Postgres => "postgres://10.0.0.1/game",
        ChannelStore::MySql => "mysql://10.0.0.1/game",
        ChannelStore::Sqlite => "sqlite:run/channels.db",
        _ => "redis://10.0.0.1:6379/0",
    }
}
