//! A fault while another one lasts.

use super::super::fault::Span;
use super::super::place::{Place, SESSION};
use super::{Striker, Struck, kill};
use anyhow::Result;
use rustix::process::Signal;

impl Striker<'_> {
    /// Only the session can tell of it.
    pub(super) fn kill_leader_and_guard(&mut self, struck: &mut Struck) -> Result<String> {
        let leader = self.before.leader;
        kill(self.before.guards[leader])?;
        self.kill_master(leader, struck)
    }

    /// ZooKeeper's own, and then ours.
    pub(super) fn kill_two_leaders(&mut self, struck: &mut Struck) -> Result<String> {
        let node = self.node(true)?;
        self.field.ensemble.kill(node)?;
        self.wait(0.0, SESSION.mul_f64(0.3))?;
        let what = self.kill_master(self.before.leader, struck)?;
        self.field.ensemble.start_node(node)?;
        Ok(format!("{what}; node {node}"))
    }

    pub(super) fn kill_leader_and_server(&mut self, struck: &mut Struck) -> Result<String> {
        let server = self.kill_server(struck)?;
        Ok(format!("{}; {server}", self.kill_master(self.before.leader, struck)?))
    }

    pub(super) fn kill_leader_and_standby(&mut self, standby: usize, struck: &mut Struck) -> Result<String> {
        self.field.places[standby].kill()?;
        struck.masters.insert(standby);
        let what = self.kill_master(self.before.leader, struck)?;
        self.field.places[standby].start()?;
        Ok(format!("{what}; {}", self.field.places[standby].id))
    }

    /// Nobody watches over the servers for a while.
    pub(super) fn kill_all_masters(&mut self, struck: &mut Struck) -> Result<String> {
        for place in 0..self.field.places.len() {
            self.field.places[place].kill()?;
            struck.masters.insert(place);
        }
        let after = self.wait(0.0, SESSION * 2)?;
        self.field.places.iter_mut().try_for_each(Place::start)?;
        Ok(format!("started again {after:.2?} later"))
    }

    pub(super) fn kill_server_under_frozen_leader(&mut self, struck: &mut Struck) -> Result<String> {
        let leader = self.before.leader;
        self.field.places[leader].signal(Signal::STOP)?;
        let killed = self.kill_server_after(SESSION, struck);
        let time = self.wait_span(Span::Long, SESSION);
        self.field.places[leader].signal(Signal::CONT)?;
        Ok(format!("{}; {} woken {:.2?} later", killed?, self.field.places[leader].id, time?))
    }

    pub(super) fn kill_server_under_cut_leader(&mut self, struck: &mut Struck) -> Result<String> {
        let leader = self.before.leader;
        self.field.places[leader].cut_zookeeper();
        let killed = self.kill_server_after(SESSION, struck);
        let time = self.wait_span(Span::About, SESSION);
        self.field.places[leader].mend_zookeeper()?;
        Ok(format!("{}; {} mended {:.2?} later", killed?, self.field.places[leader].id, time?))
    }

    pub(super) fn kill_server_without_zookeeper(&mut self, struck: &mut Struck) -> Result<String> {
        self.field.ensemble.stop_all()?;
        let killed = self.kill_server_after(SESSION, struck)?;
        let time = self.wait(0.0, SESSION)?;
        self.field.ensemble.start_all()?;
        Ok(format!("{killed}; started again {time:.2?} later"))
    }

    /// Two reigns end while the first leader sleeps.
    pub(super) fn kill_leader_under_frozen_leader(&mut self, struck: &mut Struck) -> Result<String> {
        let first = self.before.leader;
        self.field.places[first].signal(Signal::STOP)?;
        let killed = self.next_leader().and_then(|second| self.kill_master(second, struck));
        let time = self.wait(0.0, SESSION);
        self.field.places[first].signal(Signal::CONT)?;
        Ok(format!("{}; {} woken {:.2?} later", killed?, self.field.places[first].id, time?))
    }

    pub(super) fn hand_over(&mut self, struck: &mut Struck) -> String {
        let leader = &self.field.places[self.before.leader];
        if let Err(e) = leader.hand_over() {
            struck.violations.push(format!("{e:#}"));
        }
        format!("from {}", leader.id)
    }

    /// Handed over to somebody who dies in that moment.
    pub(super) fn kill_successor(&mut self, struck: &mut Struck) -> Result<String> {
        let from = self.hand_over(struck);
        let successor = self.next_leader()?;
        Ok(format!("{from} to {}", self.kill_master(successor, struck)?))
    }
}
