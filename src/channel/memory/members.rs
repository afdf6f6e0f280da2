//! The members themselves, and whose life is over.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;
use std::collections::{HashMap, HashSet};
use tangelo_core::channel::{ChannelMember, Frontend};
use tangelo_core::config::Incarnation;
use tangelo_core::{Error, ErrorKind, Result};

/// A channel: its users at each frontend, none of them empty.
type Channel = BTreeMap<String, BTreeSet<Box<str>>>;

#[derive(Debug, Default)]
pub(super) struct Members {
    /// Those that have members.
    channels: HashMap<String, Channel>,
    frontends: HashMap<String, Known>,
}

/// What is known of a frontend.
#[derive(Debug)]
struct Known {
    /// Earlier lives change nothing any more.
    oldest: Incarnation,
    /// Where it has members.
    channels: HashSet<String>,
}

impl Members {
    pub(super) fn add(&mut self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
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

    pub(super) fn leave(&mut self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
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
        let new = || Known { oldest: frontend.incarnation, channels: HashSet::new() };
        Ok(self.frontends.entry(frontend.sid.clone()).or_insert_with(new))
    }

    /// Ends all lives before `oldest`.
    fn begin(&mut self, sid: &str, oldest: Incarnation) {
        let known = Known { oldest, channels: HashSet::new() };
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

    pub(super) fn purge(&mut self, frontend: &Frontend) {
        let oldest = frontend.incarnation.next();
        if self.frontends.get(&frontend.sid).is_none_or(|known| known.oldest < oldest) {
            self.begin(&frontend.sid, oldest);
        }
    }

    pub(super) fn destroy(&mut self, channel: &str) {
        for sid in self.channels.remove(channel).unwrap_or_default().into_keys() {
            if let Some(known) = self.frontends.get_mut(&sid) {
                known.channels.remove(channel);
            }
        }
    }

    fn users(&self, channel: &str, sid: &str) -> Option<&BTreeSet<Box<str>>> {
        self.channels.get(channel)?.get(sid)
    }

    pub(super) fn at(&self, channel: &str, sid: &str) -> Vec<String> {
        self.users(channel, sid).into_iter().flatten().map(|uid| String::from(&**uid)).collect()
    }

    pub(super) fn contains(&self, channel: &str, sid: &str, uid: &str) -> bool {
        self.users(channel, sid).is_some_and(|users| users.contains(uid))
    }

    pub(super) fn count(&self, channel: &str) -> u64 {
        self.channels.get(channel).map_or(0, |at| at.values().map(|users| users.len() as u64).sum())
    }

    pub(super) fn channels(&self, sid: &str) -> Vec<String> {
        self.frontends.get(sid).into_iter().flat_map(|known| &known.channels).cloned().collect()
    }

    /// The frontends at which a channel has members.
    pub(super) fn frontends(&self, channel: &str) -> Vec<String> {
        self.channels.get(channel).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// At most `limit` users of a channel at a frontend, those after `after`.
    pub(super) fn page(
        &self,
        channel: &str,
        sid: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<ChannelMember> {
        let Some(users) = self.users(channel, sid) else { return Vec::new() };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = users.range::<str, _>((start, Bound::Unbounded)).take(limit);
        page.map(|uid| ChannelMember { uid: String::from(&**uid), sid: sid.into() }).collect()
    }
}
