//! A master with replicas, and three Sentinels that replace it when it fails.

use super::server::{PAUSE, START_LIMIT, directory, socket};
use super::{Options, Redis, Reply};
use crate::clock;
use crate::ports::Reserved;
use anyhow::{Context as _, Result, bail};
use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;

/// The name of the group of servers.
const GROUP: &str = "channels";
/// A master that is silent for so long is down.
const DOWN_AFTER: Duration = Duration::from_millis(700);

/// A master, replicas, and three Sentinels.
#[derive(Debug)]
pub struct Sentinels {
    sentinels: Vec<Redis>,
    servers: Vec<Redis>,
}

impl Sentinels {
    /// A master with `replicas` that follow it, and three Sentinels that know them all.
    ///
    /// # Errors
    /// If something is not installed, or one does not come up.
    pub fn start(replicas: usize, options: &Options) -> Result<Self> {
        let mut own = options.clone();
        // At once, as there is little to send.
        own.lines.push("repl-diskless-sync-delay 0".to_owned());
        if let Some(password) = &options.password {
            own.lines.push(format!("masterauth {password}"));
        }
        let master = Redis::start(&own)?;
        let mut following = own.clone();
        following.lines.push(format!("replicaof 127.0.0.1 {}", master.port()));
        let mut servers = vec![master];
        for _ in 0..replicas {
            servers.push(Redis::start(&following)?);
        }
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(sentinel(servers[0].port(), options.password.as_deref())?);
        }
        let trio = Self { sentinels, servers };
        trio.await_complete(START_LIMIT)?;
        Ok(trio)
    }

    /// The name that clients ask the Sentinels for.
    #[must_use]
    pub const fn group(&self) -> &'static str {
        GROUP
    }

    /// Where the Sentinels are reached.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sentinels.iter().map(Redis::address).collect()
    }

    /// The servers; the first was the master at first.
    #[must_use]
    pub fn servers(&self) -> &[Redis] {
        &self.servers
    }

    /// The Sentinels themselves.
    #[must_use]
    pub fn sentinels(&self) -> &[Redis] {
        &self.sentinels
    }

    /// The server that the Sentinels call the master.
    ///
    /// # Errors
    /// If they do not agree, or it is none of ours.
    pub fn master(&self) -> Result<&Redis> {
        let mut ports = Vec::new();
        for sentinel in &self.sentinels {
            let Reply::List(address) = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP])? else {
                bail!("a Sentinel knows no master")
            };
            ports.push(address.into_iter().next_back().context("a port")?.text()?);
        }
        ports.dedup();
        let [port] = &ports[..] else { bail!("the Sentinels name several masters: {ports:?}") };
        let master = self.servers.iter().find(|server| server.port().to_string() == *port);
        master.with_context(|| format!("a Sentinel names a master on port {port}, which is none of ours"))
    }

    /// Waits until the Sentinels agree on a master other than the one on `port`, and it takes writes.
    ///
    /// # Errors
    /// If that does not come within `limit`.
    pub fn await_other_master(&self, port: u16, limit: Duration) -> Result<&Redis> {
        clock::poll_until(clock::now() + limit, PAUSE, || {
            let master = self.master()?;
            if master.port() == port {
                bail!("the Sentinels still name the master on port {port}");
            }
            let Reply::List(role) = master.ask(&["ROLE"])? else { bail!("no role") };
            if role.first() != Some(&Reply::Text("master".to_owned())) {
                bail!("the new master is not promoted yet: {role:?}");
            }
            Ok(master)
        })
    }

    /// Waits until every replica has the master's data, and every Sentinel knows the others and the replicas.
    fn await_complete(&self, limit: Duration) -> Result<()> {
        let replicas = self.servers.len() - 1;
        clock::poll_until(clock::now() + limit, PAUSE, || {
            for replica in &self.servers[1..] {
                let info = replica.ask(&["INFO", "replication"])?.text()?;
                if !info.contains("master_link_status:up") {
                    bail!("a replica has not joined its master yet");
                }
            }
            for sentinel in &self.sentinels {
                let info = sentinel.ask(&["INFO", "sentinel"])?.text()?;
                if !info.contains(&format!("slaves={replicas},sentinels=3")) {
                    bail!("a Sentinel does not know all yet: {info}");
                }
            }
            Ok(())
        })
    }
}

fn sentinel(master: u16, password: Option<&str>) -> Result<Redis> {
    let (dir, port) = (directory()?, Reserved::new()?);
    let mut file = String::new();
    let mut line = |words: core::fmt::Arguments<'_>| {
        let _ = writeln!(file, "{words}");
    };
    line(format_args!("bind 127.0.0.1"));
    line(format_args!("port {}", port.port()));
    line(format_args!("unixsocket {}", socket(dir.path()).display()));
    line(format_args!("dir {}", dir.path().display()));
    line(format_args!("sentinel monitor {GROUP} 127.0.0.1 {master} 2"));
    line(format_args!("sentinel down-after-milliseconds {GROUP} {}", DOWN_AFTER.as_millis()));
    line(format_args!("sentinel failover-timeout {GROUP} 6000"));
    if let Some(password) = password {
        line(format_args!("sentinel auth-pass {GROUP} {password}"));
    }
    let sentinel = Redis::with_file(dir, port, &file, &["--sentinel"], None, None)?;
    sentinel.start_again()?;
    sentinel.await_ready(START_LIMIT)?;
    Ok(sentinel)
}
