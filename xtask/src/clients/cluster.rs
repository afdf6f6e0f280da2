//! The demo's own configuration at ports of this run.

use crate::repo;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::path::Path;
use tangelo_services::ports::Reserved;

/// A directory with the demo's configuration. Its ports are ours as long as this lives.
pub(super) struct Cluster {
    gate: u16,
    _ports: Vec<Reserved>,
}

impl Cluster {
    /// Writes it into `dir`; with `protos` what people say travels as protobuf.
    pub(super) fn configure(dir: &Path, protos: bool) -> Result<Self> {
        let mut ports = Vec::new();
        let mut port = || -> Result<Value> {
            let reserved = Reserved::new()?;
            let port = reserved.port();
            ports.push(reserved);
            Ok(port.into())
        };
        let mut master = read("master.json")?;
        master["development"]["port"] = port()?;
        let mut servers = read("servers.json")?;
        let groups = servers["development"].as_object_mut().context("servers.json")?;
        for server in groups.values_mut().filter_map(Value::as_array_mut).flatten() {
            for key in ["port", "clientPort"] {
                if server.get(key).is_some() {
                    server[key] = port()?;
                }
            }
        }
        let gate = servers["development"]["gate"][0]["clientPort"].as_u64().context("a gate")?;
        // Several heartbeats are waited for.
        let connector = json!({"development": {"heartbeat": 1}});
        let mut files = vec![
            ("master.json", master),
            ("servers.json", servers),
            ("globalChannel.json", read("globalChannel.json")?),
            ("connector.json", connector),
        ];
        if protos {
            let on_chat =
                json!({"required string msg": 1, "required string from": 2, "required string target": 3});
            files.push(("serverProtos.json", json!({"onChat": on_chat})));
            let send = json!({
                "required string content": 1, "required string target": 2, "optional string from": 3,
                "optional string id": 4,
            });
            files.push(("clientProtos.json", json!({"chat.chatHandler.send": send})));
        }
        let config = dir.join("config");
        std::fs::create_dir(&config)?;
        for (name, text) in files {
            std::fs::write(config.join(name), text.to_string())?;
        }
        Ok(Self { gate: u16::try_from(gate)?, _ports: ports })
    }

    /// Where clients begin.
    pub(super) const fn gate(&self) -> u16 {
        self.gate
    }
}

fn read(name: &str) -> Result<Value> {
    let path = repo::root().join("examples/chat/config").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
