//! A connector: clients are linked to it. It lets them into rooms; what they say there goes to a chat server.

use crate::chat::Entry;
use crate::user::{is_name, uid};
use core::time::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tangelo::{App, ErrorKind, HandlerError, Request, Session};

/// How long a chat server may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is tried to tell a room that somebody has left, and the pause after each.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// `connector.entryHandler.enter`
#[derive(Deserialize)]
struct Enter {
    username: String,
    rid: String,
}

/// On all servers: whatever routes they know have short codes in the frontends' dictionaries.
pub(crate) fn routes(app: &App) {
    app.handler("connector.entryHandler.enter", enter);
}

pub(crate) fn configure(app: &App) {
    app.set(Users::default());
    app.on_session_bound(|session: Session| {
        Users::change(&session, |users| users.insert(session.id()));
        async {}
    });
    app.on_session_closed(|session: Session| {
        Users::change(&session, |users| users.remove(&session.id()));
        left(session)
    });
}

/// The sessions of users here, to show in `list` how many they are.
#[derive(Default)]
struct Users(Mutex<BTreeSet<u64>>);

impl Users {
    fn change(session: &Session, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let Some(users) = session.app().get::<Self>() else { return };
        let mut users = users.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut users);
        let s = if users.len() == 1 { "" } else { "s" };
        session.app().set_status(&format!("{} user{s}", users.len()));
    }
}

/// Lets a client into a room. In Pomelo's words: `{code: 200, users}`, or `{code: 500, error: true}`.
async fn enter(request: Request, session: Session) -> Result<Value, HandlerError> {
    let Enter { username, rid } = request.json()?;
    if !is_name(&username) || !is_name(&rid) {
        return Ok(refused("names have 1 to 20 letters, digits, \"-\" and \"_\""));
    }
    if session.uid().is_some() {
        return Ok(refused("this connection is in a room already"));
    }
    let (app, uid) = (request.app(), uid(&username, &rid));
    let rooms = app.global_channels()?;
    // Once it is bound, it would get what the other one is sent.
    if rooms.contains(&rid, &uid, app.id()).await? {
        return Ok(taken(&username));
    }
    session.bind(&uid).await?;
    // By the room the chat server is chosen, and it reads there who says something where.
    session.set("rid", &rid)?;
    session.push_settings().await?;
    let entry = Entry { uid, rid, session: session.id() };
    let entered =
        app.rpc().timeout(PATIENCE).for_session(&session).call("chat.chatRemote.enter", &entry).await;
    let users: Vec<String> = match entered {
        Ok(users) => users,
        Err(error) => {
            if error.kind() != ErrorKind::AlreadyExists {
                // It may have been let in all the same.
                rooms.leave(&entry.rid, &entry.uid, app.id()).await?;
            }
            session.unbind().await?;
            Users::change(&session, |users| users.remove(&session.id()));
            return if error.kind() == ErrorKind::AlreadyExists {
                Ok(taken(&username))
            } else {
                Err(error.into())
            };
        }
    };
    Ok(json!({"code": 200, "users": users}))
}

fn taken(name: &str) -> Value {
    refused(&format!("{name} is in this room already: take another name"))
}

fn refused(message: &str) -> Value {
    json!({"code": 500, "error": true, "message": message})
}

/// Tells the room. Its members know it by themselves: whoever has no session any more is in no channel.
async fn left(session: Session) {
    let (Some(uid), Some(rid)) = (session.uid(), session.get("rid")) else { return };
    let (app, entry) = (session.app(), Entry { uid: uid.clone(), rid, session: session.id() });
    for _ in 0..TRIES {
        let rpc = app.rpc().timeout(PATIENCE).for_session(&session);
        match rpc.call::<_, ()>("chat.chatRemote.leave", &entry).await {
            Ok(()) => return,
            Err(error) => println!("{uid} has left, which no chat server was told: {error}"),
        }
        app.sleep(PAUSE).await;
    }
}
