//! One server, as servers.json defines it.

use super::names::quoted;
use super::server_fields;
use crate::cpu::CpuRequest;
use crate::restart::RestartPolicy;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Which life of a server this is: 1 for the first launch of its id, and one more for each launch after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The life after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One server of `servers.json`.
///
/// As JSON it is the flat object of servers.json plus `serverType`; keys that Tangelo does not
/// know are in [`extra`](Self::extra) and stay where they were.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerDef {
    /// `id`: unique in the cluster.
    pub id: String,
    /// The group of servers.json that it stands in, such as `connector`.
    pub server_type: String,
    /// `host`: where it runs, and where others reach it.
    pub host: String,
    /// `port`: where other servers reach it; without one they cannot.
    pub port: Option<u16>,
    /// `clientHost`: where clients reach it, if that is not `host`.
    pub client_host: Option<String>,
    /// `clientPort`: where clients reach it.
    pub client_port: Option<u16>,
    /// `frontend`: clients connect to it. Default: false.
    pub frontend: bool,
    /// `auto-restart`: the master replaces it when it dies or hangs. Default: false.
    pub auto_restart: bool,
    /// `cpu`: the CPUs it is bound to. Default: none, it runs anywhere.
    pub cpu: Option<CpuRequest>,
    /// `args`: arguments of its own, handed to the process as they are.
    pub args: Vec<String>,
    /// `max-connections`: how many clients a frontend takes.
    pub max_connections: Option<u32>,
    /// `stop-timeout`, in seconds: how long its before-stop hooks may take. Default: 10 s.
    pub stop_timeout: Duration,
    /// `max-restarts`, `restart-window` (s), `restart-delay` (ms), `restart-max-delay` (ms): how crash loops are bounded.
    pub restart: RestartPolicy,
    /// All other keys, as they stand in the file.
    pub extra: BTreeMap<String, Value>,
}

impl ServerDef {
    /// The time that a server's before-stop hooks get unless it says otherwise.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

    /// A server with the defaults for everything else.
    #[must_use]
    pub fn new(id: impl Into<String>, server_type: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            server_type: server_type.into(),
            host: host.into(),
            port: None,
            client_host: None,
            client_port: None,
            frontend: false,
            auto_restart: false,
            cpu: None,
            args: Vec::new(),
            max_connections: None,
            stop_timeout: Self::STOP_TIMEOUT,
            restart: RestartPolicy::default(),
            extra: BTreeMap::new(),
        }
    }
}

/// For people an object; in a compact format that object as text, since such formats cannot hold
/// the keys that nobody knows.
impl Serialize for ServerDef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = Value::Object(server_fields::write(self));
        if serializer.is_human_readable() {
            object.serialize(serializer)
        } else {
            serializer.collect_str(&object)
        }
    }
}

/// Checks each key by itself, as in servers.json, but not what only makes sense together.
impl<'de> Deserialize<'de> for ServerDef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object: Map<String, Value> = if deserializer.is_human_readable() {
            Map::deserialize(deserializer)?
        } else {
            serde_json::from_str(&String::deserialize(deserializer)?).map_err(D::Error::custom)?
        };
        let fields = object.iter().map(|(key, value)| (key.as_str(), value));
        server_fields::read(fields, None).map_err(|error| {
            let key = error.field.and_then(|i| object.keys().nth(i));
            D::Error::custom(match key {
                Some(key) => format!("server: {}: {}", quoted(key), error.message),
                None => format!("server: {}", error.message),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use serde_json::json;

    fn full() -> (ServerDef, Value) {
        let def = ServerDef {
            port: Some(4050),
            client_host: Some("game.example.org".into()),
            client_port: Some(3050),
            frontend: true,
            auto_restart: true,
            cpu: Some("0-3,5".parse().unwrap()),
            args: ["--max-old-space-size=2048".into(), "a b".into()].into(),
            max_connections: Some(5000),
            stop_timeout: Duration::from_millis(1500),
            restart: RestartPolicy {
                max_restarts: 7,
                window: Duration::from_secs(30),
                delay: Duration::from_millis(50),
                max_delay: Duration::from_millis(2500),
            },
            extra: [("area".into(), json!({"z": 1, "a": [0.1, null, "ä"]}))].into(),
            ..ServerDef::new("connector-server-1", "connector", "127.0.0.1")
        };
        let json = json!({
            "id": "connector-server-1", "serverType": "connector", "host": "127.0.0.1", "port": 4050,
            "clientHost": "game.example.org", "clientPort": 3050, "frontend": true, "auto-restart": true,
            "cpu": "0-3,5", "args": ["--max-old-space-size=2048", "a b"], "max-connections": 5000,
            "stop-timeout": 1.5, "max-restarts": 7, "restart-window": 30, "restart-delay": 50,
            "restart-max-delay": 2500, "area": {"z": 1, "a": [0.1, null, "ä"]},
        });
        (def, json)
    }

    #[test]
    fn a_server_is_the_flat_object_of_servers_json() {
        let (def, json) = full();
        assert_eq!(serde_json::to_value(&def).unwrap(), json);
        assert_eq!(serde_json::from_value::<ServerDef>(json).unwrap(), def);
    }

    #[test]
    fn defaults_are_left_out() {
        let def = ServerDef::new("chat-1", "chat", "localhost");
        let text = r#"{"id":"chat-1","serverType":"chat","host":"localhost"}"#;
        assert_eq!(serde_json::to_string(&def).unwrap(), text);
        assert_eq!(serde_json::from_str::<ServerDef>(text).unwrap(), def);
    }

    #[test]
    fn a_compact_format_carries_it_too() {
        for def in [full().0, ServerDef::new("chat-1", "chat", "localhost")] {
            let bytes = postcard::to_allocvec(&def).unwrap();
            assert_eq!(postcard::from_bytes::<ServerDef>(&bytes).unwrap(), def);
        }
    }

    #[test]
    fn pomelos_restart_force_is_auto_restart() {
        for value in [json!(true), json!("true")] {
            let json = json!({"id": "a", "serverType": "chat", "host": "h", "restart-force": value});
            let def: ServerDef = serde_json::from_value(json).unwrap();
            assert!(def.auto_restart && def.extra.is_empty());
        }
    }

    #[test]
    fn a_known_key_among_the_extra_ones_does_not_win() {
        let mut def = ServerDef::new("chat-1", "chat", "localhost");
        def.extra.insert("id".into(), json!("../../etc"));
        let back: ServerDef = serde_json::from_str(&serde_json::to_string(&def).unwrap()).unwrap();
        assert_eq!(back.id, "chat-1");
    }

    #[test]
    fn nonsense_from_a_peer_is_refused() {
        for (json, expected) in [
            (json!({"id": "../x", "serverType": "chat", "host": "h"}), "server: \"id\": expected a name"),
            (json!({"id": "a", "serverType": "chat"}), "server: a server needs \"host\""),
            (json!({"id": "a", "serverType": "master", "host": "h"}), "which is the master's own"),
            (
                json!({"id": "a", "serverType": "chat", "host": "h", "port": 99999}),
                "\"port\": expected a port",
            ),
        ] {
            let error = serde_json::from_value::<ServerDef>(json.clone()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            let bytes = postcard::to_allocvec(&json.to_string()).unwrap();
            assert!(postcard::from_bytes::<ServerDef>(&bytes).is_err());
        }
    }
}
