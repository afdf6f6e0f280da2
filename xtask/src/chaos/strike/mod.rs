//! Does a fault to the cluster, and ends it.

mod masters;
mod servers;
mod several;
mod zookeeper;

use super::fault::{Fault, Span};
use super::field::{Field, Whole};
use crate::clock;
use alloc::collections::BTreeSet;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use fastrand::Rng;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// How long ZooKeeper's nodes and masters may take to react before a second fault.
const LIMIT: Duration = Duration::from_secs(30);

/// What was done.
#[derive(Debug)]
pub(super) struct Struck {
    /// In words, with whom it hit.
    pub(super) what: String,
    /// Since boot.
    pub(super) began: Duration,
    /// When nothing was broken any more but what the cluster mends itself.
    pub(super) ended: Duration,
    /// The places whose masters were killed.
    pub(super) masters: BTreeSet<usize>,
    /// The server that was killed, or frozen for too long.
    pub(super) server: Option<String>,
    /// What went against the laws on the way.
    pub(super) violations: Vec<String>,
}

/// Strikes a cluster that is whole.
pub(super) struct Striker<'a> {
    pub(super) field: &'a mut Field,
    pub(super) before: &'a Whole,
    pub(super) random: &'a mut Rng,
    /// Servers that were hit lately: another crash would be restarted with a delay, on purpose.
    pub(super) spared: &'a [String],
}

impl Striker<'_> {
    /// Does it, and returns when it is over.
    pub(super) fn strike(mut self, fault: Fault) -> Result<Struck> {
        let leader = self.before.leader;
        let standby = self.standby();
        let mut struck = Struck {
            what: String::new(),
            began: clock::now(),
            ended: Duration::ZERO,
            masters: BTreeSet::new(),
            server: None,
            violations: Vec::new(),
        };
        struck.what = match fault {
            Fault::KillLeader => self.kill_master(leader, &mut struck)?,
            Fault::KillStandby => self.kill_master(standby, &mut struck)?,
            Fault::KillLeaderAndGuard => self.kill_leader_and_guard(&mut struck)?,
            Fault::FreezeLeader(span) => self.freeze_master(leader, span)?,
            Fault::FreezeStandby => {
                let span = self.random.choice([Span::Short, Span::About, Span::Long]).unwrap_or(Span::Long);
                self.freeze_master(standby, span)?
            }
            Fault::KillGuard => self.kill_guard()?,
            Fault::FreezeGuard => self.freeze_guard()?,
            Fault::CutLeaderFromZooKeeper(span) => self.cut_from_zookeeper(leader, span, false)?,
            Fault::SeverLeaderFromZooKeeper => self.cut_from_zookeeper(leader, Span::About, true)?,
            Fault::CutStandbyFromZooKeeper => self.cut_from_zookeeper(standby, Span::Long, false)?,
            Fault::CutLeaderFromServers => self.cut_from_servers(leader)?,
            Fault::KillZooKeeperFollower => self.kill_node(false)?,
            Fault::KillZooKeeperLeader => self.kill_node(true)?,
            Fault::FreezeZooKeeperFollower => self.freeze_node(false)?,
            Fault::FreezeZooKeeperLeader => self.freeze_node(true)?,
            Fault::RestartZooKeeper => self.restart_zookeeper()?,
            Fault::KillServer => self.kill_server(&mut struck)?,
            Fault::FreezeServer(span) => self.freeze_server(span, &mut struck)?,
            Fault::KillLeaderWithoutZooKeeperLeader => self.kill_two_leaders(&mut struck)?,
            Fault::KillLeaderAndServer => self.kill_leader_and_server(&mut struck)?,
            Fault::KillLeaderAndStandby => self.kill_leader_and_standby(standby, &mut struck)?,
            Fault::KillAllMasters => self.kill_all_masters(&mut struck)?,
            Fault::KillServerUnderFrozenLeader => self.kill_server_under_frozen_leader(&mut struck)?,
            Fault::KillServerUnderCutLeader => self.kill_server_under_cut_leader(&mut struck)?,
            Fault::KillServerWithoutZooKeeper => self.kill_server_without_zookeeper(&mut struck)?,
            Fault::KillLeaderUnderFrozenLeader => self.kill_leader_under_frozen_leader(&mut struck)?,
            Fault::KillSuccessor => self.kill_successor(&mut struck)?,
            Fault::HandOver => self.hand_over(&mut struck),
        };
        struck.ended = clock::now();
        Ok(struck)
    }

    fn standby(&mut self) -> usize {
        let standbys = (0..self.field.places.len()).filter(|&place| place != self.before.leader);
        self.random.choice(standbys.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// Lets a random time pass, and gives it.
    fn wait(&mut self, least_seconds: f64, spread: Duration) -> Result<Duration> {
        let time = Duration::from_secs_f64(least_seconds) + spread.mul_f64(self.random.f64());
        self.field.watch_for(time)?;
        Ok(time)
    }

    /// Lets a time pass beside `limit`, after which others take something for dead.
    fn wait_span(&mut self, span: Span, limit: Duration) -> Result<Duration> {
        let (least, spread) = match span {
            Span::Short => (0.03, 0.22),
            Span::About => (0.6, 0.8),
            Span::Long => (1.7, 0.8),
        };
        self.wait(limit.as_secs_f64() * least, limit.mul_f64(spread))
    }
}

/// Kills a process that is no child of ours, and waits for its end.
fn kill(pid: u32) -> Result<()> {
    let number = Pid::from_raw(i32::try_from(pid)?).context("pid 0")?;
    let pidfd = pidfd_open(number, PidfdFlags::empty()).with_context(|| format!("process {pid} is gone"))?;
    pidfd_send_signal(&pidfd, Signal::KILL).with_context(|| format!("cannot kill process {pid}"))?;
    if !clock::readable_before(&pidfd, clock::now() + LIMIT)? {
        bail!("process {pid} does not end");
    }
    Ok(())
}

/// Signals a process that is no child of ours. Those that are whole were seen a moment ago.
fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("pid 0")?;
    kill_process(pid, signal).with_context(|| format!("cannot signal process {}", pid.as_raw_nonzero()))
}
