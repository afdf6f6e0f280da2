//! A chat server: rooms in memory, and who is in them from which connector.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tangelo::{App, Error, ErrorKind, Result};

/// What connectors send: to `chat.join`, `chat.leave` and `chat.say`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Words {
    pub(crate) user: String,
    pub(crate) room: String,
    pub(crate) text: String,
}

#[derive(Default)]
struct Chat {
    /// Of each room the members: their connectors and names.
    rooms: BTreeMap<String, BTreeSet<(String, String)>>,
    messages: u64,
}

pub(crate) fn configure(app: &App) {
    let chat = Arc::new(Mutex::new(Chat::default()));
    remote(app, &chat, "chat.join", |chat, connector, words| {
        let members = chat.rooms.entry(words.room).or_default();
        members.insert((connector, words.user));
        Ok(members.len())
    });
    remote(app, &chat, "chat.leave", |chat, connector, words| {
        let Some(members) = chat.rooms.get_mut(&words.room) else { return Ok(0) };
        members.remove(&(connector, words.user));
        let left = members.len();
        if left == 0 {
            chat.rooms.remove(&words.room);
        }
        Ok(left)
    });
    remote(app, &chat, "chat.say", |chat, connector, words| {
        let members = chat.rooms.get(&words.room);
        let listens = members.filter(|members| members.contains(&(connector, words.user.clone())));
        let Some(listeners) = listens.map(BTreeSet::len) else {
            let message = format!("{} is not in {}: join first", words.user, words.room);
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        chat.messages += 1;
        Ok(listeners)
    });
    // The users of a connector that has died are gone too.
    let (chat, own) = (Arc::clone(&chat), app.clone());
    app.on_servers_removed(move |gone| {
        let mut chat = lock(&chat);
        for members in chat.rooms.values_mut() {
            members.retain(|(connector, _)| gone.iter().all(|server| server.def.id != *connector));
        }
        chat.rooms.retain(|_, members| !members.is_empty());
        report(&own, &chat);
    });
}

/// Answers calls to `route` with a number, as text.
fn remote(
    app: &App,
    chat: &Arc<Mutex<Chat>>,
    route: &str,
    answer: impl Fn(&mut Chat, String, Words) -> Result<usize> + Send + Sync + 'static,
) {
    let (chat, own, answer) = (Arc::clone(chat), app.clone(), Arc::new(answer));
    app.remote(route, move |from, body| {
        let (chat, own, answer) = (Arc::clone(&chat), own.clone(), Arc::clone(&answer));
        async move {
            let words = serde_json::from_slice(&body)
                .map_err(|error| Error::new(ErrorKind::Invalid, "expected words").with_source(error))?;
            let mut chat = lock(&chat);
            let number = answer(&mut chat, from, words)?;
            report(&own, &chat);
            Ok(number.to_string().into_bytes())
        }
    });
}

/// What `list` shows.
fn report(app: &App, chat: &Chat) {
    let users: usize = chat.rooms.values().map(BTreeSet::len).sum();
    app.set_status(&format!("{users} users in {} rooms, {} messages", chat.rooms.len(), chat.messages));
}

fn lock(chat: &Mutex<Chat>) -> MutexGuard<'_, Chat> {
    chat.lock().unwrap_or_else(PoisonError::into_inner)
}
