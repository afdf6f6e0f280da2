//! ZooKeeper's nodes: killed and frozen.

use super::super::place::SESSION;
use super::{LIMIT, Striker};
use anyhow::{Context as _, Result};

impl Striker<'_> {
    /// ZooKeeper's leader or a follower.
    pub(super) fn node(&mut self, leader: bool) -> Result<usize> {
        let leads = self.field.ensemble.await_leader(LIMIT)?;
        let others = (0..self.field.ensemble.nodes()).filter(|&node| node != leads);
        if leader {
            Ok(leads)
        } else {
            self.random.choice(others.collect::<Vec<_>>()).context("one node alone")
        }
    }

    pub(super) fn kill_node(&mut self, leader: bool) -> Result<String> {
        let node = self.node(leader)?;
        self.field.ensemble.kill(node)?;
        let time = self.wait(0.1, SESSION)?;
        self.field.ensemble.start_node(node)?;
        Ok(format!("node {node}, started again {time:.2?} later"))
    }

    pub(super) fn freeze_node(&mut self, leader: bool) -> Result<String> {
        let node = self.node(leader)?;
        self.field.ensemble.freeze(node)?;
        let time = self.wait(0.2, SESSION * 2);
        self.field.ensemble.thaw(node)?;
        Ok(format!("node {node} for {:.2?}", time?))
    }

    pub(super) fn restart_zookeeper(&mut self) -> Result<String> {
        self.field.ensemble.stop_all()?;
        let time = self.wait(0.0, SESSION * 2)?;
        self.field.ensemble.start_all()?;
        Ok(format!("started again {time:.2?} later"))
    }
}
