//! A reign: from a win in `<path>` until it is given up or lost.
//!
//! # Until when it lasts
//!
//! ZooKeeper gives the lead to another no sooner than the session timeout after it has heard of this session for the last
//! time. What was heard when is not known here; only that it was at some time after a request was sent that has been answered since.
//! So the deadline is that time plus 3/5 of the timeout. The other 2/5 are a margin, above all for this: a server of the ensemble tells
//! the leader whom it has heard of only when that one asks, twice a tick; if the server dies before, the leader knows of a sign of
//! life that is up to half a tick older, and a session lasts two ticks at least.
//!
//! Not every answer proves that much. A server that is cut off from the others still answers reads; one that leads the ensemble, and
//! has been cut off from its followers, still answers a `sync` until it notices, and by then the others may
//! have given the lead away. So the proof is a transaction that changes nothing (`prove`): a majority agrees to
//! it, and only as long as the lock node is there.

mod keep;
mod leave;
mod now;
mod store;

use crate::context::Context;
use crate::error::is_refusal;
use crate::guardian::Guarded;
use crate::published::Publication;
use crate::session::Session;
use crate::standing::Entry;
use crate::sync::Mutex;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_trait::async_trait;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use futures_lite::future;
use now::Now;
use store::Known;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::{Error, ErrorKind, Instant, Leadership, Result};

/// A win, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Mandate {
    pub(crate) context: Arc<Context>,
    pub(crate) guard: Arc<Guarded>,
    pub(crate) session: Session,
    pub(crate) entry: Entry,
    /// The name of the lock node.
    pub(crate) lock: String,
    pub(crate) epoch: Epoch,
    /// The version of `<path>` that it has won with.
    pub(crate) version: i32,
    /// When the request was sent whose answer proves that the session lives.
    pub(crate) proved: Instant,
}

/// The leadership of one candidate; dropping it resigns.
#[derive(Debug)]
pub(crate) struct Reign(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mandate: Mandate,
    /// The lock node's path.
    lock_path: String,
    now: Now,
    /// The version of `<path>` as of our last write or look.
    version: Mutex<i32>,
    /// What is known of the stored state; one store at a time.
    known: async_lock::Mutex<Known>,
    /// Somebody sees to it that what is left of this reign goes.
    leaving: AtomicBool,
}

impl Reign {
    pub(crate) fn begin(mandate: Mandate) -> Self {
        let inner = Arc::new(Inner {
            lock_path: mandate.context.settings.lock_node(&mandate.lock),
            now: Now::new(mandate.proved + lease(mandate.session.timeout())),
            version: Mutex::new(mandate.version),
            known: async_lock::Mutex::default(),
            leaving: AtomicBool::new(false),
            mandate,
        });
        let runtime = Arc::clone(&inner.mandate.context.runtime);
        runtime.spawn(Box::pin(keep::keep(Arc::clone(&inner))));
        Self(inner)
    }
}

/// How long a proof lasts, with a session of `timeout`.
fn lease(timeout: Duration) -> Duration {
    timeout * 3 / 5
}

impl Inner {
    fn publication(&self) -> Publication {
        let Mandate { entry, lock, epoch, .. } = &self.mandate;
        Publication::new(&entry.candidate, *epoch, lock, &entry.nonce)
    }

    /// Ends the reign, if it has not ended.
    fn lose(&self, why: &str) {
        if self.now.lose() {
            let epoch = self.mandate.epoch.0;
            tracing::warn!(epoch, why, "this master leads no longer");
        }
    }

    /// That this reign lasts.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) if not.
    fn check(&self) -> Result<()> {
        if self.now.state() == LeadershipState::Lost { Err(self.fenced()) } else { Ok(()) }
    }

    fn fenced(&self) -> Error {
        let message = format!("epoch {} is over: this master leads no longer", self.mandate.epoch);
        Error::new(ErrorKind::Fenced, message)
    }

    /// Whether it is the caller who clears away what is left.
    fn claim(&self) -> bool {
        !self.leaving.swap(true, Ordering::AcqRel)
    }

    /// How long a request may take: not longer than the reign is sure to last.
    fn limit(&self) -> Duration {
        self.now.deadline().saturating_since(Instant::now()).min(self.mandate.session.timeout())
    }

    /// The error of a request.
    fn failed(&self, doing: &str, path: &str, fault: crate::error::Fault) -> Error {
        let refused = is_refusal(&fault);
        let error = self.mandate.context.settings.passing(doing, path, fault);
        match self.check() {
            Err(fenced) if refused => fenced,
            _ => error,
        }
    }
}

#[async_trait]
impl Leadership for Reign {
    fn epoch(&self) -> Epoch {
        self.0.mandate.epoch
    }

    fn state(&self) -> LeadershipState {
        self.0.now.state()
    }

    fn deadline(&self) -> Instant {
        self.0.now.deadline()
    }

    async fn changed(&self, seen: LeadershipState) -> LeadershipState {
        loop {
            let change = self.0.now.change();
            let state = self.0.now.state();
            if state != seen {
                return state;
            }
            if state == LeadershipState::Lost {
                // Nothing comes after that.
                future::pending::<()>().await;
            }
            let left = self.0.now.deadline().saturating_since(Instant::now());
            future::or(change, self.0.mandate.context.sleep(left)).await;
        }
    }

    async fn store(&self, state: &[u8]) -> Result<()> {
        self.0.store(state).await
    }

    async fn load(&self) -> Result<Option<Vec<u8>>> {
        self.0.load().await
    }

    async fn resign(&self) -> Result<()> {
        self.0.resign().await
    }

    async fn hand_over(&self, to: &str) -> Result<()> {
        self.0.hand_over(to).await
    }
}

impl Drop for Reign {
    fn drop(&mut self) {
        let mine = self.0.claim();
        self.0.now.lose();
        if mine {
            let inner = Arc::clone(&self.0);
            let runtime = Arc::clone(&self.0.mandate.context.runtime);
            runtime.spawn(Box::pin(async move {
                let _ = inner.leave(None).await;
            }));
        }
    }
}
