//! The master, as master.json defines it.

use super::error::ConfigError;
use super::names::{check_host, check_name};
use super::node::Node;
use super::value::{self, Unit};
use super::{Secret, SshConfig, Timing};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use serde_json::Value;

/// The master of `master.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct MasterDef {
    /// `id`: unique among masters and servers.
    pub id: String,
    /// `host`: where it listens, and where others reach it.
    pub host: String,
    /// `port`: where it listens.
    pub port: u16,
    /// `secret`: lets masters, servers and command lines in. Default: none here.
    pub secret: Option<Secret>,
    /// The cluster's time limits.
    pub timing: Timing,
    /// `priority`: among standbys the one with the highest leads first. Default: 0.
    pub priority: i32,
    /// `ssh`: how servers of other hosts are launched there. Default: as ssh is configured for this user.
    pub ssh: SshConfig,
    /// All other keys, as they stand in the file.
    pub extra: BTreeMap<String, Value>,
}

impl MasterDef {
    /// A master with the defaults for everything else.
    #[must_use]
    pub fn new(id: impl Into<String>, host: impl Into<String>, port: u16) -> Self {
        Self {
            id: id.into(),
            host: host.into(),
            port,
            secret: None,
            timing: Timing::default(),
            priority: 0,
            ssh: SshConfig::default(),
            extra: BTreeMap::new(),
        }
    }

    /// Reads the object of one environment.
    pub(super) fn read(node: Node<'_>) -> Result<Self, ConfigError> {
        let mut def = Self::new("", "", 0);
        for entry in node.object("the master's object, such as {\"id\": \"master-server-1\", …}")? {
            if entry.key == "ssh" {
                def.ssh = SshConfig::read(entry.value)?;
                continue;
            }
            let value = entry.value.value()?;
            def.set(&entry.key, &value).map_err(|message| entry.value.error(message))?;
        }
        let missing = |key: &str, example: &str| {
            node.error(format!("the master needs \"{key}\", such as \"{key}\": {example}"))
        };
        if def.id.is_empty() {
            return Err(missing("id", "\"master-server-1\""));
        }
        if def.host.is_empty() {
            return Err(missing("host", "\"127.0.0.1\""));
        }
        if def.port == 0 {
            return Err(missing("port", "3005"));
        }
        Ok(def)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        const SHORTEST: Duration = Duration::from_millis(10);
        // No coordinator takes a shorter one.
        const SHORTEST_LEASE: Duration = Duration::from_millis(100);
        let ms = |low| value::time(value, Unit::Milliseconds, low);
        match key {
            "id" => {
                let id = value::text(value)?;
                check_name(&id)?;
                self.id = id;
            }
            "host" => {
                let host = value::text(value)?;
                check_host(&host)?;
                self.host = host;
            }
            "port" => self.port = value::port(value)?,
            "secret" => {
                // No `value::text`: its error would show what was found.
                let text = value.as_str().ok_or("expected a text")?;
                self.secret = Some(Secret::new(text).map_err(|error| error.message().to_string())?);
            }
            "heartbeat" => self.timing.heartbeat.interval = ms(SHORTEST)?,
            "heartbeat-missed" => self.timing.heartbeat.missed = value::integer(value, 1, 1000)?,
            "reconnect-grace" => self.timing.reconnect_grace = ms(Duration::ZERO)?,
            "start-timeout" => self.timing.start_timeout = ms(SHORTEST)?,
            "lease" => self.timing.lease = ms(SHORTEST_LEASE)?,
            "priority" => self.priority = value::integer(value, i32::MIN, i32::MAX)?,
            _ => drop(self.extra.insert(key.to_owned(), value.clone())),
        }
        Ok(())
    }
}
