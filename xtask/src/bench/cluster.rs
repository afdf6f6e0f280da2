//! A cluster of Tangelo, driven by its command line.

use crate::bench::lines::Lines;
use crate::bench::peers::{Bed, Peer, Running};
use crate::bench::stamps;
use crate::{clock, processes, run};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// How long a cluster may take to be up.
pub(crate) const UP_LIMIT: Duration = Duration::from_secs(60);
const GUARD_LIMIT: Duration = Duration::from_secs(5);
const STANDBY_LIMIT: Duration = Duration::from_secs(30);
/// The environment of all clusters that are measured.
pub(crate) const ENV: &str = "development";

/// The configuration of a cluster in a directory.
pub(crate) struct Cluster {
    app: PathBuf,
    dir: PathBuf,
    pub(crate) servers: usize,
    /// For further masters.
    pub(crate) spare_ports: Vec<u16>,
}

/// A master that runs in the foreground.
pub(crate) struct Master {
    pub(crate) child: Child,
    pub(crate) output: Lines,
}

/// `list --json`, as far as it is needed here.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    pub(crate) masters: Vec<MasterRow>,
    pub(crate) servers: Vec<ServerRow>,
}

/// A master of the listing.
#[derive(Debug, Deserialize)]
pub(crate) struct MasterRow {
    pub(crate) pid: u32,
    pub(crate) role: String,
    pub(crate) epoch: u64,
    pub(crate) state: String,
}

/// A server of the listing.
#[derive(Debug, Deserialize)]
pub(crate) struct ServerRow {
    pub(crate) id: String,
    pub(crate) pid: Option<u32>,
    pub(crate) state: String,
}

impl Cluster {
    /// Writes `servers` servers with `auto-restart` into `dir/config`.
    pub(crate) fn configure(app: &Path, dir: &Path, servers: usize) -> Result<Self> {
        let mut ports = free_ports(servers + 4)?;
        let servers = ports.split_off(4);
        let master = json!({ "id": "master-1", "host": "127.0.0.1", "port": ports.remove(0) });
        let cluster = Self::of(app, dir, &master, &servers)?;
        Ok(Self { spare_ports: ports, ..cluster })
    }

    /// Writes a master, and servers with `auto-restart` on these ports, into `dir/config`.
    pub(crate) fn of(app: &Path, dir: &Path, master: &Value, servers: &[u16]) -> Result<Self> {
        let rows: Vec<_> = (1..)
            .zip(servers)
            .map(|(n, port): (usize, _)| {
                json!({ "id": format!("bench-{n}"), "host": "127.0.0.1", "port": port, "auto-restart": true })
            })
            .collect();
        let cluster = Self {
            app: app.to_owned(),
            dir: dir.to_owned(),
            servers: servers.len(),
            spare_ports: Vec::new(),
        };
        cluster.write("master.json", master)?;
        cluster.write("servers.json", &json!({ "bench": rows }))?;
        Ok(cluster)
    }

    /// Writes a file of `config/`.
    pub(crate) fn write(&self, file: &str, content: &Value) -> Result<()> {
        let config = self.dir.join("config");
        std::fs::create_dir_all(&config)?;
        let file = config.join(file);
        std::fs::write(&file, json!({ ENV: content }).to_string())
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The app's command line.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = processes::command(&self.app);
        command.arg(subcommand).args(["-e", ENV, "--dir"]).arg(&self.dir);
        command.env_remove("RUST_LOG").current_dir(&self.dir);
        command
    }

    /// Starts `command`, a `start` or `master`, in the foreground.
    pub(crate) fn foreground(&self, mut command: Command) -> Result<Master> {
        let (child, output) = Lines::of(&mut command, &self.dir.join("masters.log"))?;
        Ok(Master { child, output })
    }

