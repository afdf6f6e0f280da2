//! Whom this frontend has: its clients, by their numbers and by their users.

use super::client::Client;
use crate::sync::{Mutex, RwLock};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::RwLockReadGuard;

/// Whoever walks over all clients locks so many parts of them, one after the other.
pub(super) const SHARDS: usize = 16;

/// The clients of this frontend.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// All connections that are open, those on the way to be clients among them.
    by_id: [Mutex<HashMap<u64, Client>>; SHARDS],
    users: RwLock<Users>,
    open: AtomicUsize,
    /// Clients: a moment below 0 if one has gone in the very moment when it became one.
    working: AtomicIsize,
}

/// The sessions of each user; none of them empty.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<Arc<str>, Sessions>);

#[derive(Debug)]
enum Sessions {
    One(Client),
    Many(Vec<Client>),
}

impl Sessions {
    fn as_slice(&self) -> &[Client] {
        match self {
            Self::One(client) => core::slice::from_ref(client),
            Self::Many(clients) => clients,
        }
    }

    fn add(&mut self, client: Client) {
        match self {
            Self::One(first) => *self = Self::Many(vec![first.clone(), client]),
            Self::Many(clients) => clients.push(client),
        }
    }
}

impl Users {
    /// The sessions of a user.
    pub(super) fn of(&self, uid: &str) -> &[Client] {
        self.0.get(uid).map_or(&[], Sessions::as_slice)
    }
}

impl Clients {
    /// The client of this number, if it has not closed.
    pub(crate) fn get(&self, id: u64) -> Option<Client> {
        self.shard(id).lock().get(&id).filter(|client| client.is_working()).cloned()
    }

    /// The clients of a user.
    pub(crate) fn of_uid(&self, uid: &str) -> Vec<Client> {
        self.users.read().of(uid).to_vec()
    }

    /// How many clients there are.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.working.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// All clients.
    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<Client> {
        let mut all = Vec::with_capacity(self.len());
        self.by_id.iter().for_each(|shard| {
            all.extend(shard.lock().values().filter(|client| client.is_working()).cloned());
        });
        all
    }

    /// The users, to look several up. Nothing that closes a client may be called meanwhile.
    pub(super) fn users(&self) -> RwLockReadGuard<'_, Users> {
        self.users.read()
    }

    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Client>> {
        &self.by_id[usize::try_from(id % SHARDS as u64).unwrap_or(0)]
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// A connection has opened.
    pub(super) fn opened(&self, client: &Client) {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.shard(client.id()).lock().insert(client.id(), client.clone());
    }

    /// The connection is gone. Returns how many are open now.
    pub(super) fn gone(&self, client: &Client) -> usize {
        let removed = self.shard(client.id()).lock().remove(&client.id());
        match removed {
            Some(_) => self.open.fetch_sub(1, Ordering::AcqRel) - 1,
            None => self.open(),
        }
    }

    /// So many clients more, or fewer.
    pub(super) fn count(&self, by: isize) {
        self.working.fetch_add(by, Ordering::Relaxed);
    }

    /// Does something with the open connections of one of the [`SHARDS`] parts. Nothing that closes a
    /// connection may be called in there.
    pub(super) fn in_part(&self, part: usize, each: impl FnMut(&Client)) {
        if let Some(part) = self.by_id.get(part) {
            part.lock().values().for_each(each);
        }
    }

    /// All open connections.
    pub(super) fn connections(&self) -> Vec<Client> {
        let mut all = Vec::with_capacity(self.open());
        (0..SHARDS).for_each(|part| self.in_part(part, |client| all.push(client.clone())));
        all
    }

    /// Binds a client to a user, and returns the user's other clients, which are no longer bound if it
    /// may have one only; `None` if the client has closed.
    pub(super) fn bind(&self, uid: &Arc<str>, client: &Client, single: bool) -> Option<Vec<Client>> {
        let mut users = self.users.write();
        // Whoever closes says so before it takes this lock to leave.
        if client.is_closed() {
            return None;
        }
        let mut others = Vec::new();
        match users.0.get_mut(uid) {
            Some(sessions) if !single => sessions.add(client.clone()),
            _ => {
                let older = users.0.insert(Arc::clone(uid), Sessions::One(client.clone()));
                others.extend(older.iter().flat_map(Sessions::as_slice).cloned());
            }
        }
        Some(others)
    }

    /// Takes a client from its user; `true` if it was the last.
    pub(super) fn unbind(&self, uid: &str, client: &Client) -> bool {
        let mut users = self.users.write();
        let is_last = match users.0.get_mut(uid) {
            Some(Sessions::One(only)) => only.id() == client.id(),
            Some(Sessions::Many(clients)) => {
                let before = clients.len();
                clients.retain(|other| other.id() != client.id());
                before > clients.len() && clients.is_empty()
            }
            None => false,
        };
        if is_last {
            users.0.remove(uid);
        }
        is_last
    }
}
