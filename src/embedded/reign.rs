//! A reign of the embedded coordinator.

use super::candidates;
use super::context::Context;
use super::lock::Held;
use crate::sync::Mutex;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_channel::{Receiver, Sender};
use async_trait::async_trait;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::runtime::unblock;
use tangelo_core::{Error, ErrorKind, Instant, Leadership, Result};

/// The leadership of one candidate; dropping it resigns.
#[derive(Debug)]
pub(super) struct Reign(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    epoch: Epoch,
    now: Mutex<Now>,
    /// One store at a time, also if its caller has gone.
    stores: Arc<async_lock::Mutex<()>>,
}

#[derive(Debug)]
struct Now {
    state: LeadershipState,
    deadline: Instant,
    held: Option<Arc<Held>>,
    /// Closed, and replaced, when the state changes: that wakes everybody who waits.
    change: (Sender<()>, Receiver<()>),
}

impl Now {
    fn set(&mut self, state: LeadershipState) {
        if self.state != state {
            self.state = state;
            self.change = async_channel::bounded(1);
        }
    }

    /// Ends the reign if its time is up. Everybody looks through here, so a leader that was frozen
    /// is over before any timer has told it so.
    fn look(&mut self) -> LeadershipState {
        if Instant::now() >= self.deadline {
            self.set(LeadershipState::Lost);
        }
        self.state
    }
}

impl Reign {
    /// Begins the reign of `held`; it ends at `deadline` unless renewals succeed.
    pub(super) fn begin(context: Arc<Context>, held: Held, deadline: Instant) -> Self {
        let inner = Arc::new(Inner {
            epoch: held.epoch(),
            now: Mutex::new(Now {
                state: LeadershipState::Leading,
                deadline,
                held: Some(Arc::new(held)),
                change: async_channel::bounded(1),
            }),
            stores: Arc::default(),
            context,
        });
        inner.context.runtime.spawn(Box::pin(keep(Arc::clone(&inner))));
        Self(inner)
    }
}

impl Inner {
    fn fenced(&self) -> Error {
        Error::new(ErrorKind::Fenced, format!("epoch {} is over: this master leads no longer", self.epoch))
    }

    /// The lock, as long as the reign lasts.
    fn held(&self) -> Result<Arc<Held>> {
        let mut now = self.now.lock();
        match (now.look(), &now.held) {
            (LeadershipState::Leading | LeadershipState::Suspended, Some(held)) => Ok(Arc::clone(held)),
            _ => Err(self.fenced()),
        }
    }

    /// Ends the reign now; what is returned still has to be let go.
    fn end(&self) -> Option<Arc<Held>> {
        let mut now = self.now.lock();
        now.set(LeadershipState::Lost);
        now.held.take()
    }

    /// Enters the result of a renewal.
    fn renewed(&self, result: Result<Instant>) {
        let mut now = self.now.lock();
        match result {
            // Too late is too late, even if the record was written: a standby may have acted on the old one.
            _ if now.look() == LeadershipState::Lost => {}
            Ok(deadline) => {
                now.deadline = deadline;
                now.set(LeadershipState::Leading);
            }
            Err(error) if error.kind() == ErrorKind::Fenced => {
                tracing::error!(epoch = self.epoch.0, %error, "leadership lost");
                now.set(LeadershipState::Lost);
            }
            Err(error) => {
                tracing::warn!(epoch = self.epoch.0, %error, "the lease was not renewed");
                now.set(LeadershipState::Suspended);
            }
        }
    }

    /// The state, when to look again, and what is closed when it changes.
    fn watch(&self) -> (LeadershipState, Instant, Receiver<()>) {
        let mut now = self.now.lock();
        let state = now.look();
        (state, now.deadline, now.change.1.clone())
    }

    /// Waits until the state changes, the deadline passes, or `limit` is over.
    async fn wait(&self, deadline: Instant, change: &Receiver<()>, limit: core::time::Duration) {
        let timer = self.context.runtime.sleep(deadline.saturating_since(Instant::now()).min(limit));
        let changed = async {
            let _ = change.recv().await;
        };
        futures_lite::future::or(changed, timer).await;
    }
}

