//! Whether ZooKeeper itself answers: on a busy machine it may stand still without any fault of ours.

use super::place::SESSION;
use crate::clock;
use alloc::sync::Arc;
use anyhow::Result;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_services::zookeeper::Shell;

const ZNODE: &str = "/pulse";
const EVERY: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(1);

/// A leader asks ZooKeeper for a proof of its session every sixth of the timeout, and leads no longer three
/// fifths after the last one: a silence that begins unluckily costs it the leadership after two fifths. Ours is heard a
/// little later, and seen a little shorter.
pub(super) fn is_costly(silence: Duration) -> bool {
    silence > SESSION.mul_f64(0.3)
}

/// Writes to a znode of its own again and again, through each of the nodes, in a thread for each.
#[derive(Debug)]
pub(super) struct Pulse(Vec<Arc<Beats>>);

#[derive(Debug, Default)]
struct Beats {
    /// When writes were answered.
    answered: Mutex<Vec<Duration>>,
    end: AtomicBool,
}

impl Pulse {
    /// Begins to write through all `nodes`.
    pub(super) fn of(nodes: &[SocketAddr]) -> Self {
        let begun = |&node: &SocketAddr| {
            let beats: Arc<Beats> = Arc::default();
            let thread = Arc::clone(&beats);
            std::thread::spawn(move || thread.run(node));
            beats
        };
        Self(nodes.iter().map(begun).collect())
    }

    /// How long one of the nodes has been without an answer since `since`, at most.
    pub(super) fn longest_silence(&self, since: Duration) -> Duration {
        let now = clock::now();
        self.0.iter().map(|beats| longest(&beats.answered(), since, now)).max().unwrap_or_default()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.iter().for_each(|beats| beats.end.store(true, Ordering::Release));
    }
}

impl Beats {
    fn run(&self, node: SocketAddr) {
        while !self.end.load(Ordering::Acquire) {
            if self.beat(node).is_err() {
                clock::let_pass(EVERY);
            }
        }
    }

    /// Writes through the node until it fails.
    fn beat(&self, node: SocketAddr) -> Result<()> {
        let mut shell = Shell::connect(node, LIMIT)?;
        shell.create(ZNODE, b"")?;
        while !self.end.load(Ordering::Acquire) {
            shell.set(ZNODE, b"")?;
            self.answered().push(clock::now());
            clock::let_pass(EVERY);
        }
        Ok(())
    }

    fn answered(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest time without an answer from `since` to `until`.
fn longest(answered: &[Duration], since: Duration, until: Duration) -> Duration {
    let within = answered.iter().copied().filter(|at| (since..until).contains(at));
    let mut last = since;
    let gaps = within.chain([until]).map(|at| {
        let gap = at.saturating_sub(last);
        last = at;
        gap
    });
    gaps.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_at_both_ends_and_between() {
        let at = |ms: &[u64]| ms.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        let longest = |answered: &[u64]| {
            longest(&at(answered), Duration::from_millis(100), Duration::from_millis(200)).as_millis()
        };
        assert_eq!(longest(&[]), 100);
        assert_eq!(longest(&[50, 110, 150, 190, 250]), 40);
        assert_eq!(longest(&[50, 110, 120, 250]), 80);
        assert_eq!(longest(&[160]), 60);
    }
}
