//! A manager with one thing wrong.

use super::MemoryChannelManager;
use crate::sync::Mutex;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use futures_lite::future::yield_now;
use futures_lite::{StreamExt, stream};
use tangelo_core::channel::{Capability, ChannelManager, ChannelMember, Frontend, MAX_INCARNATION};
use tangelo_core::config::Incarnation;
use tangelo_core::{BoxFuture, BoxStream, Error, ErrorKind, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    LeavesDoNothing,
    BatchesComeInTwo,
    LivesDoNotMatter,
    PredecessorsStay,
    PurgesForgetTheLife,
    PurgesTakeSuccessors,
    PurgesAreRememberedByOneManager,
    PurgesTakeOneChannel,
    PurgesChannelByChannel,
    DestroysWhereItHasWritten,
    CaseDoesNotMatter,
    SpacesAreTrimmed,
    NamesAreJoined,
    NamesAreNotChecked,
    PagesAreHuge,
    OnlyTheFirstPage,
    ReadersHoldALock,
    UsersAreRepeated,
    CountsChannelsTwice,
    EmptyChannelsAreListed,
    CleanDoesNothing,
    CleanKeepsPurges,
    CleanTakesTheNeighbour,
    DownIsEmpty,
    DownIsFine,
    DownIsInvalid,
}

/// What several managers share.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) store: MemoryChannelManager,
    pub(super) neighbour: MemoryChannelManager,
    pub(super) down: Arc<AtomicBool>,
    reading: Arc<async_lock::Mutex<()>>,
    /// How often members were read.
    reads: Arc<AtomicUsize>,
    lives: Arc<Mutex<BTreeMap<String, u64>>>,
}

#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) fault: Fault,
    pub(super) world: World,
    purged: Mutex<Vec<Frontend>>,
    wrote: Mutex<Vec<Frontend>>,
}

