//! The processes that a supervisor knows.

use super::watched::Watched;
use crate::process::{Exit, ProcessRef};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many ends are remembered for a `wait` that comes late. A supervisor that restarts a server a
/// million times needs no more memory than this.
const ENDS: usize = 1024;

/// Names a process on this host.
type Key = (u32, u64);

fn key(process: &ProcessRef) -> Key {
    (process.pid, process.start_time)
}

#[derive(Debug, Default)]
pub(super) struct Table(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    running: HashMap<Key, Arc<Watched>>,
    ended: VecDeque<(Key, Exit)>,
}

/// What a table knows of a process.
#[derive(Debug)]
pub(super) enum Known {
    Running(Arc<Watched>),
    Ended(Exit),
}

impl Table {
    pub(super) fn find(&self, process: &ProcessRef) -> Option<Known> {
        let inner = self.lock();
        let key = key(process);
        if let Some(watched) = inner.running.get(&key) {
            return Some(Known::Running(Arc::clone(watched)));
        }
        inner.ended.iter().find(|(ended, _)| *ended == key).map(|&(_, exit)| Known::Ended(exit))
    }

    /// Adds a process, unless it is there already.
    pub(super) fn add(&self, watched: &Arc<Watched>) -> bool {
        let mut inner = self.lock();
        let key = key(watched.process());
        if inner.running.contains_key(&key) {
            return false;
        }
        inner.running.insert(key, Arc::clone(watched));
        true
    }

    /// Adds a child of ours. If it was so quick that somebody has adopted it before its launch
    /// returned, this takes the place of that: only the parent is told how it ends.
    pub(super) fn add_child(&self, watched: &Arc<Watched>) {
        self.lock().running.insert(key(watched.process()), Arc::clone(watched));
    }

    /// Notes the end of a process; of one that was added twice, only from whoever was added last.
    pub(super) fn end(&self, watched: &Arc<Watched>, exit: Exit) {
        let mut inner = self.lock();
        let key = key(watched.process());
        if inner.running.get(&key).is_some_and(|known| Arc::ptr_eq(known, watched)) {
            inner.running.remove(&key);
            inner.note(key, exit);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn note(&mut self, key: Key, exit: Exit) {
        if self.ended.len() == ENDS {
            self.ended.pop_front();
        }
        self.ended.push_back((key, exit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ends_are_remembered_and_no_more() {
        let process = |pid| ProcessRef { host: "here".into(), pid, start_time: 7 };
        let table = Table::default();
        for pid in 0..5000 {
            table.lock().note((pid, 7), Exit::Code(0));
        }
        assert!(table.find(&process(5000 - 1025)).is_none());
        assert!(matches!(table.find(&process(5000 - 1024)), Some(Known::Ended(Exit::Code(0)))));
        assert_eq!(table.lock().ended.len(), ENDS);
    }
}
