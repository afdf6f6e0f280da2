//! The embedded coordinator: a file lock, for masters on one machine, with nothing installed.
//!
//! What it keeps in `run/`, on a local file system:
//!
//! | file | what |
//! |---|---|
//! | `leader.lock` | whoever holds its flock(2) leads; the kernel frees it the moment the holder dies |
//! | `lease` | until when the holder leads; renewed four times a lease, on `CLOCK_BOOTTIME` |
//! | `epoch` | the number of the last reign, on the disk before anybody hears of it |
//! | `state.json` | the desired state; only the holder of the lock writes it |
//! | `leader/leader.json` | the leader's address; observers watch this directory by inotify |
//! | `candidates/` | who stands for election, each file locked by its candidate |
//! | `successor` | whom the last leader handed over to; counts for a second |
//!
//! A leader that dies frees the lock. One that is frozen keeps it, so a standby that sees the
//! lease run out kills the holder ([`standby`]). The leader itself stops a margin earlier, by its own clock.
//!
//! Nothing in `run/` should be removed while a master lives. If it is: the leader notices within a
//! quarter of its lease and its reign is over; a standby that knew its lease waits for the end of it.
//! Only a master started anew in that moment cannot know.

mod candidates;
mod context;
mod dir;
mod epoch;
mod lease;
mod lock;
mod observe;
mod process;
mod published;
mod reign;
mod standby;
#[cfg(test)]
mod tests;
mod waiter;

pub(crate) use candidates::Standing;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_trait::async_trait;
use candidates::{Courtesy, Entry, Precedence};
use context::Context;
use core::time::Duration;
use dir::LOCK;
use lease::Terms;
use lock::Outcome;
use process::Process;
use reign::Reign;
use standby::Standby;
use std::path::{Path, PathBuf};
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::runtime::{Runtime, unblock};
use tangelo_core::{BoxStream, Coordinator, Error, ErrorKind, Leadership, Result};
use waiter::Waiters;

/// After a failure that may pass the campaign goes on after this long at first …
const RETRY_MIN: Duration = Duration::from_millis(50);
/// … and after this long at last.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Elects the leader among the masters of one machine that share a run directory.
#[derive(Debug)]
pub(crate) struct EmbeddedCoordinator {
    context: Arc<Context>,
    waiters: Waiters,
}

impl EmbeddedCoordinator {
    /// A coordinator for the masters that share `run_dir`, which is made if it is missing. `lease` is how
    /// long a leader that has frozen is waited for: 100 ms to 1 h, the same for all. Default in
    /// Tangelo: see the caller.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a lease out of range; whatever the system says about the directory.
    pub(crate) fn new(runtime: Arc<dyn Runtime>, run_dir: PathBuf, lease: Duration) -> Result<Self> {
        if !(Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&lease) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("a leader's lease of {} ms; it may be 100 ms to 1 h", lease.as_millis()),
            ));
        }
        let run_dir = std::path::absolute(&run_dir)
            .map_err(|e| Error::io(format_args!("find the directory {}", run_dir.display()), e))?;
        dir::create_all(&run_dir)?;
        let process = Process::current()?;
        let context = Arc::new(Context::new(runtime, run_dir, Terms { lease }, process));
        Ok(Self { context, waiters: Waiters::default() })
    }

    /// Waits for the lock once.
    async fn attempt(&self, entry: &Arc<Entry>, courtesy: Courtesy) -> Result<Outcome> {
        let waiting = self.waiters.enlist(&self.context, entry, courtesy)?;
        let mut standby = Standby::new(&self.context);
        let replaced = async {
            standby.watch(&waiting).await;
            Ok(Outcome::Again(Duration::ZERO))
        };
        futures_lite::future::or(waiting.outcome(), replaced).await
    }

    async fn register(&self, candidate: &Candidate) -> Result<Arc<Entry>> {
        let (run_dir, candidate) = (self.context.run_dir.clone(), candidate.clone());
        unblock(&*self.context.runtime, move || Entry::register(&run_dir, candidate)).await?.map(Arc::new)
    }
}

#[async_trait]
impl Coordinator for EmbeddedCoordinator {
    async fn campaign(&self, candidate: Candidate) -> Result<Box<dyn Leadership>> {
        let mut standing: Option<Arc<Entry>> = None;
        let mut courtesy = Courtesy::default();
        let mut retry = RETRY_MIN;
        loop {
            let result = async {
                let entry = match standing.take().filter(|entry| entry.stands()) {
                    Some(entry) => entry,
                    None => self.register(&candidate).await?,
                };
                self.attempt(standing.insert(entry), courtesy).await
            };
            let pause = match result.await {
                Ok(Outcome::Won(held, deadline)) => {
                    return Ok(Box::new(Reign::begin(Arc::clone(&self.context), held, deadline)));
                }
                Ok(Outcome::Again(pause)) => pause,
                Ok(Outcome::Defer(precedence, pause)) => {
                    if precedence == Precedence::Priority {
                        courtesy.shown();
                    }
                    pause
                }
                Err(error) if is_hopeless(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, retry_ms = retry.as_millis(), "cannot stand for election now");
                    let pause = retry;
                    retry = (retry * 2).min(RETRY_MAX);
                    pause
                }
            };
            if !pause.is_zero() {
                self.context.runtime.sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            }
        }
    }

    fn observe(&self) -> BoxStream<'static, Result<Option<LeaderInfo>>> {
        observe::observe(Arc::clone(&self.context))
    }

    async fn candidates(&self) -> Result<Vec<Candidate>> {
        let run_dir = self.context.run_dir.clone();
        let mut standing = unblock(&*self.context.runtime, move || candidates::list(&run_dir)).await??;
        standing.sort_by_key(|(_, standing)| core::cmp::Reverse(standing.candidate.priority));
        Ok(standing.into_iter().map(|(_, standing)| standing.candidate).collect())
    }
}

/// Whether no waiting can cure it.
fn is_hopeless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::NotFound
    )
}

/// The leader, if one lives: what stands in `run/` is believed only while somebody holds the lock.
/// Answers at once; meant for the command line. `None` too while an election is under way.
///
/// # Errors
/// Whatever the system says, and [`Invalid`](ErrorKind::Invalid) for a damaged file.
pub(crate) fn current_leader(run_dir: &Path) -> Result<Option<LeaderInfo>> {
    if !standby::is_locked(&run_dir.join(LOCK)) {
        return Ok(None);
    }
    published::read(run_dir)
}

/// The masters that stand by, in no order.
///
/// # Errors
/// Whatever the system says.
pub(crate) fn standbys(run_dir: &Path) -> Result<Vec<Standing>> {
    Ok(candidates::list(run_dir)?.into_iter().map(|(_, standing)| standing).collect())
}
