//! Tangelo: a master, two connectors and a chat server, and channels on Redis.

use super::candidate::{Candidate, Servers};
use crate::bench::cluster::{Cluster, UP_LIMIT, free_ports};
use crate::clock;
use crate::runtime::Runtime;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use tangelo_services::redis::Redis;

/// How many connectors everybody has.
pub(crate) const CONNECTORS: usize = 2;

pub(crate) struct Tangelo {
    pub(crate) runtime: Runtime,
    pub(crate) app: PathBuf,
}

impl Candidate for Tangelo {
    fn name(&self) -> String {
        format!("Tangelo on {}", self.runtime.name())
    }

    fn start(&self, dir: &Path, redis: &Redis) -> Result<Servers> {
        let ports = free_ports(2 * CONNECTORS + 2)?;
        let ([master, chat], own, clients) = (
            [ports[0], ports[1]].map(|port| json!({ "host": "127.0.0.1", "port": port })),
            &ports[2..2 + CONNECTORS],
            &ports[2 + CONNECTORS..],
        );
        let named = |mut server: serde_json::Value, id: String| {
            server["id"] = id.into();
            server
        };
        let connectors: Vec<_> = (1..)
            .zip(own.iter().zip(clients))
            .map(|(n, (port, client_port)): (usize, _)| {
                let server =
                    json!({ "host": "127.0.0.1", "port": port, "clientPort": client_port, "frontend": true });
                named(server, format!("connector-{n}"))
            })
            .collect();
        let mut cluster = Cluster::of(&self.app, dir, &named(master, "master-1".to_owned()), &[])?;
        let chat = named(chat, "chat-1".to_owned());
        cluster.write("servers.json", &json!({ "connector": connectors, "chat": [chat] }))?;
        cluster.write("globalChannel.json", &json!({ "host": "127.0.0.1", "port": redis.port() }))?;
        cluster.servers = CONNECTORS + 1;
        let mut master = cluster.foreground(cluster.command("start"))?;
        master.all_up(cluster.servers, clock::now() + UP_LIMIT)?;
        let pids = cluster.pids()?;
        let frontends = (1..=CONNECTORS).map(|n| pids.get(&format!("connector-{n}")).copied());
        let frontends: Option<Vec<_>> = frontends.collect();
        let frontends = frontends.context("a connector is not there")?;
        Ok(Servers::new(clients.to_vec(), frontends, move || cluster.stop(vec![master])))
    }
}
