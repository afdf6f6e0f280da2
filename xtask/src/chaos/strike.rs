//! Does a fault to the cluster, and ends it.

use super::fault::{Fault, Span};
use super::field::{Field, Whole};
use super::place::{GRACE, SESSION, SILENCE};
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
            Fault::KillLeaderAndGuard => {
                kill(self.before.guards[leader])?;
                self.kill_master(leader, &mut struck)?
            }
            Fault::FreezeLeader(span) => self.freeze_master(leader, span)?,
            Fault::FreezeStandby => {
                let span =
                    *self.random.choice([Span::Short, Span::About, Span::Long].iter()).unwrap_or(&Span::Long);
                self.freeze_master(standby, span)?
            }
            Fault::KillGuard => {
                let place = self.random.usize(..self.before.guards.len());
                kill(self.before.guards[place])?;
                format!("that of {}", self.field.places[place].id)
            }
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
            Fault::KillLeaderWithoutZooKeeperLeader => {
                let node = self.node(true)?;
                self.field.ensemble.kill(node)?;
                self.wait(0.0, SESSION.mul_f64(0.3))?;
                let what = self.kill_master(leader, &mut struck)?;
                self.field.ensemble.start_node(node)?;
                format!("{what}; node {node}")
            }
            Fault::KillLeaderAndServer => {
                let server = self.kill_server(&mut struck)?;
                format!("{}; {server}", self.kill_master(leader, &mut struck)?)
            }
            Fault::KillLeaderUnderFrozenLeader => self.kill_under_frozen(&mut struck)?,
            Fault::HandOver => {
                if let Err(e) = self.field.places[leader].hand_over() {
                    struck.violations.push(format!("{e:#}"));
                }
                format!("from {}", self.field.places[leader].id)
            }
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

    fn kill_master(&mut self, place: usize, struck: &mut Struck) -> Result<String> {
        self.field.places[place].kill()?;
        struck.masters.insert(place);
        let after = self.wait(0.0, Duration::from_millis(1500))?;
        self.field.places[place].start()?;
        Ok(format!("{}, started again {after:.2?} later", self.field.places[place].id))
    }

    fn freeze_master(&mut self, place: usize, span: Span) -> Result<String> {
        self.field.places[place].signal(Signal::STOP)?;
        let time = self.wait_span(span, SESSION);
        // Whatever happened: nothing stays frozen.
        self.field.places[place].signal(Signal::CONT)?;
        Ok(format!("{} for {:.2?}", self.field.places[place].id, time?))
    }

    fn freeze_guard(&mut self) -> Result<String> {
        let place = self.random.usize(..self.before.guards.len());
        let guard = self.before.guards[place];
        signal(guard, Signal::STOP)?;
        let time = self.wait(0.1, SESSION * 2);
        // Its master may have replaced it, which ends it.
        let _ = signal(guard, Signal::CONT);
        Ok(format!("that of {} for {:.2?}", self.field.places[place].id, time?))
    }

    fn cut_from_zookeeper(&mut self, place: usize, span: Span, severed: bool) -> Result<String> {
        if severed {
            self.field.places[place].sever_zookeeper();
        } else {
            self.field.places[place].cut_zookeeper();
        }
        let time = self.wait_span(span, SESSION);
        self.field.places[place].mend_zookeeper()?;
        Ok(format!("{} for {:.2?}", self.field.places[place].id, time?))
    }

    fn cut_from_servers(&mut self, place: usize) -> Result<String> {
        let (network, host) = (self.field.network, self.field.places[place].host());
        network.cut(host)?;
        // Servers must have the time to come back before they are given up.
        let time = self.wait(0.2, SILENCE + GRACE.mul_f64(0.2));
        network.mend(host)?;
        Ok(format!("{} for {:.2?}", self.field.places[place].id, time?))
    }

    /// ZooKeeper's leader or a follower.
    fn node(&mut self, leader: bool) -> Result<usize> {
        let leads = self.field.ensemble.await_leader(LIMIT)?;
        let others = (0..self.field.ensemble.nodes()).filter(|&node| node != leads);
        if leader {
            Ok(leads)
        } else {
            self.random.choice(others.collect::<Vec<_>>()).context("one node alone")
        }
    }

    fn kill_node(&mut self, leader: bool) -> Result<String> {
        let node = self.node(leader)?;
        self.field.ensemble.kill(node)?;
        let time = self.wait(0.1, SESSION)?;
        self.field.ensemble.start_node(node)?;
        Ok(format!("node {node}, started again {time:.2?} later"))
    }

    fn freeze_node(&mut self, leader: bool) -> Result<String> {
        let node = self.node(leader)?;
        self.field.ensemble.freeze(node)?;
        let time = self.wait(0.2, SESSION * 2);
        self.field.ensemble.thaw(node)?;
        Ok(format!("node {node} for {:.2?}", time?))
    }

    fn restart_zookeeper(&mut self) -> Result<String> {
        self.field.ensemble.stop_all()?;
        let time = self.wait(0.0, SESSION * 2)?;
        self.field.ensemble.start_all()?;
        Ok(format!("started again {time:.2?} later"))
    }

    fn server(&mut self) -> Result<String> {
        let fit = self.before.servers.keys().filter(|id| !self.spared.contains(id));
        self.random.choice(fit.cloned().collect::<Vec<_>>()).context("every server was hit lately")
    }

    fn kill_server(&mut self, struck: &mut Struck) -> Result<String> {
        let id = self.server()?;
        kill(self.before.servers[&id].pid)?;
        struck.server = Some(id.clone());
        Ok(id)
    }

    fn freeze_server(&mut self, span: Span, struck: &mut Struck) -> Result<String> {
        let id = self.server()?;
        let pid = self.before.servers[&id].pid;
        signal(pid, Signal::STOP)?;
        let time = self.wait_span(span, SILENCE + GRACE);
        // It may have been replaced.
        let _ = signal(pid, Signal::CONT);
        if span != Span::Short {
            struck.server = Some(id.clone());
        }
        Ok(format!("{id} for {:.2?}", time?))
    }

    /// Two reigns end while the first leader sleeps.
    fn kill_under_frozen(&mut self, struck: &mut Struck) -> Result<String> {
        let first = self.before.leader;
        self.field.places[first].signal(Signal::STOP)?;
        let second = self.next_leader();
        let killed = second.and_then(|second| self.kill_master(second, struck));
        let time = self.wait(0.0, SESSION);
        self.field.places[first].signal(Signal::CONT)?;
        let woken = time?;
        Ok(format!("{} frozen, {}; woken {woken:.2?} later", self.field.places[first].id, killed?))
    }

    /// Waits until another master than that of before leads.
    fn next_leader(&mut self) -> Result<usize> {
        let (field, before) = (&*self.field, &self.before.said);
        clock::poll_until(clock::now() + LIMIT, Duration::from_millis(5), || {
            let said = field.history.last().map(|record| record.said).unwrap_or_default();
            if !said.is_leader() || said.epoch <= before.epoch {
                bail!("nobody has come after {before:?}");
            }
            let place = field.places.iter().position(|place| place.host().to_string() == said.host);
            place.with_context(|| format!("nobody is at {said:?}"))
        })
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
