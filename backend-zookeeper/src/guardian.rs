//! The guard of this process, kept while it stands for election or leads.

use crate::command::GuardCommand;
use crate::config::Settings;
use crate::guard::Guard;
use crate::sync::Mutex;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use tangelo_core::runtime::Runtime;

/// Starts a guard when it is needed and lets it go when it is not.
#[derive(Debug, Default)]
pub(crate) struct Guardian {
    command: Option<GuardCommand>,
    guard: Mutex<Weak<Guarded>>,
}

/// A guard with what it guards. Without a command there is none, and nothing happens.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    guard: Option<Guard>,
    held: Mutex<BTreeSet<String>>,
}

impl Guardian {
    pub(crate) fn new(command: GuardCommand) -> Self {
        Self { command: Some(command), ..Self::default() }
    }

    /// The guard, started if there is none yet; it is kept as long as one of these is. To be called inside the runtime.
    pub(crate) fn guard(&self, runtime: &Arc<dyn Runtime>, settings: &Settings) -> Arc<Guarded> {
        let mut current = self.guard.lock();
        if let Some(guarded) = current.upgrade() {
            return guarded;
        }
        let start = |command| Guard::start(Arc::clone(runtime), command, settings.config());
        let guarded = Arc::new(Guarded { guard: self.command.clone().map(start), held: Mutex::default() });
        *current = Arc::downgrade(&guarded);
        guarded
    }
}

impl Guarded {
    /// This process holds the lock node at `path`, which its session `owner` owns.
    pub(crate) fn hold(&self, path: &str, owner: i64) {
        if let Some(guard) = &self.guard {
            self.held.lock().insert(path.into());
            guard.hold(path, owner);
        }
    }

    /// The lock node at `path` is known to be gone.
    pub(crate) fn release(&self, path: &str) {
        if let Some(guard) = &self.guard {
            let mut held = self.held.lock();
            // The guard knows its holds as a whole; one that is gone does no harm beside others.
            if held.remove(path) && held.is_empty() {
                guard.release();
            }
        }
    }
}