impl Faulty {
    pub(super) fn new(fault: Fault, world: World) -> Self {
        Self { fault, world, purged: Mutex::default(), wrote: Mutex::default() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    const fn store(&self) -> &MemoryChannelManager {
        &self.world.store
    }

    /// While the store is down: an error, or whatever is wrong.
    fn away<T: Default>(&self) -> Option<Result<T>> {
        if !self.world.down.load(Ordering::Relaxed) {
            return None;
        }
        let kind = match self.fault {
            Fault::DownIsEmpty => return Some(Ok(T::default())),
            Fault::DownIsInvalid => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        Some(Err(Error::new(kind, "the store is down")))
    }

    /// Until somebody has read what is there now, if somebody reads at all.
    async fn await_a_reader(&self) {
        // The first that ends may have begun before.
        let seen = self.world.reads.load(Ordering::Relaxed) + 2;
        for _ in 0..10_000 {
            if self.world.reads.load(Ordering::Relaxed) >= seen {
                return;
            }
            yield_now().await;
        }
    }

    fn name(&self, name: &str) -> String {
        match self.fault {
            Fault::CaseDoesNotMatter => name.to_lowercase(),
            Fault::SpacesAreTrimmed if !name.trim_end().is_empty() => name.trim_end().into(),
            _ => name.into(),
        }
    }

    fn key(&self, channel: &str, sid: &str) -> String {
        if self.is(Fault::NamesAreJoined) { format!("{channel}:{sid}") } else { self.name(channel) }
    }

    fn place(&self, channel: &str, frontend: &Frontend) -> Result<(String, Frontend)> {
        let mut at = frontend.clone();
        match self.fault {
            Fault::LivesDoNotMatter => at.incarnation = Incarnation(1),
            Fault::PredecessorsStay => {
                let mut lives = self.world.lives.lock();
                let life = lives.entry(at.sid.clone()).or_default();
                if at.incarnation.0 < *life {
                    return Err(Error::new(ErrorKind::StaleIncarnation, "it is over"));
                }
                *life = at.incarnation.0;
                at.incarnation = Incarnation(1);
            }
            Fault::NamesAreJoined => at.sid = "all".into(),
            _ if self.purged.lock().iter().any(|p| p.sid == at.sid && p.incarnation >= at.incarnation) => {
                return Err(Error::new(ErrorKind::StaleIncarnation, "it is over"));
            }
            _ => (),
        }
        self.wrote.lock().push(at.clone());
        Ok((self.key(channel, &frontend.sid), at))
    }

    /// Takes all members of a frontend away, without ending its life.
    async fn empty(&self, frontend: &Frontend, channels: usize) -> Result<()> {
        for channel in self.store().channels_of_server(&frontend.sid).await?.into_iter().take(channels) {
            let users = self.store().members_by_server(&channel, &frontend.sid).await?;
            self.store().leave_many(&channel, frontend, &users).await?;
            yield_now().await;
        }
        Ok(())
    }
}

#[async_trait]
impl ChannelManager for Faulty {
    fn capability(&self) -> Capability {
        Capability::LOCAL.shared(true).durable(true)
    }

    async fn start(&self) -> Result<()> {
        self.away().unwrap_or(Ok(()))
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        if self.is(Fault::DownIsFine) && self.world.down.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(away) = self.away() {
            return away;
        }
        if self.is(Fault::NamesAreNotChecked) && uids.iter().any(String::is_empty) {
            return Ok(());
        }
        let (channel, at) = self.place(channel, frontend)?;
        let uids: Vec<String> = uids.iter().map(|uid| self.name(uid)).collect();
        if self.is(Fault::BatchesComeInTwo) {
            self.store().add_many(&channel, &at, &uids[..uids.len() / 2]).await?;
            self.await_a_reader().await;
        }
        self.store().add_many(&channel, &at, &uids).await
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        if let Some(away) = self.away() {
            return away;
        }
        let (channel, at) = self.place(channel, frontend)?;
        let uids: Vec<String> = uids.iter().map(|uid| self.name(uid)).collect();
        if self.is(Fault::LeavesDoNothing) {
            return Ok(());
        }
        self.store().leave_many(&channel, &at, &uids).await
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        if let Some(away) = self.away() {
            return Box::pin(stream::once(away));
        }
        let channel = self.name(channel);
        let reading = async move {
            let lock =
                if self.is(Fault::ReadersHoldALock) { Some(self.world.reading.lock().await) } else { None };
            let mut pages: Vec<_> = self.store().members(&channel).collect().await;
            match self.fault {
                Fault::PagesAreHuge => {
                    let all: Result<Vec<_>> = pages.into_iter().collect();
                    pages = vec![all.map(|pages| pages.concat())];
                }
                Fault::OnlyTheFirstPage => pages.truncate(1),
                _ => (),
            }
            stream::iter(pages).map(move |page| {
                let _held = &lock;
                page
            })
        };
        Box::pin(stream::once_future(reading).flatten())
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        if let Some(away) = self.away() {
            return away;
        }
        let at = if self.is(Fault::NamesAreJoined) { "all" } else { sid };
        let mut users = self.store().members_by_server(&self.key(channel, sid), at).await?;
        if self.is(Fault::UsersAreRepeated) {
            users.extend(users.clone());
        }
        self.world.reads.fetch_add(1, Ordering::Relaxed);
        Ok(users)
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        if let Some(away) = self.away() {
            return away;
        }
        let mut channels = self.store().channels_of_server(sid).await?;
        if self.is(Fault::EmptyChannelsAreListed) && channels.is_empty() {
            channels.push("a channel that was".into());
        }
        Ok(channels)
    }

    async fn count(&self, channel: &str) -> Result<u64> {
        if let Some(away) = self.away() {
            return away;
        }
        let count = self.store().count(channel).await?;
        Ok(if self.is(Fault::CountsChannelsTwice) { count * 2 } else { count })
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        if let Some(away) = self.away() {
            return away;
        }
        if !self.is(Fault::DestroysWhereItHasWritten) {
            return self.store().destroy(&self.name(channel)).await;
        }
        let wrote = self.wrote.lock().clone();
        for at in wrote {
            let users = self.store().members_by_server(channel, &at.sid).await?;
            self.store().leave_many(channel, &at, &users).await?;
        }
        Ok(())
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        if let Some(away) = self.away() {
            return away;
        }
        match self.fault {
            Fault::LivesDoNotMatter | Fault::PredecessorsStay => {
                self.empty(&Frontend { incarnation: Incarnation(1), ..frontend.clone() }, usize::MAX).await
            }
            Fault::PurgesForgetTheLife => self.empty(frontend, usize::MAX).await,
            Fault::PurgesTakeSuccessors => {
                let all = Frontend { incarnation: Incarnation(MAX_INCARNATION.0 - 1), ..frontend.clone() };
                self.store().purge_server(&all).await
            }
            Fault::PurgesAreRememberedByOneManager => {
                self.purged.lock().push(frontend.clone());
                self.empty(frontend, usize::MAX).await
            }
            Fault::PurgesTakeOneChannel => self.empty(frontend, 1).await,
            Fault::PurgesChannelByChannel => {
                self.empty(frontend, usize::MAX).await?;
                self.store().purge_server(frontend).await
            }
            _ => self.store().purge_server(frontend).await,
        }
    }

    async fn clean(&self) -> Result<()> {
        match self.fault {
            Fault::CleanDoesNothing => return Ok(()),
            Fault::CleanKeepsPurges => {
                let wrote = self.wrote.lock().clone();
                for at in wrote {
                    self.empty(&at, usize::MAX).await?;
                }
                return Ok(());
            }
            Fault::CleanTakesTheNeighbour => self.world.neighbour.clean().await?,
            _ => (),
        }
        self.store().clean().await
    }
}

impl tangelo_core::conformance::channel_manager::Outage for World {
    fn down(&self) -> BoxFuture<'_, ()> {
        self.down.store(true, Ordering::Relaxed);
        Box::pin(async {})
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        self.down.store(false, Ordering::Relaxed);
        Box::pin(async {})
    }
}
