//! A coordinator on any store that can compare and swap one value.

mod reign;
mod table;

use super::{Candidate, Coordinator, LeaderInfo, Leadership};
use crate::patience::{Backoff, within};
use crate::runtime::Runtime;
use crate::{BoxFuture, BoxStream, Error, ErrorKind, Instant, Result};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_trait::async_trait;
use core::fmt::Debug;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use futures_core::Stream;
use reign::{Chair, Reign};
use std::sync::{Mutex, PoisonError};
use table::{Heard, Table};

/// One value that everybody sees, and that is only replaced by who knows what it is.
///
/// A row of a database, a key of etcd or Consul, an object with conditional writes, a file behind a lock:
/// [`RegisterCoordinator`] makes a coordinator of it.
///
/// # Contract
///
/// - A swap happens whole or not at all, and is durable before it returns `Ok(true)`.
/// - Every read that begins after a swap has returned sees it, whoever reads: no stale replicas.
/// - A register that cannot be reached is an error, never an empty value.
#[async_trait]
pub trait Register: Debug + Send + Sync + 'static {
    /// The value; empty if there has never been one. It is about as large as the cluster's desired state: some
    /// hundred bytes for each server.
    ///
    /// # Errors
    /// Temporary ones are tried again ([`ErrorKind::is_temporary`]); any other ends a campaign.
    ///
    /// # Cancel safety
    /// Cancel safe: a read that takes too long is dropped.
    async fn read(&self) -> Result<Vec<u8>>;

    /// Puts `new` in the place of the value, if that is `seen`; otherwise `false`, and nothing has changed.
    ///
    /// # Errors
    /// As for [`read`](Self::read). It may have happened or not, or happen later.
    ///
    /// # Cancel safety
    /// A swap that takes too long is dropped, and may happen all the same.
    async fn swap(&self, seen: &[u8], new: &[u8]) -> Result<bool>;
}

/// Elects the leader by leases on a [`Register`].
///
/// Masters look at the register again and again, and say that they are there by counting up. No two clocks are
/// compared, so they may be on any hosts: whoever has not counted for a `lease`, by the clock of who looks, has gone.
/// A leader stops an eighth of the lease before that, by its own clock. Among candidates the highest priority goes
/// first, then the first one that came; leaders hand over to whom they choose.
#[derive(Debug, Clone)]
pub struct RegisterCoordinator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    runtime: Arc<dyn Runtime>,
    register: Arc<dyn Register>,
    lease: Duration,
    heard: Mutex<Heard>,
}

impl RegisterCoordinator {
    /// A coordinator on `register`. With the same `lease` for all; a dead or frozen leader is replaced after it.
    /// Masters and observers look fifty times in a lease.
    pub fn new(runtime: Arc<dyn Runtime>, register: impl Register, lease: Duration) -> Self {
        let shared = Shared { runtime, register: Arc::new(register), lease, heard: Mutex::default() };
        Self(Arc::new(shared))
    }
}

impl Shared {
    /// How long between two looks.
    fn pause(&self) -> Duration {
        self.lease / 50
    }

    /// The table as it is now, without who is silent, and the value that it was read from.
    async fn look(&self) -> Result<(Table, Vec<u8>)> {
        let asked = Instant::now();
        let value = self.in_time(self.register.read()).await?;
        let mut table = Table::decode(&value)?;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.sweep(&mut table, asked, Instant::now(), self.lease);
        Ok((table, value))
    }

    /// Changes the table; again, if somebody else was faster.
    async fn change<T>(&self, change: impl Fn(&mut Table) -> Result<T> + Sync) -> Result<T> {
        let work = async {
            let mut backoff = Backoff::new(Duration::from_millis(2), self.pause());
            loop {
                let (mut table, value) = self.look().await?;
                let before = table.clone();
                let done = change(&mut table)?;
                // Who has gone goes with the next change.
                if table == before || self.register.swap(&value, &table.encode()?).await? {
                    return Ok(done);
                }
                self.runtime.sleep(backoff.pause()).await;
            }
        };
        self.in_time(work).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        within(&*self.runtime, self.lease, work).await.unwrap_or_else(|| {
            let message = format!("the register of masters has not answered within {:?}", self.lease);
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }
}

#[async_trait]
impl Coordinator for RegisterCoordinator {
    async fn campaign(&self, candidate: Candidate) -> Result<Box<dyn Leadership>> {
        let (shared, chair) = (&self.0, Chair::new(&self.0));
        let mut due = Instant::default();
        loop {
            let now = Instant::now();
            // Not at every look: it is a write to the store.
            let beat = now >= due;
            match shared.change(|table| Ok(table.stand(chair.id, &candidate, beat))).await {
                Ok(Some(epoch)) => return Ok(Box::new(Reign::begin(chair, epoch, now + shared.lease))),
                Ok(None) if beat => due = now + shared.lease / 4,
                Ok(None) => {}
                Err(error) if error.is_temporary() => {}
                Err(error) => return Err(error),
            }
            shared.runtime.sleep(shared.pause()).await;
        }
    }

    fn observe(&self) -> BoxStream<'static, Result<Option<LeaderInfo>>> {
        Box::pin(Observed { shared: self.0.clone(), next: next(self.0.clone(), None) })
    }

    async fn candidates(&self) -> Result<Vec<Candidate>> {
        Ok(self.0.look().await?.0.candidates())
    }
}

type Seen = Result<Option<LeaderInfo>>;

struct Observed {
    shared: Arc<Shared>,
    next: BoxFuture<'static, Seen>,
}

/// The next that is not as it was `told`.
fn next(shared: Arc<Shared>, told: Option<Option<LeaderInfo>>) -> BoxFuture<'static, Seen> {
    Box::pin(async move {
        loop {
            match shared.look().await {
                Ok((table, _)) if told.as_ref() == Some(&table.leader()) => {}
                Ok((table, _)) => return Ok(table.leader()),
                Err(error) => {
                    // Whoever asks for the next one at once does not ask the store at once.
                    shared.runtime.sleep(shared.lease / 4).await;
                    return Err(error);
                }
            }
            shared.runtime.sleep(shared.pause()).await;
        }
    })
}

impl Stream for Observed {
    type Item = Seen;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Seen>> {
        let seen = ready!(self.next.as_mut().poll(context));
        self.next = next(self.shared.clone(), seen.as_ref().ok().cloned());
        Poll::Ready(Some(seen))
    }
}
