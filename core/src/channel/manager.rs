//! The store of channels, as a part of one's own.

use super::{ChannelMember, Frontend};
use crate::{BoxStream, Result};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;
use core::fmt::Debug;
use core::future::poll_fn;

/// The most members that one page of [`ChannelManager::members`] holds.
pub const MAX_PAGE: usize = 4096;

/// What a channel manager can promise beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Capability {
    /// Members outlive this manager, and the process.
    pub durable: bool,
    /// Several managers, also those of other processes, see the same members.
    pub shared: bool,
    /// [`purge_server`](ChannelManager::purge_server) is one atomic step for all channels; if
    /// false it is atomic for each channel.
    pub atomic_purge: bool,
}

impl Capability {
    /// A manager that lives and dies with this process and sees every change in one step.
    pub const LOCAL: Self = Self { durable: false, shared: false, atomic_purge: true };

    /// Sets [`durable`](Self::durable).
    #[must_use]
    pub const fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets [`shared`](Self::shared).
    #[must_use]
    pub const fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Sets [`atomic_purge`](Self::atomic_purge).
    #[must_use]
    pub const fn atomic_purge(mut self, atomic_purge: bool) -> Self {
        self.atomic_purge = atomic_purge;
        self
    }
}

/// Holds who is in which channel, at which frontend.
///
/// # Contract
///
/// - Membership is a set of (channel, frontend, uid): adding twice is adding once, removing what
///   is not there succeeds. The same uid may be in a channel at several frontends. A channel is
///   there as long as it has members.
/// - A change is durable, in the sense of [`Capability::durable`], and seen by every later read of
///   every manager on the store, before it returns `Ok`. A change of no users changes nothing.
/// - A change happens whole or not at all, for readers too: [`members_by_server`](Self::members_by_server)
///   shows all of a batch or none of it.
/// - **One life at a time.** Changes name the frontend's incarnation. Those of an incarnation that
///   was purged, or that is older than one which was purged or has made a change, are refused with
///   [`StaleIncarnation`](crate::ErrorKind::StaleIncarnation), by every manager on the store and
///   for good. The first change by a later incarnation also purges those before it, as
///   [`purge_server`](Self::purge_server) does: so no ghost outlives its successor's first user,
///   and members need not be stored with their incarnation.
/// - A store that cannot be reached is an error, never an empty answer. Every call, and every page,
///   ends within a timeout of the manager's own.
/// - Names are opaque: any UTF-8 without NUL, 1 to [`MAX_NAME`](super::MAX_NAME) bytes, compared
///   byte by byte. Others are refused with [`Invalid`](crate::ErrorKind::Invalid) before anything is
///   changed; [`check_change`](super::check_change) does it.
/// - A reader that is slow, or is dropped half way, holds nobody else up.
///
/// The suite `conformance::channel_manager` puts all of it to the test.
///
/// # Cancel safety
///
/// Changes are cancel safe in that they happen whole or not at all; a dropped future does not tell
/// which. Reads are cancel safe.
#[async_trait]
pub trait ChannelManager: Debug + Send + Sync {
    /// What this manager promises beyond the contract.
    fn capability(&self) -> Capability;

    /// Prepares the store: connects, migrates. Called before anything else; several managers may
    /// start at once.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) or [`Denied`](crate::ErrorKind::Denied), with the cure in the message.
    ///
    /// # Cancel safety
    /// Cancel safe; calling it again continues.
    async fn start(&self) -> Result<()> {
        Ok(())
    }

    /// Lets go of the store. Called once, after everything else.
    ///
    /// # Errors
    /// If what was acknowledged could not be made durable.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn stop(&self) -> Result<()> {
        Ok(())
    }

    /// Puts users into a channel, all or none of them.
    ///
    /// # Errors
    /// [`StaleIncarnation`](crate::ErrorKind::StaleIncarnation), [`Invalid`](crate::ErrorKind::Invalid),
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout).
    ///
    /// # Cancel safety
    /// See the trait.
    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()>;

    /// Takes users out of a channel, all or none of them.
    ///
    /// # Errors
    /// As for [`add_many`](Self::add_many).
    ///
    /// # Cancel safety
    /// See the trait.
    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()>;

    /// Puts one user into a channel.
    ///
    /// # Errors
    /// As for [`add_many`](Self::add_many).
    ///
    /// # Cancel safety
    /// See the trait.
    async fn add(&self, channel: &str, frontend: &Frontend, uid: &str) -> Result<()> {
        self.add_many(channel, frontend, &[uid.into()]).await
    }

    /// Takes one user out of a channel.
    ///
    /// # Errors
    /// As for [`add_many`](Self::add_many).
    ///
    /// # Cancel safety
    /// See the trait.
    async fn leave(&self, channel: &str, frontend: &Frontend, uid: &str) -> Result<()> {
        self.leave_many(channel, frontend, &[uid.into()]).await
    }

    /// All members of a channel, in pages of at most [`MAX_PAGE`]. A member that is there from the
    /// first page to the last is reported at least once; the stream ends with the first error.
    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>>;

    /// The users of a channel at one frontend, each once.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>>;

    /// The channels that have users at one frontend, each once.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>>;

    /// Whether a user is in a channel at one frontend. A store that can look it up should, instead
    /// of reading all, as is done here.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn contains(&self, channel: &str, sid: &str, uid: &str) -> Result<bool> {
        super::check_name("user", uid)?;
        Ok(self.members_by_server(channel, sid).await?.iter().any(|member| member == uid))
    }

    /// How many members a channel has; a user at two frontends counts twice. A store that can count
    /// should, instead of reading all, as is done here.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn count(&self, channel: &str) -> Result<u64> {
        let (mut pages, mut seen) = (self.members(channel), BTreeSet::new());
        while let Some(page) = poll_fn(|cx| pages.as_mut().poll_next(cx)).await {
            seen.extend(page?);
        }
        Ok(seen.len() as u64)
    }

    /// Removes a channel with all its members, at every frontend that ever had some.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// See the trait.
    async fn destroy(&self, channel: &str) -> Result<()>;

    /// Removes the members of a dead incarnation, and of those before it, from every channel, and
    /// refuses it from then on. Members of a later incarnation are not touched.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// See the trait; calling it again finishes what was begun.
    async fn purge_server(&self, frontend: &Frontend) -> Result<()>;

    /// Removes everything under this manager's prefix, and nothing else, in bounded batches; also
    /// the knowledge of which incarnations are over, so it is for a cluster that does not run.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe; calling it again continues.
    async fn clean(&self) -> Result<()>;
}
