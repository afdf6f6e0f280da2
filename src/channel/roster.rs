//! The members that are at this frontend, in memory: about a hundred bytes for each.

use alloc::sync::Arc;
use std::collections::HashMap;

/// Who is in which channel here. Users and channels are numbered, so that a membership costs 4
/// bytes in the channel and 8 at the user.
#[derive(Debug, Default)]
pub(super) struct Roster {
    users: HashMap<Arc<str>, u32>,
    user_slots: Slots<User>,
    channels: HashMap<Arc<str>, u32>,
    channel_slots: Slots<Channel>,
    members: usize,
    /// How many users have come so far; it may wrap.
    came: u32,
}

/// A user, while it is in some channel.
#[derive(Debug)]
struct User {
    name: Arc<str>,
    places: Places,
    /// Tells it from another who had its number before.
    came: u32,
}

/// A user as it was at some moment: number, and when it came.
pub(super) type Seen = (u32, u32);

/// A channel, while it has some user.
#[derive(Debug)]
struct Channel {
    name: Arc<str>,
    users: Vec<u32>,
}

/// The channel that a user is in, and where in its list.
#[derive(Debug, Clone, Copy)]
struct Place {
    channel: u32,
    index: u32,
}

/// Most users are in one channel or few.
#[derive(Debug)]
enum Places {
    One(Place),
    /// By the channel's number.
    #[allow(clippy::box_collection, reason = "a vector in place would cost every user 8 bytes more")]
    Many(Box<Vec<Place>>),
}

impl Places {
    fn as_slice(&self) -> &[Place] {
        match self {
            Self::One(place) => core::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }

    fn find(&self, channel: u32) -> Option<Place> {
        let places = self.as_slice();
        places.binary_search_by_key(&channel, |place| place.channel).ok().map(|at| places[at])
    }

    fn insert(&mut self, place: Place) {
        match self {
            Self::One(first) => {
                let mut both = vec![*first, place];
                both.sort_unstable_by_key(|place| place.channel);
                *self = Self::Many(Box::new(both));
            }
            Self::Many(places) => {
                let at = places.partition_point(|other| other.channel < place.channel);
                places.insert(at, place);
            }
        }
    }

    fn set(&mut self, moved: Place) {
        let places = match self {
            Self::One(place) => core::slice::from_mut(place),
            Self::Many(places) => places,
        };
        if let Ok(at) = places.binary_search_by_key(&moved.channel, |place| place.channel) {
            places[at].index = moved.index;
        }
    }

    /// Whether none is left.
    fn remove(&mut self, channel: u32) -> bool {
        let Self::Many(places) = self else { return true };
        places.retain(|place| place.channel != channel);
        if let [last] = places[..] {
            *self = Self::One(last);
        }
        false
    }
}

/// Numbered things; numbers are used again.
#[derive(Debug)]
struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(free) = self.free.pop() {
            self.slots[free as usize] = Some(value);
            return Some(free);
        }
        let number = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(Some(value));
        Some(number)
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    fn remove(&mut self, number: u32) {
        self.slots[number as usize] = None;
        self.free.push(number);
        if self.free.len() == self.slots.len() {
            *self = Self::default();
        }
    }
}

impl Roster {
    /// How many memberships there are.
    pub(super) const fn len(&self) -> usize {
        self.members
    }

    /// Whether it was not there before.
    pub(super) fn add(&mut self, channel: &str, uid: &str) -> bool {
        if self.contains(channel, uid) {
            return false;
        }
        let Some(number) = self.channel(channel) else { return false };
        let Some(room) = self.channel_slots.get_mut(number) else { return false };
        let Ok(index) = u32::try_from(room.users.len()) else { return false };
        let place = Place { channel: number, index };
        let user = match self.users.get(uid) {
            Some(&user) => {
                if let Some(known) = self.user_slots.get_mut(user) {
                    known.places.insert(place);
                }
                user
            }
            None => {
                let name: Arc<str> = uid.into();
                self.came = self.came.wrapping_add(1);
                let new = User { name: Arc::clone(&name), places: Places::One(place), came: self.came };
                let Some(user) = self.user_slots.insert(new) else { return false };
                self.users.insert(name, user);
                user
            }
        };
        room.users.push(user);
        self.members += 1;
        true
    }

    fn channel(&mut self, channel: &str) -> Option<u32> {
        if let Some(&number) = self.channels.get(channel) {
            return Some(number);
        }
        let name: Arc<str> = channel.into();
        let number = self.channel_slots.insert(Channel { name: Arc::clone(&name), users: Vec::new() })?;
        self.channels.insert(name, number);
        Some(number)
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, channel: &str, uid: &str) -> bool {
        let Some((room, user)) = self.numbers(channel, uid) else { return false };
        let Some(place) = self.user_slots.get(user).and_then(|known| known.places.find(room)) else {
            return false;
        };
        self.forget_place(user, room);
        let Some(list) = self.channel_slots.get_mut(room).map(|room| &mut room.users) else { return false };
        list.swap_remove(place.index as usize);
        if list.capacity() > 64 && list.len() < list.capacity() / 4 {
            list.shrink_to(list.len() * 2);
        }
        let moved = list.get(place.index as usize).copied();
        let empty = list.is_empty();
        if let Some(moved) = moved.and_then(|moved| self.user_slots.get_mut(moved)) {
            moved.places.set(place);
        }
        if empty {
            self.channels.remove(channel);
            self.channel_slots.remove(room);
            shrink(&mut self.channels);
        }
        self.members -= 1;
        true
    }

