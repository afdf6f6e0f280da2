//! A standby watches the lease, and kills a leader that holds the lock past it.

use super::context::Context;
use super::dir::{LEASE, LOCK};
use super::lease::{self, Lease, Reading};
use super::waiter::Waiting;
use core::time::Duration;
use std::fs::{File, TryLockError};
use std::path::Path;
use tangelo_core::Instant;

/// Watches for one campaign.
#[derive(Debug)]
pub(super) struct Standby<'a> {
    context: &'a Context,
    /// When the next look was meant to be: much later shows that we slept ourselves.
    due: Instant,
    /// The lease that was let pass for that reason.
    excused: Option<u64>,
    /// Since when the lock is held and nobody can tell by whom.
    unknown_since: Option<Instant>,
    /// The reign about which the log has a line already.
    told: Option<u64>,
}

impl<'a> Standby<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context, due: Instant::now(), excused: None, unknown_since: None, told: None }
    }

    /// Watches until the lock that `waiting` waits for has been replaced by another file.
    pub(super) async fn watch(&mut self, waiting: &Waiting<'_>) {
        // The lock may be ours at once, so the first look can wait.
        let mut pause = self.context.terms.margin().min(Duration::from_millis(50));
        loop {
            self.due = Instant::now() + pause;
            self.context.runtime.sleep(pause).await;
            if waiting.is_replaced() {
                return;
            }
            pause = self.look().max(Duration::from_millis(1));
        }
    }

    /// Looks at the lease, acts, and says when to look again.
    fn look(&mut self) -> Duration {
        let Context { terms, run_dir, process, .. } = self.context;
        let now = Instant::now();
        let lease = match lease::read(&run_dir.join(LEASE)) {
            Ok(Reading::Known(lease)) if lease.held && lease.process.same_boot(process) => lease,
            // A new leader writes within a moment of getting the lock; or nobody leads and we are next.
            _ => {
                self.complain_about_unknown(now);
                return terms.renew_every();
            }
        };
        self.unknown_since = None;
        self.context.saw_lease(&lease);
        if now < lease.deadline() {
            return lease.deadline().saturating_since(now).min(terms.lease);
        }
        // If we slept too (the host was suspended, or all of us stopped), the leader gets the chance
        // to notice and to let go by itself. Once.
        if now.saturating_since(self.due) < terms.margin() || self.excused == Some(lease.deadline_ns) {
            self.end(&lease);
        } else {
            self.excused = Some(lease.deadline_ns);
        }
        terms.renew_every()
    }

    fn end(&mut self, lease: &Lease) {
        let Context { process: me, run_dir, .. } = self.context;
        let path = run_dir.join(LEASE);
        if lease.process == *me {
            // Another coordinator of this very process: its own timer makes it let go.
            return;
        }
        let first = self.told.replace(lease.token) != Some(lease.token);
        let (pid, epoch) = (lease.process.pid, lease.epoch.0);
        if !lease.process.is_visible_to(me) {
            if first && is_locked(&run_dir.join(LOCK)) {
                tracing::error!(
                    epoch,
                    "the leader holds its lock past its lease and runs in another pid namespace; stop it there"
                );
            }
            return;
        }
        let unchanged = || {
            is_locked(&run_dir.join(LOCK))
                && matches!(lease::read(&path), Ok(Reading::Known(now)) if now == *lease)
        };
        match lease.process.kill(unchanged) {
            Ok(true) => tracing::warn!(pid, epoch, "killed the leader, which held its lock past its lease"),
            Ok(false) => {}
            Err(error) if first => tracing::error!(
                pid, epoch, %error,
                "the leader holds its lock past its lease and may not be killed by this user; end it by hand"
            ),
            Err(_) => {}
        }
    }

    fn complain_about_unknown(&mut self, now: Instant) {
        let since = *self.unknown_since.get_or_insert(now);
        let run_dir = &self.context.run_dir;
        if now.saturating_since(since) > self.context.terms.lease * 2
            && self.told.is_none()
            && is_locked(&run_dir.join(LOCK))
        {
            self.told = Some(0);
            tracing::error!(
                path = %run_dir.join(LOCK).display(),
                "a process holds the leader's lock without a lease; find it with `fuser` and end it"
            );
        }
    }
}

/// Whether anybody holds the lock of the file at `path`.
pub(super) fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