    /// A further master, once `list` shows it as a standby.
    pub(crate) fn standby(&self, round: usize) -> Result<Master> {
        let port = self.spare_ports[round % self.spare_ports.len()];
        let mut command = self.command("master");
        command.args(["--id", &format!("standby-{round}"), "--port", &port.to_string()]);
        let mut standby = self.foreground(command)?;
        let deadline = clock::now() + STANDBY_LIMIT;
        loop {
            let listing = self.list()?;
            let is_it = |pid: u32| pid == standby.child.id();
            if listing.masters.iter().any(|row| is_it(row.pid) && row.role == "standby") {
                return Ok(standby);
            }
            if let Some(status) = standby.child.try_wait()? {
                bail!("the standby ended: {status}");
            }
            if clock::now() > deadline {
                bail!("the standby is not in the list: {listing:?}");
            }
        }
    }

    /// `list --json`.
    pub(crate) fn list(&self) -> Result<Listing> {
        let text = run::output(self.command("list").arg("--json"))?;
        serde_json::from_str(&text).with_context(|| format!("list --json gave {text}"))
    }

    /// The servers' pids by id.
    ///
    /// # Errors
    /// If they are not all up.
    pub(crate) fn pids(&self) -> Result<BTreeMap<String, u32>> {
        let listing = self.list()?;
        let up = listing.servers.iter().filter(|server| server.state == "up");
        let pids: BTreeMap<_, _> = up.filter_map(|server| Some((server.id.clone(), server.pid?))).collect();
        if pids.len() != self.servers {
            bail!("{} of {} servers are up: {listing:?}", pids.len(), self.servers);
        }
        Ok(pids)
    }

    /// `stop` of the whole cluster; nothing of it may be left.
    pub(crate) fn stop(&self, masters: Vec<Master>) -> Result<()> {
        let log = self.dir.join("stop.log");
        run::must(&mut self.command("stop"), &log, Duration::from_secs(30))?;
        for mut master in masters {
            run::wait(&mut master.child, clock::now() + Duration::from_secs(30))
                .context("after `stop`, a master")?;
        }
        // A guard ends a moment after its master.
        clock::poll_until(
            clock::now() + GUARD_LIMIT,
            Duration::from_millis(10),
            || match processes::alive_in(&self.dir)[..] {
                [] => Ok(()),
                ref left => bail!("`stop` left {} processes running, such as {:?}", left.len(), left[0]),
            },
        )
    }
}

impl Master {
    /// When it said that all `servers` servers are up.
    pub(crate) fn all_up(&mut self, servers: usize, deadline: Duration) -> Result<Duration> {
        self.output.wait_for(&["all", &format!(" {servers} servers "), " up"], deadline)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // Whoever has stopped it by then only makes this fail.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Tangelo as one of the supervisors that are compared.
pub(crate) struct Tangelo<'a> {
    pub(crate) app: &'a Path,
    pub(crate) runtime: &'a str,
}

impl Peer for Tangelo<'_> {
    fn name(&self) -> String {
        "Tangelo".to_owned()
    }

    fn version(&self) -> String {
        format!("{} on {}", env!("CARGO_PKG_VERSION"), self.runtime)
    }

    // As many as there are rounds: a second crash within a minute would be delayed on purpose.
    fn children(&self) -> usize {
        20
    }

    fn start(&self, bed: &Bed<'_>) -> Result<Running> {
        let cluster = Cluster::configure(self.app, bed.dir, bed.children)?;
        let mut command = cluster.command("start");
        command.env(stamps::VARIABLE, bed.stamps.path());
        let mut supervisor = bed.spawn(command)?;
        let deadline = clock::now() + UP_LIMIT;
        while let Err(e) = cluster.pids() {
            if clock::now() > deadline || supervisor.try_wait()?.is_some() {
                return Err(e.context(run::tail(&bed.dir.join("log"), 10)));
            }
        }
        Ok(Running::of(vec![supervisor]))
    }
}

/// Ports on loopback that nobody listens on, below the range that outgoing connections take theirs from.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let first = 15_000 + u16::try_from(std::process::id() % 8_000)?;
    let free: Vec<_> =
        (first..32_000).filter(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).take(count).collect();
    if free.len() < count {
        bail!("found {} free ports of {count}", free.len());
    }
    Ok(free)
}
