//! Changes queue up per server, in order, and travel together.
//!
//! While one transaction of a server is on its way, later changes gather; when it has ended they go as the next. So
//! a single change waits for nobody, and a thousand at once are a few transactions. One at a time for a server also
//! keeps the order of its changes, over reconnects too.

use crate::change::{Batch, Change, Outcome, stale};
use crate::error::Failure;
use crate::pool::Lease;
use crate::store::{Attempt, Mode, Store};
use crate::sweep::Sweeper;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::pin::pin;
use core::time::Duration;
use event_listener::Event;
use futures_lite::future;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_core::channel::Frontend;
use tangelo_core::patience::Backoff;
use tangelo_core::patience::{left, within};
use tangelo_core::{ErrorKind, Instant};

/// A transaction has at most so many changes …
const MAX_CHANGES: usize = 4096;
/// … and users, unless a single change has more.
const MAX_USERS: usize = 8192;

/// The queues of all servers.
#[derive(Debug)]
pub(crate) struct Lanes {
    store: Arc<Store>,
    sweeper: Arc<Sweeper>,
    /// A server has an entry as long as a task works on its queue.
    queues: Mutex<HashMap<String, VecDeque<Change>>>,
    /// A queue has come to its end.
    idle: Event,
}

impl Lanes {
    pub(crate) fn new(store: Arc<Store>, sweeper: Arc<Sweeper>) -> Self {
        Self { store, sweeper, queues: Mutex::default(), idle: Event::new() }
    }

    /// Sends `change` on its way.
    pub(crate) fn push(self: &Arc<Self>, sid: &str, change: Change) {
        let mut queues = self.queues();
        if let Some(queue) = queues.get_mut(sid) {
            queue.push_back(change);
            return;
        }
        queues.insert(sid.to_owned(), VecDeque::from([change]));
        drop(queues);
        let lane = Lane { lanes: Arc::clone(self), sid: sid.to_owned(), batch: Vec::new() };
        self.store.runtime.spawn(Box::pin(lane.run()));
    }

    /// Waits until nothing is on its way.
    pub(crate) async fn drained(&self) {
        loop {
            let idle = self.idle.listen();
            if self.queues().is_empty() {
                return;
            }
            idle.await;
        }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Change>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that works on the queue of a server, and ends with it.
struct Lane {
    lanes: Arc<Lanes>,
    sid: String,
    /// The changes of the next transaction, or of the one under way; those that were answered leave a gap.
    batch: Vec<Option<Change>>,
}

impl Lane {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while let Some(deadline) = self.gather() {
            let lease = match self.lanes.store.lease(Mode::Change, deadline).await {
                Ok(lease) => lease,
                Err(failure) if failure.kind.is_temporary() => {
                    self.expire(&failure);
                    continue;
                }
                Err(failure) => {
                    self.fail(&failure);
                    continue;
                }
            };
            // The caller may have gone meanwhile; what is sent now nobody would expect.
            if self.abandon() {
                lease.give_back();
                continue;
            }
            match self.send(lease).await {
                Some(Attempt::Done(outcome)) => {
                    backoff = Backoff::default();
                    self.finish(&outcome).await;
                }
                Some(Attempt::Failed(failure)) => self.fail(&failure),
                Some(Attempt::Again(failure)) => {
                    self.expire(&failure);
                    let pause =
                        self.oldest().map_or(Duration::ZERO, |deadline| backoff.pause().min(left(deadline)));
                    self.lanes.store.runtime.sleep(pause).await;
                    self.expire(&failure);
                }
                None => {}
            }
        }
    }

    /// Fills the batch from the queue; gives the deadline of the oldest change. None: there is nothing more to do,
    /// and the lane is closed.
    fn gather(&mut self) -> Option<Instant> {
        self.batch.retain(Option::is_some);
        let mut queues = self.lanes.queues();
        let queue = queues.get_mut(&self.sid)?;
        let mut users: usize = self.batch.iter().flatten().map(|change| change.edit.uids.len()).sum();
        while let Some(next) = queue.front() {
            users += next.edit.uids.len();
            if !self.batch.is_empty() && (self.batch.len() >= MAX_CHANGES || users > MAX_USERS) {
                break;
            }
            self.batch.push(queue.pop_front());
        }
        if self.batch.is_empty() {
            queues.remove(&self.sid);
            self.lanes.idle.notify(usize::MAX);
        }
        self.oldest()
    }

    /// When the oldest change of the batch must be answered.
    fn oldest(&self) -> Option<Instant> {
        self.batch.iter().flatten().map(|change| change.deadline).next()
    }

    /// Lets go of changes that nobody waits for; true if none is left.
    fn abandon(&mut self) -> bool {
        self.batch.retain(|change| change.as_ref().is_some_and(|change| !change.waiting.is_canceled()));
        self.batch.is_empty()
    }

    /// Answers those whose time is up.
    fn expire(&mut self, failure: &Failure) {
        let now = Instant::now();
        let late = |change: &mut Change| change.deadline <= now;
        let expired = self.batch.iter_mut().filter_map(|change| change.take_if(late));
        expired.for_each(|change| change.fail(failure));
        let mut queues = self.lanes.queues();
        let Some(queue) = queues.get_mut(&self.sid) else { return };
        while queue.front_mut().is_some_and(late) {
            if let Some(change) = queue.pop_front() {
                change.fail(failure);
            }
        }
    }

    fn fail(&mut self, failure: &Failure) {
        self.batch.drain(..).flatten().for_each(|change| change.fail(failure));
    }

    /// Sends the batch; while it is on its way, those whose time is up are answered. With nobody left it is given up:
    /// its connection goes, and what comes next waits for the row that it may still hold.
    async fn send(&mut self, lease: Lease) -> Option<Attempt<Outcome>> {
        let store = Arc::clone(&self.lanes.store);
        let edits = self.batch.iter().flatten().map(|change| Arc::clone(&change.edit)).collect();
        let work = Batch { sid: self.sid.clone(), edits };
        let last = self.batch.iter().flatten().map(|change| change.deadline).max()?;
        let mut attempt = pin!(store.attempt(lease, &work, last));
        while let Some(deadline) = self.oldest() {
            if let Some(outcome) = within(&*store.runtime, left(deadline), &mut attempt).await {
                return Some(outcome);
            }
            let message = format!("{} has not answered in time", store.config);
            self.expire(&Failure::new(ErrorKind::Timeout, message));
        }
        None
    }

    /// Tells all callers of the batch.
    async fn finish(&mut self, outcome: &Outcome) {
        if outcome.begun {
            self.lanes.sweeper.wake();
        }
        let mut refused = outcome.stale.iter().peekable();
        for (position, change) in self.batch.drain(..).enumerate() {
            let refused = refused.next_if(|refused| **refused == position).is_some();
            let Some(change) = change else { continue };
            let incarnation = change.edit.incarnation;
            let frontend = Frontend { sid: self.sid.clone(), incarnation };
            change.end(if refused { Err(stale(&frontend)) } else { Ok(()) });
        }
        // Those who were told come first: what they do next goes along.
        future::yield_now().await;
    }
}
