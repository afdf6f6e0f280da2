//! What all parts of a coordinator share.

use crate::config::Settings;
use crate::session::Sessions;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use tangelo_core::Instant;
use tangelo_core::coordinator::Epoch;
use tangelo_core::patience::Backoff;
use tangelo_core::runtime::Runtime;

/// After a failure that may pass, things go on after this long at first …
const RETRY_MIN: Duration = Duration::from_millis(50);
/// … and after this long at last.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// What all parts of a coordinator share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) sessions: Sessions,
    pub(crate) complaints: Complaints,
    highest: AtomicU64,
    belongs: AtomicBool,
}

impl Context {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let sessions = Sessions::new(Arc::clone(&runtime), Arc::clone(&settings));
        let (highest, belongs) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { runtime, settings, sessions, complaints: Complaints::default(), highest, belongs }
    }

    /// Remembers a reign that this process has heard of.
    pub(crate) fn saw(&self, epoch: Epoch) {
        self.highest.fetch_max(epoch.0, Ordering::AcqRel);
    }

    /// The highest reign that this process has heard of.
    pub(crate) fn highest(&self) -> Epoch {
        Epoch(self.highest.load(Ordering::Acquire))
    }

    /// This process has led, or followed somebody who does.
    pub(crate) fn belong(&self) {
        self.belongs.store(true, Ordering::Release);
    }

    /// Whether it ever has. Then its configuration was right, and what is wrong now somebody may put right again.
    pub(crate) fn belongs(&self) -> bool {
        self.belongs.load(Ordering::Acquire)
    }

    /// Ends after `limit`.
    pub(crate) async fn sleep(&self, limit: Duration) {
        self.runtime.sleep(limit).await;
    }
}

/// Pauses between attempts of which each may pass.
pub(crate) const fn backoff() -> Backoff {
    Backoff::new(RETRY_MIN, RETRY_MAX)
}

/// The first complaint of a kind is followed by the next after this long, if it lasts …
const QUIET_MIN: Duration = Duration::from_secs(1);
/// … and in the end after this long: an outage of an hour is no reason to fill a disk.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// Lets the log have a line of what fails again and again: at most one a second, and fewer the longer it lasts.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<Option<(Instant, Duration)>>);

impl Complaints {
    /// Whether it may be said now.
    pub(crate) fn may(&self) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock();
        let quiet = match *last {
            Some((at, quiet)) if now.saturating_since(at) < quiet => return false,
            // Nothing to complain of for as long again: this is another story.
            Some((at, quiet)) if now.saturating_since(at) < quiet * 2 + QUIET_MIN => {
                (quiet * 2).min(QUIET_MAX)
            }
            _ => QUIET_MIN,
        };
        *last = Some((now, quiet));
        true
    }
}
