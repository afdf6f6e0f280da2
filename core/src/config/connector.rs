//! How a frontend takes clients, as `connector.json` configures it.

mod hook;
#[cfg(test)]
mod tests;

pub use hook::HandshakeHook;

use super::cluster::{ConfigFile, Layout};
use super::error::ConfigError;
use super::names::{check_host, quoted};
use super::node::Node;
use super::source::Source;
use super::value::{self, DAY, Unit, unexpected};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt::Display;
use core::net::SocketAddr;
use core::time::Duration;
use serde_json::Value;

/// How a frontend takes clients at its `clientPort`. The first keys are those of Pomelo's connectors; a
/// key that is left out has its default.
///
/// Set in code, it is what `config/connector.json` begins with: a key of the file wins.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorConfig {
    /// `heartbeat`: how long a client waits before it answers a heartbeat, in seconds, 0.1 to a day; 0:
    /// no heartbeats, and who is silent is kept for ever. Default: 30 s.
    pub heartbeat: Option<Duration>,
    /// `timeout`: the silence after which a client counts as dead, in seconds; more than `heartbeat`.
    /// Default: twice `heartbeat`.
    pub timeout: Option<Duration>,
    /// `useDict`: whether routes are sent by short codes. Default: true.
    pub use_dict: bool,
    /// `useProtobuf`: whether messages of the routes in serverProtos.json and clientProtos.json are sent
    /// as protobuf. Default: true.
    pub use_protobuf: bool,
    /// `tls`: the certificate for TLS, which clients must speak then. Default: no TLS.
    pub tls: Option<TlsFiles>,
    /// `host`: where to listen for clients. Default: the server's `host`.
    pub host: Option<String>,
    /// `handshakeTimeout`: how long a connection may take until it is a client, in seconds, 0.1 to a day.
    /// Default: 10 s.
    pub handshake_timeout: Duration,
    /// `maxPackage`: the longest package that a client may send, in bytes, 1 KiB to 16 MiB. Default: 64 KiB.
    pub max_package: usize,
    /// `queue`: how many bytes may wait for one client, 4 KiB to 1 GiB. Default: 1 MiB.
    pub queue: usize,
    /// `queueMessages`: how many messages may wait for one client, 1 to 1 048 576. Default: 16 384.
    pub queue_messages: usize,
    /// `slow`: what happens to a client whose queue is full: `disconnect` or `drop`. Default: `disconnect`.
    pub slow: SlowClient,
    /// `sessionsPerUser`: whether a user may have `many` sessions here, or `one`: then a new one takes
    /// the place of the older. Default: `many`.
    pub sessions_per_user: SessionsPerUser,
    /// `requestsAtOnce`: how many messages of one client are worked on at once, 1 to 65 536; then no more
    /// are read. Default: 128.
    pub requests_at_once: u32,
    /// `maxConnections`: how many connections there may be; `max-connections` of the server in servers.json
    /// goes before it. Default: as many as the system has descriptors for.
    pub max_connections: Option<u32>,
    /// `maxHandshakes`: how many connections may be on the way to be clients; beyond that the one
    /// that has taken longest goes. Default: 4096.
    pub max_handshakes: u32,
    /// In code only: what a browser that asks for `/` is shown, as HTML. Default: nothing.
    pub page: Option<Arc<str>>,
    /// In code only: what looks at handshakes. Default: everybody is let in.
    pub handshake: Option<HandshakeHook>,
}

/// The files of a certificate, relative to the application's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `cert`: the certificate and those that it is signed by, as PEM.
    pub cert: String,
    /// `key`: its private key, as PEM.
    pub key: String,
}

/// What happens to a client that reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SlowClient {
    /// It is disconnected: it comes again, and knows that it has missed something.
    #[default]
    Disconnect,
    /// It misses what its queue has no room for.
    Drop,
}

/// How many sessions a user may have at one frontend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionsPerUser {
    /// Any number: each gets what the user is pushed.
    #[default]
    Many,
    /// One: a new one takes the place of the older, which is kicked.
    One,
}

