//! What all parts of one coordinator share.

use super::lease::{Lease, Terms};
use super::process::Process;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_core::coordinator::Epoch;
use tangelo_core::runtime::Runtime;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) run_dir: PathBuf,
    pub(super) terms: Terms,
    pub(super) process: Process,
    /// The highest epoch met, in case the files that say so are removed.
    epoch: AtomicU64,
    /// The last lease met, for the same case.
    lease: Mutex<Option<Lease>>,
}

impl Context {
    pub(super) fn new(runtime: Arc<dyn Runtime>, run_dir: PathBuf, terms: Terms, process: Process) -> Self {
        Self { runtime, run_dir, terms, process, epoch: AtomicU64::new(0), lease: Mutex::new(None) }
    }

    pub(super) fn epoch_seen(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    pub(super) fn saw_epoch(&self, epoch: Epoch) {
        self.epoch.fetch_max(epoch.0, Ordering::AcqRel);
    }

    pub(super) fn last_seen(&self) -> Option<Lease> {
        lock(&self.lease).clone()
    }

    pub(super) fn saw_lease(&self, lease: &Lease) {
        self.saw_epoch(lease.epoch);
        *lock(&self.lease) = Some(lease.clone());
    }
}

/// Locks a mutex that guards plain values: a panic elsewhere leaves them whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
