//! A chat server: it hands what a user says to everybody in the room, at whatever connectors they are.

use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tangelo::core::channel::{PushOptions, PushReport};
use tangelo::{App, BoxError, Component, Error, ErrorKind, Result, async_trait};

/// What connectors send to `chat.say`, and what users get as `onChat`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Words {
    pub(crate) user: String,
    pub(crate) room: String,
    pub(crate) text: String,
}

/// After this the report names whoever has not answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `list` shows of this server.
#[derive(Default)]
struct Tally {
    /// How many users the last message in each room was for.
    rooms: BTreeMap<String, u64>,
    messages: u64,
    missed: u64,
}

pub(crate) fn configure(app: &App) {
    app.component(Chat);
}

struct Chat;

#[async_trait]
impl Component for Chat {
    fn name(&self) -> &str {
        "chat"
    }

    async fn start(&self, app: &App) -> Result<(), BoxError> {
        // Here and not at the first message: what is not configured keeps the server from starting.
        let rooms = app.global_channels()?;
        let tally = Arc::new(Mutex::new(Tally::default()));
        let own = app.clone();
        app.remote("chat.say", move |_, body| {
            let (rooms, tally, own) = (rooms.clone(), Arc::clone(&tally), own.clone());
            async move {
                let words: Words = serde_json::from_slice(&body)
                    .map_err(|error| Error::new(ErrorKind::Invalid, "expected words").with_source(error))?;
                // One message to each connector, whoever is in the room; no look into the store.
                let options = PushOptions::new().timeout(PATIENCE);
                let report = rooms.push("connector", "onChat", body, &words.room, &options).await?;
                if !report.is_complete() {
                    println!("{}: \"{}\" by {} {}", words.room, words.text, words.user, missed(&report));
                }
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.note(words.room, &report);
                own.set_status(&tally.to_string());
                Ok(report.delivered.to_string().into_bytes())
            }
        });
        Ok(())
    }
}

/// Whom a message did not reach, and why: `reached 7 users, but not ann-1, dee-1 at connector-server-1 (…)`.
fn missed(report: &PushReport) -> String {
    let places = report.failed.iter().map(|failure| {
        let mut users = failure.users.join(", ");
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

impl Tally {
    fn note(&mut self, room: String, report: &PushReport) {
        let missed = report.unreached().count() as u64;
        self.rooms.insert(room, report.delivered + missed);
        self.messages += 1;
        self.missed += missed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rooms, messages, missed } = self;
        let users: u64 = rooms.values().sum();
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let rooms = rooms.len() as u64;
        write!(f, "{rooms} room{}, {users} user{}, {messages} message{}", s(rooms), s(users), s(*messages))?;
        if *missed > 0 {
            write!(f, ", {missed} missed")?;
        }
        Ok(())
    }
}
