//! A connector: clients are linked to it. It lets them into rooms; what they say there goes to a chat server.

use crate::chat::Entry;
use crate::user::{is_name, uid};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
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
    let users = Arc::new(AtomicU64::new(0));
    let bound = Arc::clone(&users);
    app.on_session_bound(move |session: Session| {
        show(&session, bound.fetch_add(1, Ordering::Relaxed) + 1);
        async {}
    });
    app.on_session_closed(move |session: Session| {
        if session.uid().is_some() {
            show(&session, users.fetch_sub(1, Ordering::Relaxed) - 1);
        }
        left(session)
    });
}

/// In `list`.
fn show(session: &Session, users: u64) {
    let s = if users == 1 { "" } else { "s" };
    session.app().set_status(&format!("{users} user{s}"));
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