impl Default for ConnectorConfig {
    fn default() -> Self {
        Self {
            heartbeat: Some(Duration::from_secs(30)),
            timeout: None,
            use_dict: true,
            use_protobuf: true,
            tls: None,
            host: None,
            handshake_timeout: Duration::from_secs(10),
            max_package: 64 << 10,
            queue: 1 << 20,
            queue_messages: 16 << 10,
            slow: SlowClient::default(),
            sessions_per_user: SessionsPerUser::default(),
            requests_at_once: 128,
            max_connections: None,
            max_handshakes: 4096,
            page: None,
            handshake: None,
        }
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const MAX_PACKAGE: (usize, usize) = (1 << 10, (16 << 20) - 1);
const QUEUE: (usize, usize) = (4 << 10, 1 << 30);
const QUEUE_MESSAGES: (usize, usize) = (1, 1 << 20);
const REQUESTS: (u32, u32) = (1, 1 << 16);
const KEYS: &str = "heartbeat, timeout, useDict, useProtobuf, tls, host, handshakeTimeout, maxPackage, queue, \
                    queueMessages, slow, sessionsPerUser, requestsAtOnce, maxConnections, maxHandshakes";

/// The key that is wrong, and what is wrong with it.
type Objection = (&'static str, String);

impl ConnectorConfig {
    /// Looks at each handshake: `hook` is given what the client says under `user` and its address, and
    /// answers what it is told under `user`, or an error, and then the client is turned away with
    /// code 500. It runs on the connection's task and must not block.
    #[must_use]
    pub fn handshake<E: Display>(
        mut self,
        hook: impl Fn(&Value, SocketAddr) -> Result<Value, E> + Send + Sync + 'static,
    ) -> Self {
        self.handshake = Some(HandshakeHook::new(hook));
        self
    }

    /// Shows browsers that ask for `/` a page.
    #[must_use]
    pub fn page(mut self, html: impl Into<Arc<str>>) -> Self {
        self.page = Some(html.into());
        self
    }

    /// Reads the object of `env` in the file; what it does not say stays as it is. So does everything if the
    /// file is for other environments only.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn read(mut self, env: &str, file: ConfigFile<'_>) -> Result<Self, ConfigError> {
        let root = Node::root(Source::new(file.name, file.text))?;
        let node = if file.layout == Layout::OneEnv { Some(root) } else { of_env(env, root)? };
        let Some(node) = node else { return Ok(self) };
        let entries = node.object("the object of connectors, such as {\"heartbeat\": 30}")?;
        let place = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value);
        for entry in &entries {
            if entry.key == "tls" {
                self.tls = Some(tls(entry.value)?);
                continue;
            }
            let found = entry.value.value()?;
            if !self.set(&entry.key, &found).map_err(|message| entry.value.error(message))? {
                let message = format!("{} is no key of connector.json; those are {KEYS}", quoted(&entry.key));
                return Err(entry.name.error(message));
            }
        }
        self.check_keys().map_err(|(key, message)| place(key).unwrap_or(node).error(message))?;
        Ok(self)
    }

    /// Sets the value of a key; `false`: there is no such key.
    fn set(&mut self, key: &str, found: &Value) -> Result<bool, String> {
        let size = |(low, high)| value::integer(found, low, high);
        match key {
            "heartbeat" => {
                let off = value::integer(found, 0, 0).is_ok();
                self.heartbeat = if off { None } else { Some(value::time(found, Unit::Seconds, SHORTEST)?) };
            }
            "timeout" => self.timeout = Some(value::time(found, Unit::Seconds, SHORTEST)?),
            "useDict" => self.use_dict = value::boolean(found)?,
            "useProtobuf" => self.use_protobuf = value::boolean(found)?,
            "host" => self.host = Some(value::text(found)?),
            "handshakeTimeout" => self.handshake_timeout = value::time(found, Unit::Seconds, SHORTEST)?,
            "maxPackage" => self.max_package = size(MAX_PACKAGE)?,
            "queue" => self.queue = size(QUEUE)?,
            "queueMessages" => self.queue_messages = size(QUEUE_MESSAGES)?,
            "slow" => {
                self.slow = match found.as_str() {
                    Some("disconnect") => SlowClient::Disconnect,
                    Some("drop") => SlowClient::Drop,
                    _ => return Err(unexpected("\"disconnect\" or \"drop\"", found)),
                }
            }
            "sessionsPerUser" => {
                self.sessions_per_user = match found.as_str() {
                    Some("many") => SessionsPerUser::Many,
                    Some("one") => SessionsPerUser::One,
                    _ => return Err(unexpected("\"many\" or \"one\"", found)),
                }
            }
            "requestsAtOnce" => self.requests_at_once = value::integer(found, REQUESTS.0, REQUESTS.1)?,
            "maxConnections" => self.max_connections = Some(value::integer(found, 0, u32::MAX)?),
            "maxHandshakes" => self.max_handshakes = value::integer(found, 1, u32::MAX)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What makes no sense, whether it came from a file or from code.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), String> {
        self.check_keys().map_err(|(key, message)| format!("\"{key}\": {message}"))
    }

    fn check_keys(&self) -> Result<(), Objection> {
        let times = [
            ("heartbeat", self.heartbeat),
            ("timeout", self.timeout),
            ("handshakeTimeout", Some(self.handshake_timeout)),
        ];
        for (key, time) in times {
            if time.is_some_and(|time| !(SHORTEST..=DAY).contains(&time)) {
                return Err((key, "expected 0.1 s to a day".into()));
            }
        }
        if let (Some(heartbeat), Some(timeout)) = (self.heartbeat, self.timeout)
            && timeout <= heartbeat
        {
            let message = "expected more than \"heartbeat\": a client is silent for so long";
            return Err(("timeout", message.into()));
        }
        if let Some(host) = &self.host {
            check_host(host).map_err(|message| ("host", message))?;
        }
        let sizes = [
            ("maxPackage", self.max_package, MAX_PACKAGE),
            ("queue", self.queue, QUEUE),
            ("queueMessages", self.queue_messages, QUEUE_MESSAGES),
            ("requestsAtOnce", self.requests_at_once as usize, (REQUESTS.0 as usize, REQUESTS.1 as usize)),
            ("maxHandshakes", self.max_handshakes as usize, (1, u32::MAX as usize)),
        ];
        for (key, size, (low, high)) in sizes {
            if !(low..=high).contains(&size) {
                return Err((key, format!("expected {low} to {high}")));
            }
        }
        Ok(())
    }
}

/// The object of `env`; `None` if there are such of others only. Without that level it is for all.
fn of_env<'a>(env: &str, root: Node<'a>) -> Result<Option<Node<'a>>, ConfigError> {
    let entries = root.object("an object with a key for each environment")?;
    if let Some(entry) = entries.iter().find(|entry| entry.key == env) {
        return Ok(Some(entry.value));
    }
    // `tls` has an object as well.
    let is_key = |key: &str| KEYS.split(',').any(|known| known.trim() == key);
    let is_flat = entries.iter().any(|entry| is_key(&entry.key) || !entry.value.is_object());
    Ok((is_flat || entries.is_empty()).then_some(root))
}

fn tls(node: Node<'_>) -> Result<TlsFiles, ConfigError> {
    let expected = "{\"cert\": \"config/cert.pem\", \"key\": \"config/key.pem\"}";
    let (mut cert, mut key) = (None, None);
    for entry in node.object(expected)? {
        let file = match &*entry.key {
            "cert" => &mut cert,
            "key" => &mut key,
            other => {
                let message = format!("{} is no key of \"tls\"; those are cert, key", quoted(other));
                return Err(entry.name.error(message));
            }
        };
        let name = value::text(&entry.value.value()?).map_err(|message| entry.value.error(message))?;
        if name.is_empty() {
            return Err(entry.value.error("expected the path of a file"));
        }
        *file = Some(name);
    }
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(TlsFiles { cert, key }),
        _ => Err(node.error(format!("expected {expected}"))),
    }
}
