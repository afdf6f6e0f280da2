//! A chat server: it hands what a user says to everybody in the room, at whatever connectors they are. All that is
//! said in a room goes through one chat server, so all hear it in the same order.

use crate::choose;
use crate::rooms::{Rooms, present};
use crate::user::{name, uid};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tangelo::core::channel::{PushOptions, PushReport};
use tangelo::{App, Caller, Error, ErrorKind, HandlerError, Request, Result, Session};

/// The longest message, in characters.
const MAX_WORDS: usize = 2000;

/// After this the report names whoever has not answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// What connectors tell of a user: `chat.chatRemote.enter` and `chat.chatRemote.leave`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) uid: String,
    pub(crate) rid: String,
    pub(crate) session: u64,
}

/// `chat.chatHandler.send`. That the room and the sender are in it, too, is for Pomelo's own server.
#[derive(Deserialize)]
struct Send {
    content: String,
    /// A user's name, or `*`.
    target: String,
    /// By it, whoever gets a message twice knows.
    #[serde(default)]
    id: Option<String>,
}

/// `chat.chatHandler.kick`
#[derive(Deserialize)]
struct Kick {
    target: String,
}

/// On all servers: whatever routes they know have short codes in the frontends' dictionaries.
pub(crate) fn routes(app: &App) {
    app.handler("chat.chatHandler.send", send);
    app.handler("chat.chatHandler.kick", kick);
    // Whoever says something in a room, whatever connector they are at, has it said by the same chat server.
    app.route("chat", |session, servers| {
        let rid: String = session.get("rid")?;
        Some(choose::best(servers, &rid)?.def.id.clone())
    });
}

pub(crate) fn configure(app: &App) {
    app.set(Rooms::default());
    app.method("chat.chatRemote.enter", enter);
    app.method("chat.chatRemote.leave", leave);
    let (added, removed) = (app.clone(), app.clone());
    app.on_servers_added(move |servers| {
        rooms(&added).keep_own(&added);
        let (app, ids) = (added.clone(), servers.iter().map(|server| server.def.id.clone()).collect());
        added.spawn(async move { look_again(&app, ids).await });
    });
    app.on_servers_removed(move |servers| {
        rooms(&removed).keep_own(&removed);
        for (room, lost) in rooms(&removed).lost(servers) {
            let app = removed.clone();
            removed.spawn(async move {
                for user in lost {
                    tell(&app, &room, "onLeave", &json!({"user": name(&user), "lost": true}), &user).await;
                }
            });
        }
    });
    // Here and not at the first message: what is not configured keeps the server from starting.
    app.before_start(|app| async move { app.global_channels().map(drop) });
}

/// Says something to a room, or to one user there; the answer names whom it has not reached.
async fn send(request: Request, session: Session) -> Result<Value, HandlerError> {
    let Send { content, target, id } = request.json()?;
    let (from, room) = somebody(&session)?;
    if content.is_empty() || content.chars().count() > MAX_WORDS {
        return Err(HandlerError::new(400, format!("a message has 1 to {MAX_WORDS} characters")));
    }
    let app = request.app();
    let mut options = PushOptions::new().timeout(PATIENCE);
    if target != "*" {
        options = options.only([uid(&target, &room)]);
    }
    let mut message = json!({"msg": content, "from": name(&from), "target": target});
    if let Some(id) = id {
        message["id"] = id.into();
    }
    // One message to each connector, whoever is in the room; no look into the store.
    let channels = app.global_channels()?;
    let report = channels.push("connector", "onChat", message.to_string(), &room, &options).await?;
    if target != "*" && report.delivered == 0 && report.is_complete() {
        return Err(HandlerError::new(404, format!("{target} is not in this room")));
    }
    if !report.is_complete() {
        println!("{room}: \"{content}\" by {from} {}", missed(&report));
    }
    let missed: Vec<&str> = report.unreached().map(|(_, uid)| name(uid)).collect();
    rooms(app).said(app, missed.len());
    Ok(json!({"code": 200, "route": request.route(), "missed": missed}))
}

