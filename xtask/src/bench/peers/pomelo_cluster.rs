//! Pomelo with clients: a master, two connectors and a chat server, and its plugin for channels on Redis.

use super::{Running, npm};
use crate::bench::clients::{Candidate, Servers};
use crate::bench::cluster::free_ports;
use crate::{clock, processes, run};
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use serde_json::json;
use std::path::{Path, PathBuf};
use tangelo_services::redis::Redis;

const VERSION: &str = "2.2.7";
const PLUGIN: &str = "0.0.7";
const PACKAGES: [(&str, &str); 3] =
    [("pomelo", VERSION), ("pomelo-logger", "0.1.7"), ("pomelo-globalchannel-plugin", PLUGIN)];
const APP: &str = include_str!("pomelo_app.js");
const CHAT: &str = include_str!("pomelo_chat.js");
const NODELAY: &str = include_str!("pomelo_nodelay.js");

const CONNECTORS: [&str; 2] = ["connector-server-1", "connector-server-2"];
const CHAT_ID: &str = "chat-server-1";
const UP_LIMIT: Duration = Duration::from_secs(30);

/// Pomelo by npm, with `TCP_NODELAY` on the sockets between its servers.
pub(crate) struct PomeloCluster {
    packages: PathBuf,
    node: String,
}

impl PomeloCluster {
    /// Installs it if it is not there.
    pub(crate) fn installed() -> Result<Self> {
        let packages = npm::installed_together(&format!("pomelo-{VERSION}"), &PACKAGES)?;
        Ok(Self { packages, node: npm::node_version()? })
    }

    pub(crate) fn version(&self) -> String {
        format!(
            "{VERSION} with pomelo-globalchannel-plugin {PLUGIN}, TCP_NODELAY on all sockets, node {}",
            self.node
        )
    }

    /// The app, in an empty directory; gives where clients connect.
    fn write(&self, dir: &Path) -> Result<Vec<u16>> {
        let ports = free_ports(2 * CONNECTORS.len() + 2)?;
        let at = |index: usize| json!({ "host": "127.0.0.1", "port": ports[index] });
        let (mut master, mut chat) = (at(0), at(1));
        (master["id"], chat["id"]) = ("master-server-1".into(), CHAT_ID.into());
        let clients: Vec<_> = ports[2 + CONNECTORS.len()..].to_vec();
        let connectors = CONNECTORS.iter().zip(2..).zip(&clients).map(|((id, own), client)| {
            let mut server = at(own);
            server["id"] = (*id).into();
            server["clientHost"] = "127.0.0.1".into();
            server["clientPort"] = (*client).into();
            server["frontend"] = true.into();
            server
        });
        let connectors: Vec<_> = connectors.collect();
        let servers = json!({ "production": { "connector": connectors, "chat": [chat] } });
        // Its default writes a line for each message.
        let log = json!({ "appenders": [{ "type": "console" }], "levels": { "[all]": "ERROR" }, "replaceConsole": false });
        let files = [
            ("app.js", APP.to_owned()),
            ("nodelay.js", NODELAY.to_owned()),
            ("app/servers/chat/handler/chatHandler.js", CHAT.to_owned()),
            ("config/master.json", json!({ "production": master }).to_string()),
            ("config/servers.json", servers.to_string()),
            ("config/log4js.json", log.to_string()),
        ];
        for (name, content) in files {
            let file = dir.join(name);
            let written = file.parent().map_or(Ok(()), std::fs::create_dir_all);
            written
                .and_then(|()| std::fs::write(&file, content))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        // From its directory upwards it finds its modules.
        std::os::unix::fs::symlink(self.packages.join("node_modules"), dir.join("node_modules"))?;
        Ok(clients)
    }
}

impl Candidate for PomeloCluster {
    fn name(&self) -> String {
        "Pomelo".to_owned()
    }

    fn start(&self, dir: &Path, redis: &Redis) -> Result<Servers> {
        let ports = self.write(dir)?;
        let (log, started) = (dir.join("log"), dir.join("started"));
        let out = run::open_log(&log)?;
        let mut command = processes::command("node");
        command.args(["app.js", "env=production"]).current_dir(dir).stdout(out.try_clone()?).stderr(out);
        command.env("TANGELO_BENCH_REDIS", redis.port().to_string()).env("TANGELO_BENCH_STARTED", &started);
        command.env("NODE_OPTIONS", format!("--no-warnings --require={}", dir.join("nodelay.js").display()));
        let master = command.spawn().context("cannot run node")?;
        let mut running = Running::of(vec![master]);
        let frontends = clock::poll_until(clock::now() + UP_LIMIT, Duration::from_millis(10), || {
            let lines = std::fs::read_to_string(&started).unwrap_or_default();
            let pid = |id: &str| {
                let mut lines = lines.lines().filter_map(|line| line.split_once(' '));
                lines.find(|(name, _)| *name == id)?.1.parse().ok()
            };
            match (pid(CHAT_ID), CONNECTORS.map(pid)) {
                (Some(chat), [Some(one), Some(two)]) => Ok([chat, one, two]),
                _ => bail!("not all of its servers have started:\n{}", run::tail(&log, 10)),
            }
        });
        let frontends: [u32; 3] = frontends?;
        running.daemons.extend(frontends);
        Ok(Servers::new(ports, frontends[1..].to_vec(), move || running.stop()))
    }
}
