//! A cluster of frontends, a sender and one frontend more, on Redis; and orders to its servers.

use crate::bench::cluster::{Cluster, Master, UP_LIMIT, free_ports};
use crate::bench::{procfs, scratch};
use crate::{clock, processes, run};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result, bail, ensure};
use core::time::Duration;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use tangelo_services::redis::Redis;

/// The frontends that messages go to.
pub(crate) const FRONTENDS: usize = 8;
/// No order takes so long.
const LIMIT: Duration = Duration::from_secs(60);
/// The environment variable with the directory of the servers' sockets.
const SOCKETS: &str = "TANGELO_BENCH_SOCKETS";

/// The cluster, up and with every server listening.
pub(crate) struct Field<'a> {
    redis: &'a Redis,
    cluster: Cluster,
    master: Master,
    dir: scratch::Dir,
    /// A socket's path is short.
    sockets: tempfile::TempDir,
    pids: BTreeMap<String, u32>,
    frontend_ports: Vec<u16>,
}

impl<'a> Field<'a> {
    /// Starts it.
    pub(crate) fn start(app: &Path, redis: &'a Redis) -> Result<Self> {
        let dir = scratch::Dir::new("channels")?;
        let sockets = tempfile::Builder::new().prefix("tangelo-bench-").tempdir()?;
        let mut ports = free_ports(2 * FRONTENDS + 4)?;
        let mut port = || ports.pop().context("too few ports");
        let master = json!({ "id": "master-1", "host": "127.0.0.1", "port": port()? });
        let mut frontend = |id: String| -> Result<_> {
            Ok(
                json!({ "id": id, "host": "127.0.0.1", "port": port()?, "clientPort": port()?, "frontend": true }),
            )
        };
        let connectors: Vec<_> = connectors().map(&mut frontend).collect::<Result<_>>()?;
        let gate = frontend("gate-1".to_owned())?;
        let chat = json!({ "id": "chat-1", "host": "127.0.0.1", "port": port()? });
        let mut cluster = Cluster::of(app, dir.path(), &master, &[])?;
        let servers = json!({ "connector": connectors, "gate": [gate], "chat": [chat] });
        cluster.write("servers.json", &servers)?;
        cluster.write("globalChannel.json", &json!({ "host": "127.0.0.1", "port": redis.port() }))?;
        cluster.servers = FRONTENDS + 2;
        let mut command = cluster.command("start");
        command.env(SOCKETS, sockets.path());
        let mut master = cluster.foreground(command)?;
        master
            .all_up(cluster.servers, clock::now() + UP_LIMIT)
            .with_context(|| format!("see {}", dir.path().display()))?;
        let pids = cluster.pids()?;
        let ports = connectors.iter().filter_map(|server| server["port"].as_u64()?.try_into().ok());
        let frontend_ports = ports.collect();
        Ok(Self { redis, cluster, master, dir, sockets, pids, frontend_ports })
    }

    /// What a server answers to an order.
    pub(crate) fn order(&self, id: &str, order: &str) -> Result<String> {
        let asked = || -> Result<String> {
            let mut stream = UnixStream::connect(self.sockets.path().join(format!("{id}.sock")))?;
            stream.set_read_timeout(Some(LIMIT))?;
            writeln!(stream, "{order}")?;
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer)?;
            Ok(answer.trim_end().to_owned())
        };
        let answer = asked().with_context(|| format!("{id} does not answer to `{order}`"))?;
        match answer.strip_prefix("error: ") {
            Some(error) => bail!("{id}, told to `{order}`: {error}"),
            None => Ok(answer),
        }
    }

    /// Spreads the members of a channel over the frontends.
    pub(crate) fn fill(&self, channel: &str, members: usize) -> Result<()> {
        for (n, id) in connectors().enumerate() {
            let share = members / FRONTENDS + usize::from(n < members % FRONTENDS);
            self.order(&id, &format!("fill {channel} 1 {share}"))?;
        }
        Ok(())
    }

    /// The sender pushes to a channel; gives the seconds that it took, and how many members were reached.
    pub(crate) fn push(
        &self,
        channel: &str,
        pushes: usize,
        abreast: usize,
        pause: Duration,
    ) -> Result<(f64, f64)> {
        let order = format!("push {channel} {pushes} {abreast} {}", pause.as_micros());
        two(&self.order("chat-1", &order)?)
    }

    /// How many messages, and to how many members, have come to the sink of each frontend since it was last asked.
    pub(crate) fn counters(&self) -> Result<Vec<(f64, f64)>> {
        connectors().map(|id| two(&self.order(&id, "counters")?)).collect()
    }

    /// A server's process.
    pub(crate) fn pid(&self, id: &str) -> Result<u32> {
        self.pids.get(id).copied().with_context(|| format!("{id} is not there"))
    }

    /// The sender's time on the CPU so far, in seconds.
    pub(crate) fn sender_cpu(&self) -> Result<f64> {
        procfs::precise_cpu_seconds(self.pid("chat-1")?).context("the sender is gone")
    }

    /// How many segments with data the sender has sent to the frontends so far, as the kernel counts them.
    pub(crate) fn sender_segments(&self) -> Result<u64> {
        let all = run::output(processes::command("ss").args(["-HOtnpi", "state", "established"]))?;
        let sender = format!("pid={},", self.pid("chat-1")?);
        let to_frontends = |line: &&str| {
            line.contains(&sender)
                && self.frontend_ports.iter().any(|port| line.contains(&format!("127.0.0.1:{port} ")))
        };
        let of_links: Vec<_> = all.lines().filter(to_frontends).collect();
        ensure!(of_links.len() == FRONTENDS, "the sender has {} links to frontends", of_links.len());
        let count = |line: &str| {
            let counter = line.split(' ').find_map(|word| word.strip_prefix("data_segs_out:"));
            counter.map_or(Ok(0), str::parse)
        };
        Ok(of_links.into_iter().map(count).sum::<Result<u64, _>>()?)
    }

    /// How many commands Redis has carried out so far, as it counts them itself.
    pub(crate) fn store_commands(&self) -> Result<u64> {
        let stats = self.redis.ask(&["INFO", "commandstats"])?.text()?;
        // cmdstat_sadd:calls=3,usec=…
        let others = stats.lines().filter(|line| !line.starts_with("cmdstat_info:"));
        let calls = others.filter_map(|line| line.split_once(":calls=")?.1.split(',').next());
        Ok(calls.map(str::parse::<u64>).sum::<Result<u64, _>>()?)
    }

    /// Ends it in order.
    pub(crate) fn stop(self) -> Result<()> {
        self.cluster.stop(vec![self.master])?;
        self.dir.remove();
        Ok(())
    }
}

fn connectors() -> impl Iterator<Item = String> {
    (1..=FRONTENDS).map(|n| format!("connector-{n}"))
}

fn two(answer: &str) -> Result<(f64, f64)> {
    let numbers = answer.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    numbers.with_context(|| format!("expected two numbers, not `{answer}`"))
}
