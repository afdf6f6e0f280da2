//! Where the members of global channels are kept, as `globalChannel.json` configures it.

mod checks;
mod store;
#[cfg(test)]
mod tests;
mod url;

pub use store::ChannelStore;
pub use url::StoreUrl;

use super::Password;
use super::cluster::{ConfigFile, env_node};
use super::error::ConfigError;
use super::names::quoted;
use super::node::Node;
use super::value::{self, Unit, unexpected};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde_json::Value;

/// Where the members of global channels are kept. The keys are those of Pomelo's globalchannel
/// plugin, and more; a key that is left out has its default.
///
/// The store is either at `host` and `port`, or at `url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalChannelConfig {
    /// `channelManager`: `redis`, `postgres`, `mysql` (MariaDB too), `sqlite` or `memory`; in code
    /// also one of your own, [`ChannelStore::custom`]. Default: what the scheme of `url` says, or else Redis.
    pub channel_manager: ChannelStore,
    /// `host`: the store's host name or address. Default: `127.0.0.1`.
    pub host: String,
    /// `port`: the store's port. Default: the usual one of its kind, such as 6379 for Redis.
    pub port: Option<u16>,
    /// `url`: the store's address, such as `redis://10.0.0.1:6379/0`, `postgres://10.0.0.1/game` or
    /// `sqlite:run/channels.db`; also a list of several, for Redis with Sentinels or as a Cluster.
    /// SQLite takes a path too, relative to the application's directory; its default is `run/channels.db`.
    pub url: Vec<StoreUrl>,
    /// `db`: the number of Redis's database, 0 to 65535, or the name of the SQL database. Default: the store's own.
    pub db: Option<String>,
    /// `user`: whom to authenticate as. Default: the store's default user.
    pub user: Option<String>,
    /// `password`, or Pomelo's `auth_pass`. Default: none.
    pub password: Option<Password>,
    /// `prefix`: what the names of all keys, or of all tables, begin with; clusters that share a
    /// store need different ones. Default: the manager's own, in Redis Pomelo's `POMELO:CHANNEL`.
    pub prefix: Option<String>,
    /// `timeout`: how long one call may take, in milliseconds, 10 ms to a day. Default: 5 s.
    pub timeout: Duration,
    /// `connections`: the most connections to an SQL server that each process keeps, 1 to 1000. Default: the manager's own.
    pub connections: Option<u32>,
    /// `tls`: encrypt the connections to `host`; a `url` says it by its scheme, such as `rediss:`. Default: false.
    pub tls: bool,
    /// `ca`: the file of the certificates (PEM) that the store's own is checked against, relative
    /// to the application's directory; implies `tls`. Default: those that browsers trust.
    pub ca: Option<String>,
    /// `sentinel`: the name that Redis Sentinels know the master by; `url` or `host` are theirs. Default: no Sentinels.
    pub sentinel: Option<String>,
    /// `cluster`: whether `url` or `host` are nodes of a Redis Cluster. Default: false.
    pub cluster: bool,
    /// `leaveOnClose`: whether users leave all their channels when their session closes. Default: true.
    pub leave_on_close: bool,
    /// `cleanOnStartUp`: whether a cluster that is started anew removes what an earlier one has
    /// left under the prefix; Pomelo did so at the start of every server. Default: false.
    pub clean_on_start_up: bool,
}

impl Default for GlobalChannelConfig {
    fn default() -> Self {
        Self {
            channel_manager: ChannelStore::Redis,
            host: "127.0.0.1".into(),
            port: None,
            url: Vec::new(),
            db: None,
            user: None,
            password: None,
            prefix: None,
            timeout: Duration::from_secs(5),
            connections: None,
            tls: false,
            ca: None,
            sentinel: None,
            cluster: false,
            leave_on_close: true,
            clean_on_start_up: false,
        }
    }
}

/// Calls that may take less fail for a hiccup.
const SHORTEST: Duration = Duration::from_millis(10);
const MAX_CONNECTIONS: u32 = 1000;
const KEYS: &str = "channelManager, host, port, url, db, user, password, auth_pass, prefix, timeout, connections, \
                    tls, ca, sentinel, cluster, leaveOnClose, cleanOnStartUp";

