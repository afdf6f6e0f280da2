//! Channels that one process knows.

use super::sender::Sender;
use crate::sync::Mutex;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use std::collections::{HashMap, HashSet};
use tangelo_core::Result;
use tangelo_core::channel::{ChannelMember, PushOptions, PushReport, check_name};

/// Channels in the memory of this process, with users at any frontend; a cheap handle, from
/// [`App::channels`](crate::App::channels).
///
/// They need no store, are known to no other server, and end with this process. A push sends each
/// frontend the names of its members along with the message, so channels of very many users are
/// better [global](crate::GlobalChannelService) ones.
///
/// Nobody leaves by itself but the users of a frontend that has gone.
#[derive(Debug, Clone)]
pub struct ChannelService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sender: Sender,
    channels: Mutex<HashMap<String, Channel>>,
}

/// The users at each frontend; none of them empty.
type Channel = BTreeMap<String, HashSet<String>>;

impl ChannelService {
    pub(super) fn new(sender: Sender) -> Self {
        Self(Arc::new(Inner { sender, channels: Mutex::default() }))
    }

    /// Puts the user `uid` at the frontend `sid` into a channel. Doing it twice is doing it once.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name of other than 1 to 255 bytes.
    pub fn add(&self, channel: &str, uid: &str, sid: &str) -> Result<()> {
        self.add_many(channel, &[uid], sid)
    }

    /// Puts several users of one frontend into a channel.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_many<U: AsRef<str>>(&self, channel: &str, uids: &[U], sid: &str) -> Result<()> {
        check(channel, uids, sid)?;
        if !uids.is_empty() {
            let mut channels = self.0.channels.lock();
            let users = channels.entry(channel.into()).or_default().entry(sid.into()).or_default();
            users.extend(uids.iter().map(|uid| uid.as_ref().into()));
        }
        Ok(())
    }

    /// Takes a user out of a channel. That it is not there is fine.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn leave(&self, channel: &str, uid: &str, sid: &str) -> Result<()> {
        self.leave_many(channel, &[uid], sid)
    }

    /// Takes several users of one frontend out of a channel.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn leave_many<U: AsRef<str>>(&self, channel: &str, uids: &[U], sid: &str) -> Result<()> {
        check(channel, uids, sid)?;
        let mut channels = self.0.channels.lock();
        if let Some(users) = channels.get_mut(channel).and_then(|at| at.get_mut(sid)) {
            uids.iter().for_each(|uid| _ = users.remove(uid.as_ref()));
            tidy(&mut channels, channel);
        }
        Ok(())
    }

    /// Takes a user of one frontend out of all channels.
    pub fn leave_all(&self, uid: &str, sid: &str) {
        self.0.channels.lock().retain(|_, at| {
            if let Some(users) = at.get_mut(sid)
                && users.remove(uid)
                && users.is_empty()
            {
                at.remove(sid);
            }
            !at.is_empty()
        });
    }

    /// Takes out everybody who is at a frontend; done for each that has gone.
    pub fn leave_server(&self, sid: &str) {
        self.0.channels.lock().retain(|_, at| {
            at.remove(sid);
            !at.is_empty()
        });
    }

    /// All members of a channel, by frontend.
    #[must_use]
    pub fn members(&self, channel: &str) -> Vec<ChannelMember> {
        let channels = self.0.channels.lock();
        let at = channels.get(channel).into_iter().flatten();
        let member = |sid: &String, uid: &String| ChannelMember { uid: uid.clone(), sid: sid.clone() };
        at.flat_map(|(sid, users)| users.iter().map(move |uid| member(sid, uid))).collect()
    }

    /// The users of a channel at one frontend.
    #[must_use]
    pub fn members_by_server(&self, channel: &str, sid: &str) -> Vec<String> {
        let channels = self.0.channels.lock();
        channels.get(channel).and_then(|at| at.get(sid)).into_iter().flatten().cloned().collect()
    }

    /// Whether a user is in a channel at one frontend.
    #[must_use]
    pub fn contains(&self, channel: &str, uid: &str, sid: &str) -> bool {
        let channels = self.0.channels.lock();
        channels.get(channel).and_then(|at| at.get(sid)).is_some_and(|users| users.contains(uid))
    }

    /// How many members a channel has; a user at two frontends counts twice.
    #[must_use]
    pub fn count(&self, channel: &str) -> usize {
        self.0.channels.lock().get(channel).map_or(0, |at| at.values().map(HashSet::len).sum())
    }

    /// The channels that have users at one frontend.
    #[must_use]
    pub fn channels_of_server(&self, sid: &str) -> Vec<String> {
        let channels = self.0.channels.lock();
        channels.iter().filter(|(_, at)| at.contains_key(sid)).map(|(name, _)| name.clone()).collect()
    }

    /// Removes a channel with all its members.
    pub fn destroy(&self, channel: &str) {
        self.0.channels.lock().remove(channel);
    }

    /// Sends a message to the members of a channel, and reports exactly who was not reached.
    /// `route` is what clients know the message by.
    ///
    /// A frontend that is down or slow does not hold up the others, and all of it ends within the
    /// options' timeout.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the route or the options are out of bounds. All
    /// else is in the report.
    ///
    /// # Cancel safety
    /// Not cancel safe: the message may be delivered all the same.
    pub async fn push(
        &self,
        route: &str,
        message: impl Into<Vec<u8>>,
        channel: &str,
        options: &PushOptions,
    ) -> Result<PushReport> {
        let except: HashSet<&str> = options.except.iter().map(String::as_str).collect();
        let only: Option<HashSet<&str>> =
            options.only.as_ref().map(|only| only.iter().map(String::as_str).collect());
        let is_for = |uid: &str| !except.contains(uid) && only.as_ref().is_none_or(|only| only.contains(uid));
        let mut users: Vec<(String, Vec<String>)> = Vec::new();
        for (sid, here) in self.0.channels.lock().get(channel).into_iter().flatten() {
            let here: Vec<String> = here.iter().filter(|uid| is_for(uid)).cloned().collect();
            if !here.is_empty() {
                users.push((sid.clone(), here));
            }
        }
        self.0.sender.push_to(users, route, message.into(), options).await
    }
}

fn tidy(channels: &mut HashMap<String, Channel>, channel: &str) {
    if let Some(at) = channels.get_mut(channel) {
        at.retain(|_, users| !users.is_empty());
        if at.is_empty() {
            channels.remove(channel);
        }
    }
}

fn check<U: AsRef<str>>(channel: &str, uids: &[U], sid: &str) -> Result<()> {
    check_name("channel", channel)?;
    check_name("frontend", sid)?;
    uids.iter().try_for_each(|uid| check_name("user", uid.as_ref()))
}
