//! kill -9 of a process → its successor's `main` runs.

use super::Plan;
use crate::bench::peers::{Bed, Peer, pid};
use crate::bench::scratch;
use crate::bench::stamps::Stamps;
use crate::clock;
use anyhow::{Context as _, Result};
use core::time::Duration;
use rustix::process::{Signal, kill_process};

/// How long a process must have lived before it is killed: supervisors treat those that end within
/// a second differently.
const AGE: Duration = Duration::from_millis(1300);
/// At least this long between two kills, so that the machine comes to rest.
const PAUSE: Duration = Duration::from_millis(150);
/// A successor that comes later than this is none.
const LIMIT: Duration = Duration::from_secs(20);

/// What was measured of a peer.
pub(crate) struct Measured {
    /// Milliseconds.
    pub(crate) latencies: Vec<f64>,
    /// Of the supervisor's own processes together, in MiB.
    pub(crate) rss: f64,
}

/// Starts `peer` in a directory of its own, and kills its children one after the other.
pub(crate) fn measure(peer: &dyn Peer, plan: &Plan) -> Result<Measured> {
    let dir = scratch::Dir::new("restart")?;
    let mut stamps = Stamps::create(dir.path())?;
    let bed_dir = dir.path().join("peer");
    std::fs::create_dir(&bed_dir)?;
    let bed = Bed { dir: &bed_dir, child: &plan.child, stamps: &stamps, children: peer.children() };
    let running = peer.start(&bed)?;
    let rounds = if peer.is_slow() { plan.slow_rounds } else { plan.rounds };
    let own = running.pids();
    let result = kill_in_turn(&mut stamps, &own, peer.children(), rounds);
    let rss = own.iter().filter_map(|&pid| crate::bench::procfs::rss_mib(pid)).sum();
    running.stop()?;
    let latencies = result.with_context(|| format!("{}, see {}", peer.name(), dir.path().display()))?;
    dir.remove();
    Ok(Measured { latencies, rss })
}

/// `own` are the supervisor's processes, which may note a start, too.
fn kill_in_turn(stamps: &mut Stamps, own: &[u32], children: usize, rounds: usize) -> Result<Vec<f64>> {
    let deadline = clock::now() + Duration::from_secs(60);
    let mut alive = Vec::with_capacity(children);
    while alive.len() < children {
        let stamp =
            stamps.next(deadline).with_context(|| format!("{} of {children} started", alive.len()))?;
        if !own.contains(&stamp.pid) {
            alive.push(stamp);
        }
    }
    clock::let_pass(Duration::from_millis(500));
    let mut latencies = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let victim = &mut alive[round % children];
        let rest = (victim.at + AGE).saturating_sub(clock::now());
        clock::let_pass(rest.max(PAUSE));
        let pid = pid(victim.pid).context("a stamp without a pid")?;
        let killed = clock::now();
        kill_process(pid, Signal::KILL).context("the process is gone already")?;
        let successor = stamps.next(killed + LIMIT).context("no successor")?;
        latencies.push(successor.at.saturating_sub(killed).as_secs_f64() * 1e3);
        *victim = successor;
    }
    Ok(latencies)
}
