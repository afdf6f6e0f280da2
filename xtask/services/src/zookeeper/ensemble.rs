//! One or several nodes together.

use super::Options;
use super::node::Node;
use super::words::{self, Status};
use crate::clock;
use crate::process::tail;
use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// A busy machine starts three Java machines within this.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Who asks for a word expects an answer, from a busy machine too.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// ZooKeeper on ports of its own, with data of its own; dropping it ends all and removes the data
/// (unless [`Options::dir`] says where to keep it).
///
/// Nodes count from 0.
#[derive(Debug)]
pub struct Ensemble {
    // Before the directory: the processes end first.
    nodes: Vec<Mutex<Node>>,
    members: Vec<String>,
    options: Options,
    _dir: Option<TempDir>,
}

impl Ensemble {
    /// One node that is alone, with short ticks. Ready when this returns, in less than a second.
    ///
    /// # Errors
    /// If something is not installed, or the node does not come up.
    pub fn standalone() -> Result<Self> {
        Self::start(1, Options::default())
    }

    /// `nodes` nodes, ready when this returns.
    ///
    /// # Errors
    /// If something is not installed, or the nodes do not come up.
    pub fn start(nodes: usize, options: Options) -> Result<Self> {
        let ensemble = Self::prepare(nodes, options)?;
        ensemble.start_all()?;
        ensemble.await_ready(START_LIMIT)?;
        Ok(ensemble)
    }

    /// `nodes` nodes with their ports taken, none of them started.
    ///
    /// # Errors
    /// If there are no ports, or no place for the data.
    pub fn prepare(nodes: usize, options: Options) -> Result<Self> {
        let temporary = || tempfile::Builder::new().prefix("tangelo-zookeeper-").tempdir();
        let made = if options.dir.is_none() { Some(temporary().context("no place for data")?) } else { None };
        let dir = options
            .dir
            .as_deref()
            .or_else(|| made.as_ref().map(TempDir::path))
            .context("no place for data")?;
        let nodes = (1..=nodes).map(|number| Node::new(number, dir)).collect::<Result<Vec<_>>>()?;
        let members = if let [_] = nodes[..] { Vec::new() } else { nodes.iter().map(Node::member).collect() };
        let nodes = nodes.into_iter().map(Mutex::new).collect();
        Ok(Self { nodes, members, options, _dir: made })
    }

    /// How a client reaches any of the nodes: `127.0.0.1:2181,127.0.0.1:2182,…`.
    #[must_use]
    pub fn connect_string(&self) -> String {
        let addresses = (0..self.nodes()).map(|i| self.address(i).to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// How many nodes there are, started or not.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Where clients reach node `i`.
    ///
    /// # Panics
    /// If there is no such node; so do the other methods that take a node.
    #[must_use]
    pub fn address(&self, i: usize) -> SocketAddr {
        self.node(i).address()
    }

    /// The process of node `i`, if it was started and not killed.
    #[must_use]
    pub fn pid(&self, i: usize) -> Option<u32> {
        self.node(i).pid()
    }

    /// Where node `i` writes its log.
    #[must_use]
    pub fn log(&self, i: usize) -> PathBuf {
        self.node(i).log()
    }

    /// Starts node `i` on its port with the data that it has; does not wait for it.
    ///
    /// # Errors
    /// If it runs already, or cannot be started.
    pub fn start_node(&self, i: usize) -> Result<()> {
        self.node(i).start(&self.options, &self.members)
    }

    /// Kills node `i` (SIGKILL) and waits for its end; its port stays taken and its data stays.
    ///
    /// # Errors
    /// If it would not end.
    pub fn kill(&self, i: usize) -> Result<()> {
        self.node(i).kill()
    }

    /// Stops node `i` in its tracks (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// If it does not run.
    pub fn freeze(&self, i: usize) -> Result<()> {
        self.node(i).freeze()
    }

    /// Lets a frozen node `i` go on (SIGCONT).
    ///
    /// # Errors
    /// If it does not run.
    pub fn thaw(&self, i: usize) -> Result<()> {
        self.node(i).thaw()
    }

    /// Kills every node.
    ///
    /// # Errors
    /// If one would not end.
    pub fn stop_all(&self) -> Result<()> {
        (0..self.nodes()).try_for_each(|i| self.kill(i))
    }

    /// Starts every node that does not run; does not wait for them.
    ///
    /// # Errors
    /// If one cannot be started.
    pub fn start_all(&self) -> Result<()> {
        (0..self.nodes()).filter(|&i| self.pid(i).is_none()).try_for_each(|i| self.start_node(i))
    }

    /// What node `i` answers to one of ZooKeeper's four-letter words.
    ///
    /// # Errors
    /// If it does not answer within five seconds.
    pub fn four_letter(&self, i: usize, word: &str) -> Result<String> {
        let address = self.address(i);
        words::ask(address, word, ANSWER_LIMIT)
    }

    /// What node `i` says of itself.
    ///
    /// # Errors
    /// If it serves nobody at the moment, or somebody else has its port.
    pub fn status(&self, i: usize) -> Result<Status> {
        self.node(i).status()
    }

    /// The node that leads (or is alone), if one does; nodes that do not answer are passed over.
    ///
    /// # Errors
    /// If two nodes say that they lead, which happens for a moment after a change.
    pub fn leader(&self) -> Result<Option<usize>> {
        let leads = |&i: &usize| self.is_awake(i) && self.status(i).is_ok_and(|status| status.mode.leads());
        match (0..self.nodes()).filter(leads).collect::<Vec<_>>()[..] {
            [] => Ok(None),
            [leader] => Ok(Some(leader)),
            ref several => bail!("ZooKeeper nodes {several:?} lead at once"),
        }
    }

    /// The last transaction that node `i` has seen.
    ///
    /// # Errors
    /// If it serves nobody at the moment.
    pub fn zxid(&self, i: usize) -> Result<u64> {
        Ok(self.status(i)?.zxid)
    }

    /// Waits until a node leads, whatever the others do; gives that node.
    ///
    /// # Errors
    /// If none does within `limit`.
    pub fn await_leader(&self, limit: Duration) -> Result<usize> {
        let leader = || self.leader()?.context("no ZooKeeper node leads");
        clock::poll_until(clock::now() + limit, PAUSE, leader)
    }

    /// Waits until one node leads and every node that is started and not frozen serves.
    ///
    /// # Errors
    /// If that does not come within `limit`; with the end of the log of a node that does not serve.
    pub fn await_ready(&self, limit: Duration) -> Result<()> {
        let deadline = clock::now() + limit;
        for i in (0..self.nodes()).filter(|&i| self.is_awake(i)) {
            let status = || match self.status(i) {
                // It does not come back by itself.
                Err(e) if self.node(i).has_ended() => Ok(Err(e)),
                status => status.map(Ok),
            };
            clock::poll_until(deadline, PAUSE, status).and_then(core::convert::identity).with_context(
                || format!("ZooKeeper node {i} is not ready; its log ends:\n{}", tail(&self.log(i), 15)),
            )?;
        }
        self.await_leader(deadline.saturating_sub(clock::now()))?;
        Ok(())
    }

    fn is_awake(&self, i: usize) -> bool {
        self.node(i).is_awake()
    }

    fn node(&self, i: usize) -> MutexGuard<'_, Node> {
        // A panic in another test's thread leaves a node as it is.
        self.nodes[i].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