/// Disconnects somebody of the same room. This is a demo: anybody may.
async fn kick(request: Request, session: Session) -> Result<Value, HandlerError> {
    let Kick { target } = request.json()?;
    let (from, room) = somebody(&session)?;
    let reason = format!("kicked by {}", name(&from));
    match request.app().kick(&uid(&target, &room), &reason).await? {
        0 => Err(HandlerError::new(404, format!("{target} is not in this room"))),
        _ => Ok(json!({"code": 200})),
    }
}

/// Who it is, and in which room.
fn somebody(session: &Session) -> Result<(String, String), HandlerError> {
    session.uid().zip(session.get("rid")).ok_or_else(|| HandlerError::new(403, "enter a room first"))
}

/// A connector wants to let somebody into a room; the answer is who is there then.
async fn enter(caller: Caller, entry: Entry) -> Result<Vec<String>> {
    let (app, Entry { uid, rid, session }) = (caller.app(), entry);
    let taken = || Error::new(ErrorKind::AlreadyExists, format!("{uid} is there already"));
    let rooms = rooms(app);
    // Of two who want the same name at the same time one waits in vain.
    let _entering = rooms.begin(&uid).ok_or_else(taken)?;
    let channels = app.global_channels()?;
    let mut members = present(app, &channels, &rid).await?;
    if members.contains_key(&uid) {
        return Err(taken());
    }
    channels.add(&rid, &uid, caller.id()).await?;
    members.insert(uid.clone(), caller.id().into());
    let users = members.keys().map(|uid| name(uid).into()).collect();
    rooms.entered(app, &rid, members, &uid, session);
    tell(app, &rid, "onAdd", &json!({"user": name(&uid)}), &uid).await;
    Ok(users)
}

/// A connector that has only been silent comes with its users. They may be known here and still have missed each
/// other, so all of them are announced; who knows them already need not mind.
async fn look_again(app: &App, added: BTreeSet<String>) {
    for room in rooms(app).names() {
        let members = async { present(app, &app.global_channels()?, &room).await };
        match members.await {
            Ok(members) => {
                let found = rooms(app).found(app, &room, members, &added);
                // Whoever has gone meanwhile is not announced any more.
                for uid in found.iter().filter(|uid| rooms(app).has(&room, uid)) {
                    tell(app, &room, "onAdd", &json!({"user": name(uid)}), uid).await;
                }
            }
            Err(error) => println!("{room}: who is there cannot be read: {error}"),
        }
    }
}

/// The session of somebody at a connector has closed.
async fn leave(caller: Caller, entry: Entry) -> Result<()> {
    let (app, Entry { uid, rid, session }) = (caller.app(), entry);
    if rooms(app).left(app, &rid, &uid, caller.id(), session) {
        tell(app, &rid, "onLeave", &json!({"user": name(&uid)}), &uid).await;
    }
    Ok(())
}

/// Tells a room of somebody, who is not told.
async fn tell(app: &App, room: &str, route: &str, message: &Value, user: &str) {
    let options = PushOptions::new().timeout(PATIENCE).except([user]);
    let told =
        async { app.global_channels()?.push("connector", route, message.to_string(), room, &options).await };
    match told.await {
        Ok(report) if report.is_complete() => {}
        Ok(report) => println!("{room}: {route} of {user} {}", missed(&report)),
        Err(error) => println!("{room}: {route} of {user}: {error}"),
    }
}

fn rooms(app: &App) -> Arc<Rooms> {
    app.get().unwrap_or_default()
}

/// Whom a message did not reach, and why: `reached 7 users, but not ann, dee at connector-server-1 (…)`.
fn missed(report: &PushReport) -> String {
    let places = report.failed.iter().map(|failure| {
        let mut users = failure.users.iter().map(|uid| name(uid)).collect::<Vec<_>>().join(", ");
        match failure.more {
            Some(0) => {}
            Some(more) => users = format!("{users} and {more} more"),
            None => users = "nobody knows whom".into(),
        }
        format!("{users} at {} ({})", failure.sid, failure.reason)
    });
    let places: Vec<String> = places.collect();
    format!("reached {} users, but not {}", report.delivered, places.join("; "))
}