    fn forget_place(&mut self, user: u32, room: u32) {
        let Some(known) = self.user_slots.get_mut(user) else { return };
        if known.places.remove(room) {
            let name = Arc::clone(&known.name);
            self.users.remove(&name);
            self.user_slots.remove(user);
            shrink(&mut self.users);
        }
    }

    fn numbers(&self, channel: &str, uid: &str) -> Option<(u32, u32)> {
        Some((*self.channels.get(channel)?, *self.users.get(uid)?))
    }

    pub(super) fn contains(&self, channel: &str, uid: &str) -> bool {
        let numbers = self.numbers(channel, uid);
        numbers.is_some_and(|(room, user)| {
            self.user_slots.get(user).is_some_and(|known| known.places.find(room).is_some())
        })
    }

    /// The channels that a user is in.
    pub(super) fn channels_of(&self, uid: &str) -> Vec<String> {
        let user = self.users.get(uid).and_then(|&user| self.user_slots.get(user));
        let places = user.map_or(&[][..], |user| user.places.as_slice());
        let names = places.iter().filter_map(|place| self.channel_slots.get(place.channel));
        names.map(|channel| String::from(&*channel.name)).collect()
    }

    /// All channels that have members here.
    #[cfg(test)]
    fn channels(&self) -> Vec<String> {
        self.channels.keys().map(|name| String::from(&**name)).collect()
    }

    /// How many members a channel has here.
    pub(super) fn count(&self, channel: &str) -> usize {
        self.list(channel).len()
    }

    fn list(&self, channel: &str) -> &[u32] {
        let room = self.channels.get(channel).and_then(|&room| self.channel_slots.get(room));
        room.map_or(&[], |room| &room.users)
    }

    /// The users of a channel.
    pub(super) fn users(&self, channel: &str) -> Vec<String> {
        let users = self.list(channel).iter().filter_map(|&user| self.user_slots.get(user));
        users.map(|user| String::from(&*user.name)).collect()
    }

    /// The users of a channel at this moment, for [`names`](Self::names).
    pub(super) fn snapshot(&self, channel: &str) -> Vec<Seen> {
        let came = |&user: &u32| self.user_slots.get(user).map(|known| (user, known.came));
        self.list(channel).iter().filter_map(came).collect()
    }

    /// The names of those among `users` that are still in the channel, into `names`.
    pub(super) fn names(&self, channel: &str, users: &[Seen], names: &mut Vec<Arc<str>>) {
        names.clear();
        let Some(&room) = self.channels.get(channel) else { return };
        let known = users
            .iter()
            .filter_map(|&(user, came)| self.user_slots.get(user).filter(|known| known.came == came));
        let here = known.filter(|user| user.places.find(room).is_some());
        names.extend(here.map(|user| Arc::clone(&user.name)));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Gives the memory of a rush back.
fn shrink(map: &mut HashMap<Arc<str>, u32>) {
    if map.capacity() > 1024 && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};

    /// Whatever comes and goes, it says what two maps of sets say.
    #[test]
    fn it_follows_the_model() {
        for seed in 0..20 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut roster, mut model) = (Roster::default(), BTreeMap::<String, BTreeSet<String>>::new());
            for _ in 0..3000 {
                let (channel, uid) = (format!("c{}", rng.u8(0..12)), format!("u{}", rng.u8(0..40)));
                if rng.u8(0..100) < if seed % 2 == 0 { 60 } else { 40 } {
                    let new = model.entry(channel.clone()).or_default().insert(uid.clone());
                    assert_eq!(roster.add(&channel, &uid), new);
                } else {
                    let there = model.get_mut(&channel).is_some_and(|users| users.remove(&uid));
                    assert_eq!(roster.remove(&channel, &uid), there);
                    model.retain(|_, users| !users.is_empty());
                }
                let expected = model.get(&channel).cloned().unwrap_or_default();
                assert_eq!(roster.contains(&channel, &uid), expected.contains(&uid));
                assert_eq!(BTreeSet::from_iter(roster.users(&channel)), expected);
                assert_eq!(roster.count(&channel), expected.len());
                let of_user = model.iter().filter(|(_, users)| users.contains(&uid)).map(|(c, _)| c.clone());
                assert_eq!(BTreeSet::from_iter(roster.channels_of(&uid)), of_user.collect());
                assert_eq!(roster.len(), model.values().map(BTreeSet::len).sum::<usize>());
            }
            assert_eq!(BTreeSet::from_iter(roster.channels()), model.keys().cloned().collect());
            for (channel, users) in model {
                for uid in users {
                    assert!(roster.remove(&channel, &uid));
                }
            }
            assert!(roster.users.is_empty() && roster.user_slots.slots.is_empty(), "something is left");
            assert!(roster.channels.is_empty() && roster.channel_slots.slots.is_empty(), "something is left");
        }
    }

    /// A push that is under way gives nobody the message twice, who goes and comes back meanwhile.
    #[test]
    fn a_snapshot_is_of_those_who_have_stayed() {
        let mut roster = Roster::default();
        for uid in ["anna", "ben", "cleo"] {
            roster.add("room", uid);
        }
        let (seen, mut names) = (roster.snapshot("room"), Vec::new());
        roster.remove("room", "anna");
        roster.remove("room", "ben");
        roster.add("room", "ben");
        roster.add("room", "dora");
        roster.names("room", &seen, &mut names);
        assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["cleo"]);
        roster.remove("room", "cleo");
        roster.remove("room", "ben");
        roster.remove("room", "dora");
        roster.names("room", &seen, &mut names);
        assert!(names.is_empty());
    }
}