impl GlobalChannelConfig {
    /// Reads the object of `env` in the file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place; no password is in it.
    pub fn parse(env: &str, file: ConfigFile<'_>) -> Result<Self, ConfigError> {
        let node = env_node(env, file)?;
        let entries =
            node.object("the object of global channels, such as {\"host\": \"127.0.0.1\", \"port\": 6379}")?;
        let mut config = Self::default();
        let place = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value);
        for entry in &entries {
            match &*entry.key {
                "url" => config.url = urls(entry.value)?,
                "password" | "auth_pass" => config.password = Some(password(entry.value)?),
                key => {
                    let found = entry.value.value()?;
                    let known = config.set(key, &found).map_err(|message| entry.value.error(message))?;
                    if !known {
                        let message =
                            format!("{} is no key of globalChannel.json; those are {KEYS}", quoted(key));
                        return Err(entry.name.error(message));
                    }
                }
            }
        }
        if let (Some(_), Some(second)) = (place("password"), place("auth_pass")) {
            return Err(second.error("\"auth_pass\" is Pomelo's name for \"password\": expected one of them"));
        }
        if let (Some(_), Some(host)) = (place("url"), place("host").or_else(|| place("port"))) {
            return Err(host.error("expected either \"url\", or \"host\" and \"port\""));
        }
        if place("channelManager").is_none()
            && let Some(first) = config.url.first()
        {
            config.channel_manager = first.store().unwrap_or(ChannelStore::Redis);
        }
        config.check_keys().map_err(|(key, message)| place(key).unwrap_or(node).error(message))?;
        Ok(config)
    }

    /// Sets the value of a key; `false`: there is no such key.
    fn set(&mut self, key: &str, found: &Value) -> Result<bool, String> {
        match key {
            "channelManager" => self.channel_manager = ChannelStore::read(found)?,
            "host" => self.host = value::text(found)?,
            "port" => self.port = Some(value::port(found)?),
            "db" => self.db = Some(db(found)?),
            "user" => self.user = Some(value::text(found)?),
            "prefix" => self.prefix = Some(value::text(found)?),
            "timeout" => self.timeout = value::time(found, Unit::Milliseconds, SHORTEST)?,
            "connections" => self.connections = Some(value::integer(found, 1, MAX_CONNECTIONS)?),
            "tls" => self.tls = value::boolean(found)?,
            "ca" => self.ca = Some(value::text(found)?),
            "sentinel" => self.sentinel = Some(value::text(found)?),
            "cluster" => self.cluster = value::boolean(found)?,
            "leaveOnClose" => self.leave_on_close = value::boolean(found)?,
            "cleanOnStartUp" => self.clean_on_start_up = value::boolean(found)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What makes no sense, whether it came from a file or from code.
    ///
    /// # Errors
    /// The first thing that is wrong; no password is in it.
    pub fn check(&self) -> Result<(), String> {
        self.check_keys().map_err(|(key, message)| format!("\"{key}\": {message}"))
    }
}

/// Pomelo writes the number of Redis's database as a text; both will do.
fn db(found: &Value) -> Result<String, String> {
    match found {
        Value::Number(number) if number.is_u64() => Ok(format!("{number}")),
        Value::String(text) => Ok(text.clone()),
        _ => Err(unexpected("the number or the name of a database", found)),
    }
}

// An error about one of these must not show what was found: it may be a password.

fn password(node: Node<'_>) -> Result<Password, ConfigError> {
    node.value()?.as_str().map(Password::new).ok_or_else(|| node.error("expected a text"))
}

fn urls(node: Node<'_>) -> Result<Vec<StoreUrl>, ConfigError> {
    let read = |node: Node<'_>| {
        let url = node.value()?.as_str().map(StoreUrl::new);
        let url = url.ok_or_else(|| node.error("expected the address of a store, as a text"))?;
        url.check().map_err(|message| node.error(message))?;
        Ok(url)
    };
    if !node.is_array() {
        return Ok(alloc::vec![read(node)?]);
    }
    let list = node.array("")?;
    if list.is_empty() {
        return Err(node.error("expected at least one address"));
    }
    list.into_iter().map(read).collect()
}
