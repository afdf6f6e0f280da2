//! A connector: clients are linked to it, and it talks to the chat servers for them. Bots play the clients.

use crate::chat::Words;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tangelo::core::config::Incarnation;
use tangelo::{App, BoxError, Component, Result, async_trait};

/// Each connector's users, and the room each of them likes.
const USERS: [(&str, &str); 4] = [("ann", "lobby"), ("bob", "games"), ("cho", "music"), ("dee", "lobby")];

const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) fn configure(app: &App) {
    let bots = Bots::default();
    let joined = Arc::clone(&bots.joined);
    app.component(bots);
    // Runs before a `stop` or `restart` ends this server: nobody just vanishes.
    app.before_stop(move |app| {
        let servers = ids(&joined);
        async move {
            for server in &servers {
                for user in USERS {
                    // A chat server that is gone already has nobody to say goodbye to.
                    let _ = call(&app, server, "chat.leave", user, "goodbye").await;
                }
            }
            println!("{}: {} users said goodbye on {} chat servers", app.id(), USERS.len(), servers.len());
        }
    });
}

/// The chat servers where the users are, and in which life of theirs they joined.
type Joined = Mutex<BTreeMap<String, Incarnation>>;

#[derive(Default)]
struct Bots {
    joined: Arc<Joined>,
}

#[async_trait]
impl Component for Bots {
    fn name(&self) -> &str {
        "bots"
    }

    async fn after_start(&self, app: &App) -> Result<(), BoxError> {
        let (own, joined) = (app.clone(), Arc::clone(&self.joined));
        app.spawn(async move {
            let (mut sent, mut failed) = (0, 0);
            for turn in 0.. {
                join(&own, &joined).await;
                let servers = ids(&joined);
                for server in servers {
                    // To a server that is down a call fails at once.
                    match call(&own, &server, "chat.say", USERS[turn % USERS.len()], "hello").await {
                        Ok(_) => sent += 1,
                        Err(_) => failed += 1,
                    }
                }
                own.set_status(&format!("{} users, {sent} messages, {failed} failed", USERS.len()));
                own.sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(())
    }
}

/// Lets the users join on every chat server that has come up, or has come back without them.
async fn join(app: &App, joined: &Joined) {
    for server in app.servers_by_type().remove("chat").unwrap_or_default() {
        let id = &server.def.id;
        let known = lock(joined).get(id).copied();
        if known == Some(server.incarnation) {
            continue;
        }
        let mut rooms = Vec::new();
        for user in USERS {
            match call(app, id, "chat.join", user, "").await {
                Ok(members) => rooms.push(format!("{} ({members})", user.1)),
                // It is gone again: the next turn sees.
                Err(error) => return println!("{} cannot join on {id}: {error}", user.0),
            }
        }
        println!("joined on {id}, life {}: {}", server.incarnation, rooms.join(", "));
        lock(joined).insert(id.clone(), server.incarnation);
    }
}

async fn call(app: &App, server: &str, route: &str, user: (&str, &str), text: &str) -> Result<String> {
    let words = Words { user: user.0.into(), room: user.1.into(), text: text.into() };
    let body = serde_json::to_vec(&words).unwrap_or_default();
    let answer = app.call(server, route, body, TIMEOUT).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn ids(joined: &Joined) -> Vec<String> {
    lock(joined).keys().cloned().collect()
}

fn lock(joined: &Joined) -> MutexGuard<'_, BTreeMap<String, Incarnation>> {
    joined.lock().unwrap_or_else(PoisonError::into_inner)
}
