//! The leader's lock, and what its holder does to begin and to end a reign.

use super::candidates::Courtesy;
use super::candidates::{self, Entry, Precedence};
use super::context::Context;
use super::dir::{EPOCH, FileId, LEADER, LEADER_DIR, LEASE, LOCK, RunDir, STATE, SUCCESSOR, id_of};
use super::epoch;
use super::lease::{self, Lease, Reading};
use super::published;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::File;
use tangelo_core::coordinator::{Candidate, Epoch, LeaderInfo};
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// The desired state is no larger than this, in bytes.
const STATE_LIMIT: u64 = 64 * 1024 * 1024;
/// A new leader that has published nothing yet may take this long to bring its epoch to a busy disk
/// (or the lease, if that is longer) before a standby kills it.
const BEGINNING: Duration = Duration::from_secs(10);
/// While it lets another go first, a candidate tries again after this long.
const DEFER: Duration = Duration::from_millis(3);
/// While the lease of a leader whose lock was removed runs on, a candidate looks again after this long.
const OUTSTANDING: Duration = Duration::from_millis(20);

/// What came of having the lock.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The candidate leads, until this moment if nothing is renewed.
    Won(Held, Instant),
    /// Not now; the lock was let go.
    Again(Duration),
    /// Another goes first; the lock was let go.
    Defer(Precedence, Duration),
}

/// The lock, while this process holds it. The lock goes when this is dropped, after the address was
/// taken back and the lease marked free, so whoever writes keeps it alive.
#[derive(Debug)]
pub(super) struct Held {
    context: Arc<Context>,
    dir: RunDir,
    _lock: File,
    lock_id: FileId,
    lease: File,
    token: u64,
    epoch: Epoch,
    given_back: AtomicBool,
}

impl Held {
    /// Makes the holder of `lock` the leader, if it is its turn: nothing is published before the
    /// new epoch is on the disk.
    pub(super) fn begin(
        context: &Arc<Context>,
        dir: RunDir,
        lock: File,
        entry: &Entry,
        courtesy: Courtesy,
    ) -> Result<Outcome> {
        let lock_id = id_of(&lock).map_err(|e| Error::io("examine the leader's lock", e))?;
        if !dir.has_at_path(LOCK, lock_id) {
            // Somebody removed the file: whoever locks the new one leads.
            return Ok(Outcome::Again(Duration::ZERO));
        }
        let lease = dir.open_file(LEASE)?;
        let last = lease::read_from(&lease).map_err(|e| Error::io("read run/lease", e))?;
        let last = if let Reading::Known(last) = last { Some(last) } else { context.last_seen() };
        if let Some(wait) = last.as_ref().and_then(|last| outstanding(context, last, lock_id)) {
            return Ok(Outcome::Again(wait));
        }
        let live = candidates::list(&context.run_dir)?;
        let chosen = candidates::chosen(&dir, &context.process);
        match candidates::precedence(&live, entry.path(), &entry.candidate, chosen.as_deref()) {
            Some(Precedence::Priority) if !courtesy.lasts() => {}
            Some(precedence) => return Ok(Outcome::Defer(precedence, DEFER)),
            None => {}
        }

        let published = published::read(&context.run_dir).ok().flatten().map_or(Epoch(0), |info| info.epoch);
        let floor = context.epoch_seen().max(published).max(last.map_or(Epoch(0), |last| last.epoch));
        let mut held = Self {
            context: Arc::clone(context),
            dir,
            _lock: lock,
            lock_id,
            lease,
            token: fastrand::u64(..),
            epoch: floor,
            given_back: AtomicBool::new(false),
        };
        let until = held.renew_for(context.terms.lease.max(BEGINNING))?;
        held.epoch = epoch::next(&held.dir, floor)?;
        context.saw_epoch(held.epoch);
        if Instant::now() >= until {
            // A standby may be about to kill us: not a good beginning.
            return Ok(Outcome::Again(Duration::ZERO));
        }
        let until = held.renew()?;
        held.dir.remove(SUCCESSOR)?;
        held.publish(&entry.candidate)?;
        held.verify()?;
        Ok(Outcome::Won(held, until))
    }

