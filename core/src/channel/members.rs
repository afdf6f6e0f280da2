//! The members themselves, and whose life is over.

use super::{ChannelMember, Frontend};
use crate::config::Incarnation;
use crate::{Error, ErrorKind, Result};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;
use serde::{Deserialize, Serialize};

/// A channel: its users at each frontend, none of them empty.
type Channel = BTreeMap<String, BTreeSet<Box<str>>>;

/// Who is in which channel, by the rules of [`ChannelManager`](super::ChannelManager): a set, and one life of a frontend at
/// a time.
///
/// It is what a manager holds that keeps its members in memory, or in a place that is read and written as a whole. It
/// checks no names ([`check_change`](super::check_change) does), and where it is kept is for the manager to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Those that have members.
    channels: BTreeMap<String, Channel>,
    frontends: BTreeMap<String, Known>,
}

/// What is known of a frontend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Earlier lives change nothing any more.
    oldest: Incarnation,
    /// Where it has members.
    channels: BTreeSet<String>,
}

impl Members {
    /// Puts users into a channel.
    ///
    /// # Errors
    /// [`StaleIncarnation`](ErrorKind::StaleIncarnation) if the frontend's life is over; then nothing has changed.
    pub fn add(&mut self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        if uids.is_empty() {
            return Ok(());
        }
        let known = self.enter(frontend)?;
        if !known.channels.contains(channel) {
            known.channels.insert(channel.into());
        }
        let users = self.channels.entry(channel.into()).or_default().entry(frontend.sid.clone()).or_default();
        for uid in uids {
            if !users.contains(uid.as_str()) {
                users.insert(uid.as_str().into());
            }
        }
        Ok(())
    }

    /// Takes users out of a channel.
    ///
    /// # Errors
    /// [`StaleIncarnation`](ErrorKind::StaleIncarnation) if the frontend's life is over; then nothing has changed.
    pub fn leave(&mut self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        if uids.is_empty() {
            return Ok(());
        }
        self.enter(frontend)?;
        let Some(users) = self.channels.get_mut(channel).and_then(|at| at.get_mut(&frontend.sid)) else {
            return Ok(());
        };
        for uid in uids {
            users.remove(uid.as_str());
        }
        if users.is_empty() {
            self.remove(channel, &frontend.sid);
            if let Some(known) = self.frontends.get_mut(&frontend.sid) {
                known.channels.remove(channel);
            }
        }
        Ok(())
    }

    /// This life changes something: those before it are over, and it must not be over itself.
    fn enter(&mut self, frontend: &Frontend) -> Result<&mut Known> {
        let known = self.frontends.get(&frontend.sid);
        match known.map(|known| known.oldest) {
            Some(oldest) if frontend.incarnation < oldest => {
                let Frontend { sid, incarnation } = frontend;
                let message =
                    format!("the life {incarnation} of {sid} is over: it changes no members any more");
                return Err(Error::new(ErrorKind::StaleIncarnation, message));
            }
            Some(oldest) if frontend.incarnation > oldest => self.begin(&frontend.sid, frontend.incarnation),
            _ => (),
        }
        let new = || Known { oldest: frontend.incarnation, channels: BTreeSet::new() };
        Ok(self.frontends.entry(frontend.sid.clone()).or_insert_with(new))
    }

    /// Ends all lives before `oldest`.
    fn begin(&mut self, sid: &str, oldest: Incarnation) {
        let known = Known { oldest, channels: BTreeSet::new() };
        let before = self.frontends.insert(sid.into(), known);
        for channel in before.into_iter().flat_map(|known| known.channels) {
            self.remove(&channel, sid);
        }
    }

    fn remove(&mut self, channel: &str, sid: &str) {
        if let Some(at) = self.channels.get_mut(channel) {
            at.remove(sid);
            if at.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    /// Ends a life of a frontend, and those before it, with their members.
    pub fn purge(&mut self, frontend: &Frontend) {
        let oldest = frontend.incarnation.next();
        if self.frontends.get(&frontend.sid).is_none_or(|known| known.oldest < oldest) {
            self.begin(&frontend.sid, oldest);
        }
    }

    /// Removes a channel with all its members.
    pub fn destroy(&mut self, channel: &str) {
        for sid in self.channels.remove(channel).unwrap_or_default().into_keys() {
            if let Some(known) = self.frontends.get_mut(&sid) {
                known.channels.remove(channel);
            }
        }
    }

    fn users(&self, channel: &str, sid: &str) -> Option<&BTreeSet<Box<str>>> {
        self.channels.get(channel)?.get(sid)
    }

    /// The users of a channel at a frontend, each once.
    #[must_use]
    pub fn at(&self, channel: &str, sid: &str) -> Vec<String> {
        self.users(channel, sid).into_iter().flatten().map(|uid| String::from(&**uid)).collect()
    }

    /// Whether a user is in a channel at a frontend.
    #[must_use]
    pub fn contains(&self, channel: &str, sid: &str, uid: &str) -> bool {
        self.users(channel, sid).is_some_and(|users| users.contains(uid))
    }

    /// How many members a channel has.
    #[must_use]
    pub fn count(&self, channel: &str) -> u64 {
        self.channels.get(channel).map_or(0, |at| at.values().map(|users| users.len() as u64).sum())
    }

    /// The channels that have members at a frontend, each once.
    #[must_use]
    pub fn channels(&self, sid: &str) -> Vec<String> {
        self.frontends.get(sid).into_iter().flat_map(|known| &known.channels).cloned().collect()
    }

    /// The frontends at which a channel has members.
    #[must_use]
    pub fn frontends(&self, channel: &str) -> Vec<String> {
        self.channels.get(channel).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// At most `limit` users of a channel at a frontend, those after `after`.
    #[must_use]
    pub fn page(&self, channel: &str, sid: &str, after: Option<&str>, limit: usize) -> Vec<ChannelMember> {
        let Some(users) = self.users(channel, sid) else { return Vec::new() };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = users.range::<str, _>((start, Bound::Unbounded)).take(limit);
        page.map(|uid| ChannelMember { uid: String::from(&**uid), sid: sid.into() }).collect()
    }
}
