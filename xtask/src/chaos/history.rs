//! Who led, as ZooKeeper's znode says: seen by a session of our own, beside the cluster's.

use crate::clock;
use alloc::sync::Arc;
use anyhow::{Context as _, Result};
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use serde::Deserialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_services::zookeeper::Shell;

/// A node that takes longer is given up for another.
const LIMIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// What was published, and when we saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Since boot; it was published a little earlier.
    pub(super) at: Duration,
    /// The transaction that wrote it.
    pub(super) zxid: u64,
    pub(super) said: Said,
}

/// The content of the znode.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) epoch: u64,
    /// The leader's lock node; empty if nobody leads.
    pub(super) lock: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Said {
    pub(super) const fn is_leader(&self) -> bool {
        !self.lock.is_empty()
    }
}

/// All that was seen, in the order of the transactions.
#[derive(Debug, Default)]
struct Seen {
    records: Vec<Record>,
    violations: Vec<String>,
}

/// Watches the znode in a thread of its own.
#[derive(Debug)]
pub(super) struct History {
    seen: Arc<Mutex<Seen>>,
    end: Arc<AtomicBool>,
}

impl History {
    /// Begins to watch `path` on whichever of the nodes answers.
    pub(super) fn of(path: &str, nodes: Vec<SocketAddr>) -> Self {
        let (seen, end) = (Arc::default(), Arc::default());
        let watcher = Watcher { path: path.to_owned(), seen: Arc::clone(&seen), end: Arc::clone(&end) };
        std::thread::spawn(move || watcher.run(&nodes));
        Self { seen, end }
    }

    /// What was published last.
    pub(super) fn last(&self) -> Option<Record> {
        lock(&self.seen).records.last().cloned()
    }

    /// What was seen from `since` on.
    pub(super) fn from(&self, since: Duration) -> Vec<Record> {
        lock(&self.seen).records.iter().filter(|record| record.at >= since).cloned().collect()
    }

    /// A reign that began before a process that started at `start`, and is later than `epoch`.
    pub(super) fn later_than(&self, epoch: u64, start: Duration) -> Option<Record> {
        let seen = lock(&self.seen);
        seen.records.iter().find(|record| record.said.epoch > epoch && record.at < start).cloned()
    }

    /// What was against the laws since the last call.
    pub(super) fn take_violations(&self) -> Vec<String> {
        core::mem::take(&mut lock(&self.seen).violations)
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Watcher {
    path: String,
    seen: Arc<Mutex<Seen>>,
    end: Arc<AtomicBool>,
}

impl Watcher {
    fn run(&self, nodes: &[SocketAddr]) {
        let mut zxid = 0;
        // Nodes die and freeze: the next one may answer.
        for &node in nodes.iter().cycle() {
            if self.end.load(Ordering::Acquire) {
                return;
            }
            if self.watch(node, &mut zxid).is_err() {
                clock::let_pass(PAUSE);
            }
        }
    }

    /// Watches on one node, which must not lag behind what was seen on another, until it fails.
    fn watch(&self, node: SocketAddr, zxid: &mut u64) -> Result<()> {
        let mut shell = Shell::connect_after(*zxid, node, LIMIT)?;
        while !self.end.load(Ordering::Acquire) {
            let znode = shell.watch(&self.path)?;
            let at = clock::now();
            *zxid = shell.zxid();
            if let Some(znode) = znode {
                self.note(at, znode.written, &znode.data);
            }
            // A node that has frozen says nothing: it is asked again each second.
            shell.changed(clock::now() + LIMIT)?;
        }
        Ok(())
    }

    fn note(&self, at: Duration, zxid: u64, data: &[u8]) {
        let mut seen = lock(&self.seen);
        if seen.records.last().is_some_and(|last| last.zxid >= zxid) {
            return;
        }
        // Empty, when it has just been made.
        let said = if data.is_empty() { Ok(Said::default()) } else { serde_json::from_slice(data) };
        let said = match said.with_context(|| format!("{} holds {data:?}", self.path)) {
            Ok(said) => said,
            Err(e) => return seen.violations.push(format!("{e:#}")),
        };
        let wrong = seen.records.last().and_then(|last| broken(&last.said, &said));
        seen.violations.extend(wrong);
        seen.records.push(Record { at, zxid, said });
    }
}

/// Law 1: epochs never shrink, and grow exactly if somebody else leads.
fn broken(before: &Said, after: &Said) -> Option<String> {
    if after.epoch < before.epoch {
        return Some(format!("the epoch shrank: {before:?}, then {after:?}"));
    }
    if !after.is_leader() || !before.is_leader() && after.epoch > before.epoch {
        return None;
    }
    match (after.lock == before.lock, after.epoch == before.epoch) {
        (true, false) => Some(format!("the epoch grew under one leader: {before:?}, then {after:?}")),
        (false, true) => Some(format!("two leaders in one epoch: {before:?}, then {after:?}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(epoch: u64, lock: &str) -> Said {
        Said { epoch, lock: lock.to_owned(), ..Said::default() }
    }

    #[test]
    fn epochs_grow_with_each_leader_and_never_else() {
        for (before, after) in [
            (said(1, "a"), said(2, "b")),
            (said(1, "a"), said(1, "a")),
            (said(1, "a"), said(1, "")),
            (said(1, ""), said(2, "a")),
            (said(1, "a"), said(3, "b")),
        ] {
            assert_eq!(broken(&before, &after), None);
        }
        for (before, after) in [
            (said(2, "a"), said(1, "b")),
            (said(2, "a"), said(1, "")),
            (said(2, "a"), said(2, "b")),
            (said(2, "a"), said(3, "a")),
            (said(2, ""), said(2, "a")),
        ] {
            assert!(broken(&before, &after).is_some(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn the_leaders_json_and_a_vacancy_are_read() {
        let text =
            br#"{"id":"m","host":"127.0.0.11","port":3005,"epoch":7,"lock":"m-0000000003","nonce":"x"}"#;
        let leader: Said = serde_json::from_slice(text).expect("a leader");
        assert_eq!((leader.epoch, &*leader.lock, leader.port), (7, "m-0000000003", 3005));
        let vacancy: Said = serde_json::from_slice(br#"{"epoch":7,"successor":"b-1"}"#).expect("a vacancy");
        assert!(!vacancy.is_leader() && vacancy.epoch == 7);
    }
}
