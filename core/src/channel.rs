//! Channels whose members sit at any frontend.

use crate::config::Incarnation;
use crate::{BoxStream, Result};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;
use core::fmt::Debug;
use serde::{Deserialize, Serialize};

/// One life of a frontend server. Members belong to it, and go when it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Frontend {
    /// The frontend's server id.
    pub sid: String,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// A user in a channel, at a frontend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelMember {
    /// The user.
    pub uid: String,
    /// The server id of the frontend that the user is connected to.
    pub sid: String,
}

/// What a channel manager can promise beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Capability {
    /// Members outlive this process.
    pub durable: bool,
    /// Several processes see the same members.
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
///   is not there succeeds. The same uid may be in a channel at several frontends.
/// - A change is durable, in the sense of [`Capability::durable`], before it returns `Ok`.
/// - Changes name the frontend's incarnation. Once an incarnation was purged, changes by it, or by
///   an older one, are refused with [`StaleIncarnation`](crate::ErrorKind::StaleIncarnation).
/// - A store that cannot be reached is an error, never an empty answer.
/// - Names are opaque: any UTF-8 without NUL, 1 to 255 bytes.
///
/// # Cancel safety
///
/// Changes are cancel safe in that they happen whole or not at all; a dropped future does not tell
/// which. Reads are cancel safe.
#[async_trait]
pub trait ChannelManager: Debug + Send + Sync {
    /// What this manager promises beyond the contract.
    fn capability(&self) -> Capability;

    /// Prepares the store: connects, migrates. Called once, before anything else.
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
    /// [`StaleIncarnation`](crate::ErrorKind::StaleIncarnation), [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout).
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

    /// All members of a channel, page by page. A member that is there from the first page to the
    /// last is reported at least once; the stream ends with the first error.
    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>>;

    /// The users of a channel at one frontend.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>>;

    /// The channels that have users at one frontend.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>>;

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

    /// Removes everything under this manager's prefix, and nothing else, in bounded batches.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe; calling it again continues.
    async fn clean(&self) -> Result<()>;
}
