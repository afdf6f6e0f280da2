//! socket.io: two servers, whose rooms are joined by Redis.

use super::{Running, npm};
use crate::bench::clients::{Candidate, Servers};
use crate::{processes, run};
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tangelo_services::redis::Redis;

const VERSION: &str = "4.8.4";
const ADAPTER: &str = "8.3.0";
const CLIENT: &str = "4.7.1";
const PACKAGES: [(&str, &str); 3] =
    [("socket.io", VERSION), ("@socket.io/redis-adapter", ADAPTER), ("redis", CLIENT)];
const PROGRAM: &str = include_str!("socket_io.js");
const SERVERS: usize = 2;

/// socket.io by npm.
pub(crate) struct SocketIo {
    packages: PathBuf,
    node: String,
}

impl SocketIo {
    /// Installs it if it is not there.
    pub(crate) fn installed() -> Result<Self> {
        let packages = npm::installed_together(&format!("socket.io-{VERSION}"), &PACKAGES)?;
        Ok(Self { packages, node: npm::node_version()? })
    }

    pub(crate) fn version(&self) -> String {
        format!("{VERSION} with @socket.io/redis-adapter {ADAPTER} on redis {CLIENT}, node {}", self.node)
    }
}

impl Candidate for SocketIo {
    fn name(&self) -> String {
        "socket.io".to_owned()
    }

    fn protocol(&self) -> &'static str {
        "socket-io"
    }

    fn start(&self, dir: &Path, redis: &Redis) -> Result<Servers> {
        std::fs::write(dir.join("server.js"), PROGRAM)?;
        std::os::unix::fs::symlink(self.packages.join("node_modules"), dir.join("node_modules"))?;
        let log = dir.join("log");
        let mut running = Running::of(Vec::new());
        let mut ports = Vec::new();
        for _ in 0..SERVERS {
            let mut command = processes::command("node");
            command.args(["server.js", &redis.port().to_string()]).current_dir(dir);
            command.env("NODE_ENV", "production").stdout(Stdio::piped()).stderr(run::open_log(&log)?);
            let mut child = command.spawn().context("cannot run node")?;
            let output = child.stdout.take().context("no output")?;
            running.supervisors.push(child);
            let mut port = String::new();
            BufReader::new(output).read_line(&mut port)?;
            let port = port.trim().parse();
            ports.push(port.with_context(|| format!("it does not start:\n{}", run::tail(&log, 10)))?);
        }
        let frontends = running.pids();
        Ok(Servers::new(ports, frontends, move || running.stop()))
    }
}
