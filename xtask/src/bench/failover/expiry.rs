//! A leader goes in a way that only ZooKeeper can notice: dead together with its guard, or frozen. Beside it,
//! what ZooKeeper alone takes to notice that a session has fallen silent.

use super::stage::{LIMIT, SESSION, Setting, Stage, guard_of, ms};
use crate::clock;
use anyhow::{Context as _, Error, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::thread::ScopedJoinHandle;
use tangelo_services::zookeeper::{Ensemble, Shell};

/// How the leader goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// kill -9, its guard first.
    WithItsGuard,
    /// SIGSTOP.
    Frozen,
}

/// So many clusters at once for each way: what is measured is mostly waiting.
const LANES: usize = 2;

/// Milliseconds until the standby's epoch is published, of `rounds` times, rounded up to a multiple of
/// the lanes.
pub(super) struct Expiries {
    pub(super) with_its_guard: Vec<f64>,
    pub(super) frozen: Vec<f64>,
    /// Milliseconds until the ephemeral znode of a bare session that has fallen silent is gone.
    pub(super) silent: Vec<f64>,
}

/// Lets the leaders of several clusters go.
pub(super) fn measure(setting: Setting<'_>, servers: usize, rounds: usize) -> Result<Expiries> {
    let rounds = rounds.div_ceil(LANES);
    let both = |way| {
        let lanes = (0..LANES).map(move |lane| (way, lane));
        lanes.map(|(way, lane)| move || go(setting, way, lane, servers, rounds)).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let [dead, frozen] = [Way::WithItsGuard, Way::Frozen]
            .map(|way| both(way).into_iter().map(|lane| scope.spawn(lane)).collect::<Vec<_>>());
        let silent = scope.spawn(move || silent(setting.ensemble, rounds * LANES));
        let join = |lanes: Vec<ScopedJoinHandle<'_, Result<Vec<f64>>>>| {
            let mut all = Vec::new();
            for lane in lanes {
                all.extend(lane.join().map_err(|_| anyhow!("a lane has panicked"))??);
            }
            Ok::<_, Error>(all)
        };
        let (with_its_guard, frozen) = (join(dead)?, join(frozen)?);
        Ok(Expiries { with_its_guard, frozen, silent: join(vec![silent])? })
    })
}

fn go(setting: Setting<'_>, way: Way, lane: usize, servers: usize, rounds: usize) -> Result<Vec<f64>> {
    let path = format!("/bench-{way:?}-{lane}");
    let mut stage = Stage::start(setting, &path, servers)?;
    let mut standby = stage.standby()?;
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let before = stage.observer.look()?;
        let leader = stage.leader.child.id();
        let guard = guard_of(leader)?;
        let begin = clock::now();
        match way {
            Way::WithItsGuard => {
                signal(guard, Signal::KILL)?;
                signal(leader, Signal::KILL)?;
            }
            Way::Frozen => signal(leader, Signal::STOP)?,
        }
        let over = stage.observer.change_over(&before, begin + LIMIT).with_context(|| stage.see())?;
        stage.registered(&mut standby, begin)?;
        times.push(ms(begin, over.published));
        core::mem::swap(&mut stage.leader, &mut standby);
        match way {
            Way::WithItsGuard => {
                standby.child.wait()?;
                if round + 1 < rounds {
                    standby = stage.standby()?;
                }
            }
            Way::Frozen => {
                signal(leader, Signal::CONT)?;
                standby.output.wait_for(&["standby: "], clock::now() + LIMIT).with_context(|| stage.see())?;
                stage.rest(&[stage.leader.child.id(), leader])?;
            }
        }
    }
    let others = if way == Way::Frozen { vec![standby] } else { Vec::new() };
    stage.stop(others)?;
    Ok(times)
}

/// The limit of any master whose session must tell: sessions of the same length on each node in turn, which say
/// nothing any more once they have made a znode.
fn silent(ensemble: &Ensemble, rounds: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let path = format!("/bench-silent-{round}");
        let address = ensemble.address(round % ensemble.nodes());
        let mut session = Shell::connect_for(SESSION, address, LIMIT)?;
        let mut watcher = Shell::connect(address, LIMIT)?;
        ensure!(session.create_ephemeral(&path, b"")?, "{path} exists");
        let begin = clock::now();
        ensure!(watcher.watch(&path)?.is_some(), "{path} is gone at once");
        ensure!(watcher.changed(begin + LIMIT)?, "{path} is there after {LIMIT:?}");
        times.push(ms(begin, clock::now()));
    }
    Ok(times)
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process without a pid")?;
    kill_process(pid, signal).with_context(|| format!("cannot signal process {pid:?}"))
}
