//! What a chat server remembers of its rooms, to tell who has gone. Who is in a room is said by its global channel.

use crate::choose;
use core::fmt;
use futures_lite::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo::{App, GlobalChannelService, Result, ServerInfo};

/// Where a user is: the connector, and the session there if it has entered through this server.
#[derive(Debug, PartialEq, Eq)]
struct Seat {
    sid: String,
    session: Option<u64>,
}

#[derive(Debug, Default)]
struct Known {
    rooms: BTreeMap<String, BTreeMap<String, Seat>>,
    entering: BTreeSet<String>,
    messages: u64,
    missed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<Known>);

/// As long as this lives nobody else enters with the same name.
pub(crate) struct Entering<'a> {
    rooms: &'a Rooms,
    uid: String,
}

impl Drop for Entering<'_> {
    fn drop(&mut self) {
        self.rooms.known().entering.remove(&self.uid);
    }
}

/// Who is in a room, and at which connector; without those whose connector has gone.
pub(crate) async fn present(
    app: &App,
    channels: &GlobalChannelService,
    room: &str,
) -> Result<BTreeMap<String, String>> {
    let up: BTreeSet<String> = app.servers().into_iter().map(|server| server.def.id).collect();
    let mut present = BTreeMap::new();
    let mut pages = channels.members(room);
    while let Some(page) = pages.next().await {
        let here = page?.into_iter().filter(|member| up.contains(&member.sid));
        present.extend(here.map(|member| (member.uid, member.sid)));
    }
    Ok(present)
}

impl Rooms {
    /// `None` if somebody is entering with this name.
    pub(crate) fn begin(&self, uid: &str) -> Option<Entering<'_>> {
        self.known().entering.insert(uid.into()).then(|| Entering { rooms: self, uid: uid.into() })
    }

    /// Somebody has entered a room with these members.
    pub(crate) fn entered(
        &self,
        app: &App,
        room: &str,
        members: BTreeMap<String, String>,
        uid: &str,
        session: u64,
    ) {
        let mut known = self.known();
        let seats = known.rooms.entry(room.into()).or_default();
        seats.retain(|uid, seat| members.get(uid) == Some(&seat.sid));
        for (member, sid) in members {
            let session = (member == uid).then_some(session);
            let seat = seats.entry(member).or_insert_with(|| Seat { sid, session });
            seat.session = session.or(seat.session);
        }
        app.set_status(&known.to_string());
    }

    /// The rooms that were heard of.
    pub(crate) fn names(&self) -> Vec<String> {
        self.known().rooms.keys().cloned().collect()
    }

    /// These are members of a room; those that were not known, or are at servers that have just come.
    pub(crate) fn found(
        &self,
        app: &App,
        room: &str,
        members: BTreeMap<String, String>,
        added: &BTreeSet<String>,
    ) -> Vec<String> {
        let mut known = self.known();
        let Some(seats) = known.rooms.get_mut(room) else { return Vec::new() };
        let mut found = Vec::new();
        for (uid, sid) in members {
            if added.contains(&sid) || !seats.contains_key(&uid) {
                found.push(uid.clone());
            }
            seats.entry(uid).or_insert(Seat { sid, session: None });
        }
        app.set_status(&known.to_string());
        found
    }

    /// Whether this user is in the room, as far as is known.
    pub(crate) fn has(&self, room: &str, uid: &str) -> bool {
        self.known().rooms.get(room).is_some_and(|seats| seats.contains_key(uid))
    }

    /// A session has closed. False if its user is here with another one by now.
    pub(crate) fn left(&self, app: &App, room: &str, uid: &str, sid: &str, session: u64) -> bool {
        let mut known = self.known();
        let Some(seats) = known.rooms.get_mut(room) else { return true };
        if seats
            .get(uid)
            .is_some_and(|seat| seat.sid != sid || seat.session.is_some_and(|own| own != session))
        {
            return false;
        }
        seats.remove(uid);
        known.rooms.retain(|_, seats| !seats.is_empty());
        app.set_status(&known.to_string());
        true
    }

    /// Forgets rooms that are another chat server's now.
    pub(crate) fn keep_own(&self, app: &App) {
        let chats = app.servers_by_type().remove("chat").unwrap_or_default();
        let mut known = self.known();
        known
            .rooms
            .retain(|room, _| choose::best(&chats, room).is_none_or(|server| server.def.id == app.id()));
        app.set_status(&known.to_string());
    }

    /// Forgets whoever was at these servers, and says who that was, by room.
    pub(crate) fn lost(&self, gone: &[ServerInfo]) -> Vec<(String, Vec<String>)> {
        let mut lost = Vec::new();
        for (room, seats) in &mut self.known().rooms {
            let users = seats.extract_if(.., |_, seat| gone.iter().any(|server| server.def.id == seat.sid));
            let users: Vec<String> = users.map(|(uid, _)| uid).collect();
            if !users.is_empty() {
                lost.push((room.clone(), users));
            }
        }
        lost
    }

    /// A message was said, which so many have missed.
    pub(crate) fn said(&self, app: &App, missed: usize) {
        let mut known = self.known();
        known.messages += 1;
        known.missed += missed as u64;
        app.set_status(&known.to_string());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `list` shows of this server.
impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rooms, messages, missed, .. } = self;
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let (users, rooms) = (rooms.values().map(|seats| seats.len() as u64).sum(), rooms.len() as u64);
        write!(f, "{rooms} room{}, {users} user{}, {messages} message{}", s(rooms), s(users), s(*messages))?;
        if *missed > 0 {
            write!(f, ", {missed} missed")?;
        }
        Ok(())
    }
}
