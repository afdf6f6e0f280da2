//! A connector: clients are linked to it, and it talks to the chat servers for them. Bots play the clients.

use crate::chat::Words;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use tangelo::core::channel::{PushError, PushMessage, PushSink};
use tangelo::{App, BoxError, Component, Error, ErrorKind, Result, async_trait};

/// Each connector's users, and the room each of them likes: rooms have users at all connectors.
const USERS: [(&str, &str); 4] = [("ann", "lobby"), ("bob", "games"), ("cho", "music"), ("dee", "lobby")];

const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) fn configure(app: &App) {
    let screens = Screens::default();
    app.push_sink(screens.clone());
    app.component(Bots { screens });
    // Runs before a `stop` or `restart` ends this server: nobody just vanishes. Their memberships end by themselves.
    app.before_stop(|app| async move {
        let mut said = 0;
        for turn in 0..USERS.len() {
            said += usize::from(say(&app, turn, "goodbye").await.is_ok());
        }
        println!("{}: {said} users have said goodbye", app.id());
    });
}

/// What the users see: this prints it, and counts.
#[derive(Debug, Clone, Default)]
struct Screens(Arc<AtomicU64>);

impl PushSink for Screens {
    fn push(
        &self,
        message: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        failed: &mut dyn FnMut(&str, PushError),
    ) {
        let words: Result<Words, _> = serde_json::from_slice(message.body);
        match words {
            Ok(Words { user, room, text }) => {
                let users: Vec<&str> = users.collect();
                println!("{} {user} in {room}: {text} -> {}", message.route, users.join(" "));
                self.0.fetch_add(users.len() as u64, Ordering::Relaxed);
            }
            Err(error) => {
                let reason = PushError::new(ErrorKind::Invalid, error.to_string());
                users.for_each(|user| failed(user, reason.clone()));
            }
        }
    }
}

struct Bots {
    screens: Screens,
}

#[async_trait]
impl Component for Bots {
    fn name(&self) -> &str {
        "bots"
    }

    async fn after_start(&self, app: &App) -> Result<(), BoxError> {
        let (app, screens) = (app.clone(), self.screens.clone());
        app.clone().spawn(async move {
            let (mut inside, mut said, mut failed) = (0, 0, 0);
            for turn in 0.. {
                inside += enter(&app, &USERS[inside..]).await;
                match say(&app, turn, "hello").await {
                    Ok(()) => said += 1,
                    // No chat server is up, or not any more.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(_) => failed += 1,
                }
                let heard = screens.0.load(Ordering::Relaxed);
                app.set_status(&format!("{inside} users, said {said}, heard {heard}, {failed} failed"));
                app.sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(())
    }
}

/// Lets users into their rooms; how many are in. The others try again at the next turn.
async fn enter(app: &App, users: &[(&str, &str)]) -> usize {
    for (inside, (user, room)) in users.iter().enumerate() {
        let user = name(app, user);
        let entered = async { app.global_channels()?.add(room, &user, app.id()).await };
        match entered.await {
            Ok(()) => println!("{user} is in {room}"),
            Err(error) => {
                println!("{user} cannot enter {room} yet: {error}");
                return inside;
            }
        }
    }
    users.len()
}

/// Has one user say something, through the chat servers in turn.
async fn say(app: &App, turn: usize, text: &str) -> Result<()> {
    let servers = app.servers_by_type().remove("chat").unwrap_or_default();
    let Some(server) = servers.get(turn % servers.len().max(1)) else {
        return Err(Error::new(ErrorKind::NotFound, "no chat server is up"));
    };
    let (user, room) = USERS[turn % USERS.len()];
    let words = Words { user: name(app, user), room: room.into(), text: text.into() };
    let body = serde_json::to_vec(&words).unwrap_or_default();
    app.call(&server.def.id, "chat.say", body, TIMEOUT).await.map(drop)
}

/// `ann` of `connector-server-2` is `ann-2`.
fn name(app: &App, user: &str) -> String {
    let number = app.id().rsplit('-').next().unwrap_or_default();
    format!("{user}-{number}")
}