/// Renews the lease until the reign is over, then lets the lock go. The timer belongs to the
/// executor, so a master whose executor hangs is one that cannot renew, and loses.
async fn keep(inner: Arc<Inner>) {
    let every = inner.context.terms.renew_every();
    let mut pause = every;
    loop {
        let (state, deadline, change) = inner.watch();
        if state == LeadershipState::Lost {
            break;
        }
        inner.wait(deadline, &change, pause).await;
        let Ok(held) = inner.held() else { break };
        let renewal = async {
            let result = unblock(&*inner.context.runtime, move || held.renew()).await;
            inner.renewed(result.and_then(core::convert::identity));
        };
        // A disk that hangs must not keep us from seeing the deadline pass.
        let too_late = inner.context.runtime.sleep(deadline.saturating_since(Instant::now()));
        futures_lite::future::or(renewal, too_late).await;
        pause = if inner.watch().0 == LeadershipState::Leading { every } else { every / 4 };
    }
    if let Some(held) = inner.end() {
        tracing::warn!(epoch = inner.epoch.0, "this master leads no longer");
        inner.context.runtime.spawn_blocking(Box::new(move || drop(held)));
    }
}

#[async_trait]
impl Leadership for Reign {
    fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    fn state(&self) -> LeadershipState {
        self.0.now.lock().look()
    }

    fn deadline(&self) -> Instant {
        self.0.now.lock().deadline
    }

    async fn changed(&self, seen: LeadershipState) -> LeadershipState {
        loop {
            let (state, deadline, change) = self.0.watch();
            if state != seen {
                return state;
            }
            if state == LeadershipState::Lost {
                // Nothing comes after that.
                core::future::pending::<()>().await;
            }
            self.0.wait(deadline, &change, self.0.context.terms.lease).await;
        }
    }

    async fn store(&self, state: &[u8]) -> Result<()> {
        let turn = self.0.stores.lock_arc().await;
        let held = self.0.held()?;
        let (inner, state) = (Arc::clone(&self.0), state.to_vec());
        unblock(&*self.0.context.runtime, move || {
            let result = held.store(&state, || inner.held().map(drop));
            drop(turn);
            result
        })
        .await?
    }

    async fn load(&self) -> Result<Option<Vec<u8>>> {
        let held = self.0.held()?;
        let inner = Arc::clone(&self.0);
        unblock(&*self.0.context.runtime, move || {
            let state = held.load()?;
            inner.held().map(|_| state)
        })
        .await?
    }

    async fn resign(&self) -> Result<()> {
        let Some(held) = self.0.end() else { return Ok(()) };
        unblock(&*self.0.context.runtime, move || match Arc::try_unwrap(held) {
            Ok(held) => held.give_back(),
            // A store is under way; it gives the lock back when it is done.
            Err(_) => Ok(()),
        })
        .await?
    }

    async fn hand_over(&self, to: &str) -> Result<()> {
        let held = self.0.held()?;
        let (context, to) = (Arc::clone(&self.0.context), String::from(to));
        unblock(&*self.0.context.runtime, move || {
            let live = candidates::list(&context.run_dir)?;
            if !live.iter().any(|(_, standing)| standing.candidate.is_named(&to)) {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("no standby {to:?} stands for election here; {}", names(&live)),
                ));
            }
            candidates::choose(held.dir(), &to, &context.process)
        })
        .await??;
        self.resign().await
    }
}

fn names(live: &[(std::path::PathBuf, candidates::Standing)]) -> String {
    if live.is_empty() {
        return "there is none".into();
    }
    let ids: Vec<_> = live.iter().map(|(_, standing)| standing.candidate.id.as_str()).collect();
    format!("those that do: {}", ids.join(", "))
}

impl Drop for Reign {
    fn drop(&mut self) {
        drop(self.0.end());
    }
}
