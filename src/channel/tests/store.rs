//! A store that several servers share, which fails at will and counts.

use super::{MemoryChannelManager, TIMEOUT};
use crate::sync::Mutex;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use futures_lite::{StreamExt, stream};
use tangelo_core::channel::{Capability, ChannelManager, ChannelMember, Frontend};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxStream, Error, ErrorKind, Result};

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Trouble {
    #[default]
    None,
    /// It is down.
    Down,
    /// Changes fail, and nobody can tell whether they were made: they were.
    LosesAnswers,
    /// As `Down`, but it takes the timeout to find out.
    Slow,
    /// Its code is bad.
    Panics,
}

#[derive(Debug, Clone)]
pub(super) struct Store {
    runtime: Arc<dyn Runtime>,
    inner: Inner,
    trouble: Arc<Mutex<Trouble>>,
    changes: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
    /// How long a change takes.
    pub(super) delay: Arc<Mutex<Duration>>,
}

/// What it really holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Inner(pub(super) MemoryChannelManager);

impl Inner {
    pub(super) async fn at(&self, channel: &str, sid: &str) -> Vec<String> {
        self.0.members_by_server(channel, sid).await.unwrap()
    }
}

impl Store {
    pub(super) fn new(runtime: &Arc<dyn Runtime>) -> Self {
        let (inner, runtime) = (Inner::default(), Arc::clone(runtime));
        let (trouble, changes, reads, delay) = Default::default();
        Self { runtime, inner, trouble, changes, reads, delay }
    }

    pub(super) const fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(super) fn suffer(&self, trouble: Trouble) {
        *self.trouble.lock() = trouble;
    }

    /// How many changes there were since the last count.
    pub(super) fn asked(&self) -> usize {
        self.changes.load(Ordering::Relaxed)
    }

    /// How many changes and how many reads there were since the last time.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.changes.swap(0, Ordering::Relaxed), self.reads.swap(0, Ordering::Relaxed))
    }

    async fn fail(&self) -> Result<()> {
        let trouble = *self.trouble.lock();
        let away = Err(Error::new(ErrorKind::Unavailable, "the store is down"));
        match trouble {
            Trouble::Down => away,
            Trouble::Slow => {
                self.runtime.sleep(TIMEOUT).await;
                away
            }
            Trouble::Panics => panic!("told to panic"),
            Trouble::None | Trouble::LosesAnswers => Ok(()),
        }
    }

    async fn change(&self, change: impl Future<Output = Result<()>>) -> Result<()> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        let delay = *self.delay.lock();
        if !delay.is_zero() {
            self.runtime.sleep(delay).await;
        }
        self.fail().await?;
        change.await?;
        if *self.trouble.lock() == Trouble::LosesAnswers {
            return Err(Error::new(ErrorKind::Timeout, "the store has not answered"));
        }
        Ok(())
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.fail().await?;
        read.await
    }
}

#[async_trait]
impl ChannelManager for Store {
    fn capability(&self) -> Capability {
        Capability::LOCAL.shared(true)
    }

    async fn start(&self) -> Result<()> {
        self.fail().await
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        self.change(self.inner.0.add_many(channel, frontend, uids)).await
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        self.change(self.inner.0.leave_many(channel, frontend, uids)).await
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        let channel = channel.to_owned();
        let all = async move {
            let pages = self.inner.0.members(&channel).collect::<Vec<_>>();
            self.read(async { Ok(pages.await) }).await.unwrap_or_else(|error| vec![Err(error)])
        };
        Box::pin(stream::once_future(all).map(stream::iter).flatten())
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        self.read(self.inner.0.members_by_server(channel, sid)).await
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        self.read(self.inner.0.channels_of_server(sid)).await
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        self.change(self.inner.0.destroy(channel)).await
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        self.change(self.inner.0.purge_server(frontend)).await
    }

    async fn clean(&self) -> Result<()> {
        self.change(self.inner.0.clean()).await
    }
}
