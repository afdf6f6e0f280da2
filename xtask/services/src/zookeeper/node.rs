//! One node: its ports and data, which outlive its process.

use super::epoch;
use super::words::{self, Status};
use super::{JARS, Options, PACKAGES};
use crate::ports::{self, Reserved};
use crate::process::{Process, tail};
use crate::spawner;
use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One node of an ensemble.
#[derive(Debug)]
pub(super) struct Node {
    /// Counted from 1, as ZooKeeper does.
    number: usize,
    dir: PathBuf,
    client: Reserved,
    quorum: Reserved,
    election: Reserved,
    process: Option<Process>,
}

impl Node {
    pub(super) fn new(number: usize, parent: &Path) -> Result<Self> {
        let dir = parent.join(format!("node-{number}"));
        std::fs::create_dir_all(dir.join("data"))
            .with_context(|| format!("cannot make {}", dir.display()))?;
        let (client, quorum, election) = (Reserved::new()?, Reserved::new()?, Reserved::new()?);
        Ok(Self { number, dir, client, quorum, election, process: None })
    }

    /// How the configuration of each node names this one.
    pub(super) fn member(&self) -> String {
        let (quorum, election, client) = (self.quorum.port(), self.election.port(), self.client.port());
        format!("server.{}=127.0.0.1:{quorum}:{election}:participant;127.0.0.1:{client}", self.number)
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.client.address()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Starts it with the data that it has.
    pub(super) fn start(&mut self, options: &Options, members: &[String]) -> Result<()> {
        if self.process.is_some() && !self.has_ended() {
            bail!("ZooKeeper node {} runs already", self.number);
        }
        self.process = None;
        installed()?;
        let data = self.dir.join("data");
        epoch::mend(&data)?;
        // ZooKeeper rewrites this file, and forgets then what it moved to another: so it is made anew.
        let file = self.dir.join("z.cfg");
        std::fs::write(&file, options.file(&data, self.client.port(), members)).context("z.cfg")?;
        std::fs::write(data.join("myid"), self.number.to_string()).context("myid")?;
        let mut arguments = options.arguments();
        arguments.extend(["-cp".to_owned(), JARS.join(":")]);
        arguments.push("org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned());
        arguments.push(file.to_string_lossy().into_owned());
        let mut command = spawner::command("java", &arguments);
        command.current_dir(&self.dir);
        self.process = Some(Process::start(command, &self.log())?);
        Ok(())
    }

    /// Whether its process has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_ok_and(|ended| ended.is_some()))
    }

    /// Whether it should answer: started, and not frozen.
    pub(super) fn is_awake(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.is_frozen())
    }

    /// What it says of itself, if it serves, and it is our process that says so.
    pub(super) fn status(&mut self) -> Result<Status> {
        let number = self.number;
        let Some(process) = &mut self.process else { bail!("ZooKeeper node {number} is not started") };
        let pid = process.pid();
        if let Some(status) = process.ended()? {
            bail!("ZooKeeper node {number} has ended: {status}\n{}", tail(&self.log(), 15));
        }
        ports::listens(pid, self.client.port())?;
        words::status(&words::ask(self.address(), "srvr", words::LIMIT)?)
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    pub(super) fn freeze(&mut self) -> Result<()> {
        self.running()?.freeze()
    }

    pub(super) fn thaw(&mut self) -> Result<()> {
        self.running()?.thaw()
    }

    fn running(&mut self) -> Result<&mut Process> {
        let number = self.number;
        self.process.as_mut().with_context(|| format!("ZooKeeper node {number} is not started"))
    }
}

/// Says what is missing, and how to get it.
fn installed() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let java = std::env::split_paths(&path).any(|dir| dir.join("java").is_file());
    let jar = JARS.iter().find(|jar| !Path::new(jar).is_file());
    let missing = match jar {
        _ if !java => "java",
        Some(jar) => jar,
        None => return Ok(()),
    };
    let packages = PACKAGES.join(", ");
    bail!("{missing} is missing: `cargo xtask services install` installs Debian's packages {packages}")
}
