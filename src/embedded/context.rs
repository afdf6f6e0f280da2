//! What all parts of one coordinator share.

use super::lease::{Lease, Terms};
use super::process::Process;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::PathBuf;
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
        self.lease.lock().clone()
    }

    pub(super) fn saw_lease(&self, lease: &Lease) {
        self.saw_epoch(lease.epoch);
        *self.lease.lock() = Some(lease.clone());
    }
}
