//! Redis Cluster: masters that share the slots, and their replicas.

use super::server::{PAUSE, START_LIMIT, directory, socket};
use super::{Options, Redis};
use crate::clock;
use crate::ports::Reserved;
use anyhow::{Context as _, Result, bail, ensure};
use core::net::SocketAddr;
use core::time::Duration;

const SLOTS: usize = 16384;
/// A node that is silent for so long has failed.
const NODE_TIMEOUT: Duration = Duration::from_millis(1500);

/// Masters that share the slots, and as many replicas for each.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
    masters: usize,
    /// For talk among the nodes.
    buses: Vec<Reserved>,
}

impl Cluster {
    /// `masters` masters, each with `replicas`; all slots are served when this returns.
    ///
    /// # Errors
    /// If something is not installed, or one does not come up.
    pub fn start(masters: usize, replicas: usize, options: &Options) -> Result<Self> {
        ensure!(masters > 0, "a Redis Cluster has at least one master");
        ensure!(
            matches!(options.security, super::Security::Plain),
            "a Redis Cluster with TLS is not set up here"
        );
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..masters * (1 + replicas) {
            let (dir, port, bus) = (directory()?, Reserved::new()?, Reserved::new()?);
            let mut own = options.clone();
            own.lines.extend([
                "cluster-enabled yes".to_owned(),
                "cluster-config-file nodes.conf".to_owned(),
                format!("cluster-port {}", bus.port()),
                format!("cluster-node-timeout {}", NODE_TIMEOUT.as_millis()),
                "repl-diskless-sync-delay 0".to_owned(),
                // A replica that has lost its master for however long may take its place.
                "cluster-replica-validity-factor 0".to_owned(),
            ]);
            if let Some(password) = &options.password {
                own.lines.push(format!("masterauth {password}"));
            }
            let file = own.file(port.port(), &socket(dir.path()), dir.path(), None);
            let node = Redis::with_file(dir, port, &file, &[], options.password.clone(), None)?;
            node.start_again()?;
            nodes.push(node);
            buses.push(bus);
        }
        let cluster = Self { nodes, masters, buses };
        cluster.form()?;
        Ok(cluster)
    }

    /// Where the nodes are reached.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// The nodes; those that were masters at first come first.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// All keys of all masters, sorted.
    ///
    /// # Errors
    /// If one does not answer.
    pub fn keys(&self) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        for node in &self.nodes {
            let role = node.ask(&["INFO", "replication"])?.text()?;
            if role.contains("role:master") {
                keys.extend(node.keys()?);
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Waits until every node that answers sees all slots served.
    ///
    /// # Errors
    /// If that does not come within `limit`, or none answers.
    pub fn await_ok(&self, limit: Duration) -> Result<()> {
        clock::poll_until(clock::now() + limit, PAUSE, || {
            let mut answers = 0;
            for node in &self.nodes {
                let Ok(info) = node.ask(&["CLUSTER", "INFO"]) else { continue };
                let info = info.text()?;
                ensure!(info.contains("cluster_state:ok"), "the node on port {} says: {info}", node.port());
                answers += 1;
            }
            ensure!(answers > 0, "no node of the cluster answers");
            Ok(())
        })
    }

    /// Makes the nodes know each other, shares out the slots, gives each master its replicas.
    fn form(&self) -> Result<()> {
        for (node, epoch) in self.nodes.iter().zip(1..) {
            node.await_ready(START_LIMIT)?;
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")])?;
        }
        let (masters, replicas) = self.nodes.split_at(self.masters);
        for (i, master) in masters.iter().enumerate() {
            let (first, last) = (i * SLOTS / self.masters, (i + 1) * SLOTS / self.masters - 1);
            master.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
        }
        let all = |what: &str, limit: Duration| {
            clock::poll_until(clock::now() + limit, PAUSE, || {
                for node in &self.nodes {
                    let info = node.ask(&["CLUSTER", "INFO"])?.text()?;
                    ensure!(info.contains(what), "the node on port {} says: {info}", node.port());
                }
                Ok(())
            })
        };
        // On a busy machine a node gives a handshake up, and forgets whom it was to meet.
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        let deadline = clock::now() + START_LIMIT;
        loop {
            for (node, bus) in self.nodes.iter().zip(&self.buses).skip(1) {
                let (port, bus) = (node.port().to_string(), bus.port().to_string());
                self.nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
            }
            match all(&known, 2 * NODE_TIMEOUT) {
                Err(_) if clock::now() < deadline => {}
                met => break met?,
            }
        }
        for (i, replica) in replicas.iter().enumerate() {
            let id = masters[i % self.masters].ask(&["CLUSTER", "MYID"])?.text()?;
            // It may not have heard of its master yet.
            clock::poll_until(clock::now() + START_LIMIT, PAUSE, || {
                replica.ask(&["CLUSTER", "REPLICATE", &id])
            })?;
        }
        all("cluster_state:ok", START_LIMIT)?;
        clock::poll_until(clock::now() + START_LIMIT, PAUSE, || {
            for replica in replicas {
                let info = replica.ask(&["INFO", "replication"])?.text()?;
                ensure!(info.contains("master_link_status:up"), "a replica has not joined its master yet");
            }
            for master in masters {
                let slots = master.ask(&["CLUSTER", "NODES"])?.text()?;
                let seen = slots.lines().filter(|line| line.contains("slave")).count();
                if seen < replicas.len() {
                    bail!("a master knows {seen} replicas");
                }
            }
            Ok(())
        })
        .context("the replicas of a cluster")
    }
}
