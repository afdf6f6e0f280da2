//! What purged lives have left behind goes, some at a time, beside everything else.
//!
//! A purge only says that a life is over, which is one row; from then on nobody sees its members. They are removed
//! here afterwards, by whoever has purged, or by the next one that starts.

use crate::error::Failure;
use crate::session::Arg;
use crate::statements::STEP;
use crate::store::{Execute, Store};
use alloc::sync::{Arc, Weak};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_core::Instant;
use tangelo_core::patience::Backoff;
use tracing::debug;

/// After so many failures in a row the next purge, or start, goes on.
const PATIENCE: u32 = 20;

/// Removes the members of lives that are over.
#[derive(Debug)]
pub(crate) struct Sweeper {
    store: Arc<Store>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// A task is at it.
    Working,
    /// And is to look once more.
    Again,
    Stopped,
}

impl Sweeper {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, state: Mutex::new(State::Idle) }
    }

    /// There may be something to do.
    pub(crate) fn wake(self: &Arc<Self>) {
        let mut state = self.state();
        *state = match *state {
            State::Idle => State::Working,
            State::Working | State::Again => State::Again,
            State::Stopped => State::Stopped,
        };
        if *state == State::Working {
            drop(state);
            let task = Task { sweeper: Arc::downgrade(self), store: Arc::clone(&self.store) };
            self.store.runtime.spawn(Box::pin(task.run()));
        }
    }

    /// The task ends after the step that it is at; the rest is for the next start.
    pub(crate) fn stop(&self) {
        *self.state() = State::Stopped;
    }

    /// After a [`stop`](Self::stop) it may be used again.
    pub(crate) fn reopen(&self) {
        let mut state = self.state();
        if *state == State::Stopped {
            *state = State::Idle;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) -> bool {
        matches!(*self.state(), State::Working | State::Again)
    }

    /// Whether there is no more to do.
    fn ends(&self) -> bool {
        let mut state = self.state();
        match *state {
            State::Again => {
                *state = State::Working;
                false
            }
            State::Working => {
                *state = State::Idle;
                true
            }
            State::Idle | State::Stopped => true,
        }
    }
}

/// It ends with the manager, which it does not keep alive.
struct Task {
    sweeper: Weak<Sweeper>,
    store: Arc<Store>,
}

impl Task {
    async fn run(self) {
        let (mut backoff, mut failures) = (Backoff::default(), 0);
        loop {
            match self.all().await {
                Ok(()) => failures = 0,
                Err(failure) => {
                    debug!("members of lives that are over are not removed yet: {}", failure.message);
                    failures += 1;
                    if self.works() && failures < PATIENCE {
                        self.store.runtime.sleep(backoff.pause()).await;
                        continue;
                    }
                }
            }
            if self.sweeper.upgrade().is_none_or(|sweeper| sweeper.ends()) {
                return;
            }
        }
    }

    fn works(&self) -> bool {
        self.sweeper.upgrade().is_some_and(|sweeper| sweeper.works())
    }

    async fn all(&self) -> Result<(), Failure> {
        let store = &self.store;
        while self.works() {
            let query = &store.sql.left_behind;
            let rows = store.rows(query, &[]).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let [id, life] = &row[..] else { continue };
                let args = [Arg::Int(id.int()), Arg::Int(life.int())];
                let step = Execute { sql: &store.sql.sweep, args: &args };
                while self.works() {
                    let begin = Instant::now();
                    let more = store.perform(&step, store.deadline()).await? >= STEP;
                    // There is no hurry: most of the time the others are alone.
                    store.runtime.sleep(Instant::now().saturating_since(begin) * 3).await;
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
