//! The guard: a child process of every master, which ends the master's leadership as soon as the master is dead.
//!
//! ZooKeeper itself learns of a death only when the session runs out, seconds later. The guard has a session of
//! its own and waits for the master's end on a pidfd; then it deletes the master's lock node, if it is still owned by the
//! session that the master told it.
//!
//! ```text
//! master: Guard ── supervise ── Child ══ socket, the guard's stdin ══ run_guard ── Master (pidfd)
//!                                        assignment, orders →            └─────── Keeper (session) ── remove
//!                                                      ← answers
//! ```
//!
//! - The first line is the assignment: the master's pid and start time, where ZooKeeper is, the credentials. Nothing
//!   of it is in an argument, the environment or on disk.
//! - Each order names all that the master holds. Orders are also how the master asks whether its guard lives: one that does
//!   not answer is killed and replaced, as is one that ends.
//! - What the master has held before stays in the orders until it is [released](Guard::release): an old node belongs to an
//!   old session of this same process, so it must go with it too, and it might still be the one that is published.
//! - A guard acts only on the death of the process. If the line to it is cut and the master lives on, it leaves.
//! - What ends both at once (the machine, a container, a control group) leaves it to the session.

mod child;
mod connect;
mod keeper;
mod link;
mod master;
mod orders;
mod pace;
mod removal;
mod run;
mod shared;
mod supervise;
mod time;

pub use run::run_guard;

use crate::GuardCommand;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use orders::Hold;
use pace::Pace;
use shared::Shared;
use supervise::supervise;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::runtime::Runtime;

/// The guard of this process, for as long as this lives.
///
/// Nothing here waits for anything: a guard that cannot be started, or is slow, costs its master nothing but the
/// guard's service.
#[derive(Debug)]
pub(crate) struct Guard {
    shared: Arc<Shared>,
}

impl Guard {
    /// Starts a guard with `command` and keeps one running. To be called inside the runtime.
    pub(crate) fn start(runtime: Arc<dyn Runtime>, command: GuardCommand, config: &ZooKeeperConfig) -> Self {
        Self::with_pace(runtime, command, config, Pace::default())
    }

    fn with_pace(
        runtime: Arc<dyn Runtime>,
        command: GuardCommand,
        config: &ZooKeeperConfig,
        pace: Pace,
    ) -> Self {
        let shared = Arc::<Shared>::default();
        let supervised = supervise(Arc::clone(&shared), Arc::clone(&runtime), command, config.clone(), pace);
        runtime.spawn(Box::pin(supervised));
        Self { shared }
    }

    /// This process holds the lock node `lock`, which is owned by its session `session`. If it is killed as soon
    /// as this has returned, a guard that runs knows of it.
    pub(crate) fn hold(&self, lock: impl Into<String>, session: i64) {
        self.shared.hold(Hold { lock: lock.into(), session });
    }

    /// The lock nodes are known to be gone: there is nothing to guard until the next [`hold`](Self::hold).
    pub(crate) fn release(&self) {
        self.shared.release();
    }
}

/// Lets the guard go. If nothing is held it ends at once; else it stays a while, in case the process ends
/// before it could delete its nodes itself.
impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.close();
    }
}

#[cfg(test)]
mod tests;
