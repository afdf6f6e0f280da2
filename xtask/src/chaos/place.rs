//! A master's place: its directory, its address, and its own way to ZooKeeper, which can be cut.

use crate::bench::cluster::{Cluster, Listing, Master};
use crate::{clock, run};
use anyhow::{Context as _, Result, bail};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tangelo_services::proxy::Proxy;
use tangelo_services::zookeeper::Ensemble;

/// The session of every master. Deaths that nothing tells of are noticed after it.
pub(super) const SESSION: Duration = Duration::from_secs(3);
/// A link without a beat for so long is silent.
pub(super) const SILENCE: Duration = Duration::from_millis(400 * 4);
/// How long a server may be without a link before it is replaced.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(20);
/// How long a look may take; after it one looks again.
const LOOK: Duration = Duration::from_secs(2);

/// What all places have in common.
pub(super) struct Common<'a> {
    pub(super) app: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) ensemble: &'a Ensemble,
    /// The ports of the servers.
    pub(super) servers: &'a [u16],
    pub(super) port: u16,
    pub(super) secret: &'a str,
}

/// A master's place, and the master while it lives.
pub(super) struct Place {
    pub(super) id: String,
    pub(super) address: SocketAddr,
    dir: PathBuf,
    cluster: Cluster,
    /// `start` or `master`.
    subcommand: &'static str,
    to_zookeeper: Vec<Proxy>,
    environment: [(&'static str, String); 4],
    master: Option<Master>,
}

impl Place {
    /// The place of master `number`, counted from 1: with a directory and an address of its own, as on another host.
    pub(super) fn new(number: u8, common: &Common<'_>) -> Result<Self> {
        let Common { app, ensemble, .. } = common;
        let id = format!("master-{number}");
        let dir = common.dir.join(&id);
        std::fs::create_dir_all(&dir)?;
        let address = SocketAddr::from(([127, 0, 0, 10 + number], common.port));
        let master = json!({
            "id": id, "host": address.ip(), "port": address.port(),
            "heartbeat": 400, "heartbeat-missed": 4, "reconnect-grace": 3000,
        });
        let cluster = Cluster::of(app, &dir, &master, common.servers)?;
        let nodes = (0..ensemble.nodes()).map(|node| Proxy::to(ensemble.address(node)));
        let to_zookeeper = nodes.collect::<Result<Vec<_>>>()?;
        let server: Vec<_> = to_zookeeper.iter().map(|proxy| proxy.address().to_string()).collect();
        let timeout = u64::try_from(SESSION.as_millis())?;
        cluster.write(
            "zookeeper.json",
            &json!({ "server": server.join(","), "timeout": timeout, "create": true }),
        )?;
        let environment = [
            ("TANGELO_SECRET", common.secret.to_owned()),
            ("TANGELO_BENCH_ZOOKEEPER", ensemble.connect_string()),
            ("TANGELO_LOG_FORMAT", "json".to_owned()),
            ("RUST_LOG", "info,tangelo=debug,tangelo_zookeeper=debug".to_owned()),
        ];
        // Two begin a cluster, as on two hosts with the same configuration; others are only added.
        let subcommand = if number <= 2 { "start" } else { "master" };
        Ok(Self { id, address, dir, cluster, subcommand, to_zookeeper, environment, master: None })
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = self.cluster.command(subcommand);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the master, unless it lives.
    pub(super) fn start(&mut self) -> Result<()> {
        if self.pid().is_none() {
            self.master = Some(self.cluster.foreground(self.command(self.subcommand))?);
        }
        Ok(())
    }

    /// The master's process, while it lives.
    pub(super) fn pid(&mut self) -> Option<u32> {
        let master = self.master.as_mut()?;
        let ended = master.child.try_wait().is_ok_and(|status| status.is_some());
        if ended {
            self.master = None;
        }
        self.master.as_ref().map(|master| master.child.id())
    }

    /// Waits for the master's end.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<()> {
        let Some(mut master) = self.master.take() else { return Ok(()) };
        run::wait(&mut master.child, clock::now() + limit).map(drop)
    }

    /// Sends the master a signal.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<()> {
        let pid = self.pid().with_context(|| format!("{} is dead", self.id))?;
        // It is our child, and not waited for: the number is its own.
        let pid = Pid::from_raw(i32::try_from(pid)?).context("pid 0")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.id))
    }

    /// Kills the master and takes it from the process table.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(20))
    }

    /// Nothing gets from this master to ZooKeeper or back.
    pub(super) fn cut_zookeeper(&self) {
        self.to_zookeeper.iter().for_each(Proxy::cut);
    }

    /// Closes its connections to ZooKeeper and refuses new ones.
    pub(super) fn sever_zookeeper(&self) {
        self.to_zookeeper.iter().for_each(Proxy::sever);
    }

    pub(super) fn mend_zookeeper(&self) -> Result<()> {
        self.to_zookeeper.iter().try_for_each(Proxy::mend)
    }

    pub(super) const fn host(&self) -> IpAddr {
        self.address.ip()
    }

    /// `list --json`, asked of the master at `address`.
    pub(super) fn list(&self, address: SocketAddr) -> Result<Listing> {
        let mut command = self.command("list");
        command.args(["--json", "--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
        let text = self.run(command, LOOK)?;
        serde_json::from_str(&text).with_context(|| format!("list --json gave {text}"))
    }

    /// `handover`, to the standby that is first in line.
    pub(super) fn hand_over(&self) -> Result<()> {
        self.run(self.command("handover"), COMMAND).map(drop)
    }

    /// `stop` of the whole cluster.
    pub(super) fn stop(&self) -> Result<()> {
        self.run(self.command("stop"), COMMAND).map(drop)
    }

    /// Runs a command of the app for its output, within `limit`.
    fn run(&self, mut command: Command, limit: Duration) -> Result<String> {
        let what = run::shown(&command);
        let (out, log) = (self.dir.join("command.out"), self.dir.join("command.log"));
        let file = std::fs::File::create(&out)?;
        let mut child = command
            .env("RUST_LOG", "warn")
            .stdout(file)
            .stderr(run::open_log(&log)?)
            .stdin(Stdio::null())
            .spawn()?;
        let status = match run::wait(&mut child, clock::now() + limit) {
            Ok(status) => status,
            Err(e) => {
                // It may end at this very moment.
                let _ = child.kill().and_then(|()| child.wait().map(drop));
                return Err(e).with_context(|| format!("`{what}` hangs"));
            }
        };
        if !status.success() {
            bail!("`{what}`: {status}: {}", run::tail(&log, 1));
        }
        Ok(std::fs::read_to_string(&out)?)
    }
}