    /// The number of this reign.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Still the one that holds the lock at its path, in the last epoch?
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) if not.
    pub(super) fn verify(&self) -> Result<()> {
        if !self.dir.has_at_path(LOCK, self.lock_id) {
            let path = self.dir.path_of(LOCK);
            return Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "epoch {} is over: {} was removed or replaced under the leader",
                    self.epoch,
                    path.display()
                ),
            ));
        }
        Ok(())
    }

    /// Renews the lease from now on. Returns the moment when this leader has to stop.
    pub(super) fn renew(&self) -> Result<Instant> {
        self.renew_for(self.context.terms.lease)
    }

    fn renew_for(&self, lease: Duration) -> Result<Instant> {
        self.verify()?;
        let until = Instant::now() + lease;
        self.record(true, until).map_err(|e| {
            Error::io(format_args!("renew the lease in {}", self.dir.path_of(LEASE).display()), e)
        })?;
        Ok(until.saturating_sub(self.context.terms.margin()))
    }

    fn record(&self, held: bool, until: Instant) -> std::io::Result<()> {
        let lease = Lease {
            token: self.token,
            epoch: self.epoch,
            held,
            lock: self.lock_id,
            process: self.context.process.clone(),
            deadline_ns: u64::try_from(until.since_boot().as_nanos()).unwrap_or(u64::MAX),
        };
        lease.write(&self.lease)
    }

    fn publish(&self, candidate: &Candidate) -> Result<()> {
        let Candidate { id, host, port, .. } = candidate.clone();
        let json = serde_json::to_vec(&LeaderInfo { id, host, port, epoch: self.epoch }).map_err(|e| {
            Error::new(ErrorKind::Invalid, "an address that cannot be written as JSON").with_source(e)
        })?;
        self.dir.ensure_dir(LEADER_DIR)?;
        self.dir.replace(LEADER, &json, false)
    }

    /// Replaces the desired state. `over` says at the last moment whether the reign is over. As long
    /// as this runs nobody else gets the lock, so a later leader's state is never overwritten.
    pub(super) fn store(&self, state: &[u8], over: impl Fn() -> Result<()>) -> Result<()> {
        if state.len() as u64 > STATE_LIMIT {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("a desired state of more than {STATE_LIMIT} bytes"),
            ));
        }
        self.dir.stage(STATE, state, true)?;
        over()?;
        self.verify_epoch()?;
        self.dir.commit(STATE, true)
    }

    /// The desired state.
    pub(super) fn load(&self) -> Result<Option<Vec<u8>>> {
        self.verify_epoch()?;
        self.dir.read(STATE, STATE_LIMIT)
    }

    fn verify_epoch(&self) -> Result<()> {
        self.verify()?;
        let last = epoch::read(&self.dir)?;
        if last != self.epoch {
            let path = self.dir.path_of(EPOCH);
            return Err(Error::new(
                ErrorKind::Fenced,
                format!("epoch {} is over: {} says {last}", self.epoch, path.display()),
            ));
        }
        Ok(())
    }

    /// The run directory, of which the holder is the only writer.
    pub(super) fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Takes the address back and marks the lease as free, each only if it is still ours. Once.
    pub(super) fn give_back(&self) -> Result<()> {
        if self.given_back.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let withdrawn = match published::read(&self.context.run_dir) {
            Ok(Some(info)) if info.epoch == self.epoch => self.dir.remove(LEADER),
            _ => Ok(()),
        };
        let ours =
            matches!(lease::read_from(&self.lease), Ok(Reading::Known(lease)) if lease.token == self.token);
        if ours {
            // If that fails the lease just runs out.
            let _ = self.record(false, Instant::now());
        }
        withdrawn.map_err(|e| {
            Error::new(ErrorKind::Unavailable, "the leader's address could not be taken back").with_source(e)
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            tracing::warn!(epoch = self.epoch.0, %error, "resigned all the same");
        }
    }
}

/// How long to leave the last leader in peace although we hold a lock: its lock was another file
/// (somebody removed that one), it lives, and its lease runs.
fn outstanding(context: &Context, last: &Lease, lock: FileId) -> Option<Duration> {
    let me = &context.process;
    let now = Instant::now();
    let runs = last.held && last.lock != lock && last.process.same_boot(me) && now < last.deadline();
    let lives = || !last.process.is_visible_to(me) || last.process.is_alive();
    (runs && lives()).then(|| last.deadline().saturating_since(now).min(OUTSTANDING))
}
