//! Somebody in a room, through whatever happens to the servers: asks the gate for a connector, enters there, and does
//! so again with growing pauses.

use super::Event;
use super::link::{Brought, Incoming, Link, PATIENCE};
use super::screen::Screen;
use core::time::Duration;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use tangelo::core::Instant;

/// What may wait to be said; more is refused.
const OUTBOX: usize = 100;

/// What is said may wait so long for its answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The pause before something is said again that no chat server took.
const AGAIN: Duration = Duration::from_millis(300);

/// The pauses between connections: doubled up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What a connector says before it stops.
const STOPS: &str = "the server stops";

/// How often a name is asked for that a connection of our own may still hold.
const TRIES: u32 = 5;

/// When nobody types any more, what waits may take so long to be said.
const LAST_WORDS: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// The room to enter
    #[arg(long, default_value = "lobby")]
    pub(super) room: String,
    /// Where the gate is
    #[arg(long, default_value = "127.0.0.1:3014", value_name = "HOST:PORT")]
    pub(super) gate: String,
}

/// Why somebody is not in the room.
enum Refused {
    /// The name cannot be had, or not yet.
    Name(String),
    /// Something does not work at the moment.
    Now(String),
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self::Now(reason)
    }
}

struct Said {
    /// By it, whoever gets this twice knows.
    id: String,
    content: String,
    target: String,
}

pub(super) struct Visit {
    place: Place,
    name: String,
    screen: Screen,
    tell: SyncSender<Event>,
    link: Option<Link>,
    /// How many links there were: the number of the present one.
    links: u64,
    connect_at: Instant,
    failures: u32,
    was_inside: bool,
    people: BTreeSet<String>,
    outbox: VecDeque<Said>,
    /// The request that says the first of the outbox, and until when its answer may come.
    asked: Option<(u64, Instant)>,
    say_at: Instant,
    end_at: Option<Instant>,
    /// The last messages of others, which may come twice.
    seen: VecDeque<(String, String)>,
    chatter: Option<Chatter>,
}

/// Says something by itself, again and again.
struct Chatter {
    every: Duration,
    next: Instant,
}

impl Visit {
    pub(super) fn new(place: Place, name: String, screen: Screen, tell: SyncSender<Event>) -> Self {
        let now = Instant::now();
        Self {
            place,
            name,
            screen,
            tell,
            link: None,
            links: 0,
            connect_at: now,
            failures: 0,
            was_inside: false,
            people: BTreeSet::new(),
            outbox: VecDeque::new(),
            asked: None,
            say_at: now,
            end_at: None,
            seen: VecDeque::new(),
            chatter: None,
        }
    }

    /// Has it say something at about this interval.
    pub(super) fn chatting(mut self, every: Duration) -> Self {
        let next = Instant::now() + every.mul_f64(fastrand::f64());
        self.chatter = Some(Chatter { every, next });
        self
    }

    /// Stays until somebody leaves, is kicked or cannot enter.
    pub(super) fn run(mut self, told: &Receiver<Event>) -> ExitCode {
        loop {
            let ended = self.turn(Instant::now());
            let wait = self.deadline().saturating_since(Instant::now());
            let ended = match ended {
                Some(ended) => Some(ended),
                None => match told.recv_timeout(wait) {
                    Ok(event) => self.handle(event),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => Some(ExitCode::SUCCESS),
                },
            };
            if let Some(code) = ended {
                return code;
            }
        }
    }

    /// Does what it is time for.
    fn turn(&mut self, now: Instant) -> Option<ExitCode> {
        if self.end_at.is_some_and(|at| self.outbox.is_empty() || now >= at) {
            if !self.outbox.is_empty() {
                self.screen.trouble("left, with words unsaid");
                return Some(ExitCode::FAILURE);
            }
            return Some(ExitCode::SUCCESS);
        }
        if self.link.is_none() && now >= self.connect_at {
            match self.connect() {
                Ok(()) => {}
                // The name may still be held by a connection of our own that has failed.
                Err(Refused::Name(reason)) if !self.was_inside && !(1..=TRIES).contains(&self.failures) => {
                    self.screen.trouble(&reason);
                    return Some(ExitCode::FAILURE);
                }
                Err(Refused::Name(reason) | Refused::Now(reason)) => self.lost(&reason),
            }
        }
        if let Some(Err(reason)) = self.link.as_mut().map(|link| link.tick(now)) {
            self.lost(&reason);
        }
        if let Some(chatter) = &mut self.chatter
            && now >= chatter.next
        {
            chatter.next = now + chatter.every.mul_f64(0.5 + fastrand::f64());
            if self.link.is_some() && self.outbox.is_empty() {
                self.say("*", "hello");
            }
        }
        self.deliver(now);
        None
    }

    /// When the next [`turn`](Self::turn) is due.
    fn deadline(&self) -> Instant {
        let (connect, link) = match &self.link {
            None => (Some(self.connect_at), None),
            Some(link) => (None, link.deadline()),
        };
        let say = match self.asked {
            Some((_, until)) => Some(until),
            None => (self.link.is_some() && !self.outbox.is_empty()).then_some(self.say_at),
        };
        let chatter = self.chatter.as_ref().map(|chatter| chatter.next);
        let times = [connect, link, say, chatter, self.end_at];
        times.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + PATIENCE)
    }

    fn connect(&mut self) -> Result<(), Refused> {
        let mut early = Vec::new();
        let entry = Link::open(&self.place.gate)?.ask(
            "gate.gateHandler.queryEntry",
            &json!({"uid": self.name}),
            &mut early,
        )?;
        let (Some(host), Some(port)) = (entry["host"].as_str(), entry["port"].as_u64()) else {
            return Err(Refused::Now(reason(&entry, "no connector is up")));
        };
        let mut link = Link::open(&format!("{host}:{port}"))?;
        let who = json!({"username": self.name, "rid": self.place.room});
        let answer = link.ask("connector.entryHandler.enter", &who, &mut early)?;
        let Some(users) = answer["users"].as_array() else {
            let reason = reason(&answer, "this name is taken");
            return Err(if answer["error"] == true { Refused::Name(reason) } else { Refused::Now(reason) });
        };
        self.people = users.iter().filter_map(|user| user.as_str().map(String::from)).collect();
        self.links += 1;
        link.listen(self.links, self.tell.clone());
        self.link = Some(link);
        self.screen.inside(true);
        self.failures = 0;
        let others: Vec<&str> =
            self.people.iter().map(String::as_str).filter(|user| *user != self.name).collect();
        let others = if others.is_empty() { "nobody else".into() } else { others.join(", ") };
        let state = if self.was_inside { "back in" } else { "in" };
        let room = &self.place.room;
        self.screen.event(&format!("you are {state} {room} as {}, with {others} (port {port})", self.name));
        self.was_inside = true;
        early.into_iter().for_each(|incoming| self.show(incoming));
        Ok(())
    }

    fn lost(&mut self, reason: &str) {
        if self.link.take().is_some() {
            self.screen.inside(false);
        }
        self.asked = None;
        let pause = PAUSES.0 * 2_u32.saturating_pow(self.failures);
        self.failures += 1;
        self.connect_at = Instant::now() + pause.min(PAUSES.1).mul_f64(0.5 + fastrand::f64());
        self.screen.trouble(&format!("{reason}; trying again"));
    }

    fn handle(&mut self, event: Event) -> Option<ExitCode> {
        match event {
            Event::Typed(line) => return self.typed(line.trim()),
            Event::End => self.end_at = Some(Instant::now() + LAST_WORDS),
            Event::Link(number, brought) if number == self.links && self.link.is_some() => {
                return self.brought(brought);
            }
            // Of a link that was given up.
            Event::Link(..) => {}
        }
        None
    }

    fn brought(&mut self, brought: Brought) -> Option<ExitCode> {
        let taken = brought.and_then(|package| match &mut self.link {
            Some(link) => link.take(&package),
            None => Ok(Incoming::Nothing),
        });
        match taken {
            Err(reason) => self.lost(&reason),
            // In an ordered stop, as in a restart: others are there.
            Ok(Incoming::Kick { reason }) if reason == STOPS => self.lost(&reason),
            Ok(Incoming::Kick { reason }) => {
                self.screen.trouble(&format!("disconnected by the server: {reason}"));
                return Some(ExitCode::FAILURE);
            }
            Ok(incoming) => self.show(incoming),
        }
        None
    }

    fn show(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Response { id, body } if self.asked.is_some_and(|(asked, _)| asked == id) => {
                self.answered(&body);
            }
            Incoming::Response { body, .. } if body["code"].as_u64().is_some_and(|code| code != 200) => {
                self.screen.trouble(&reason(&body, "refused"));
            }
            Incoming::Push { route, body } => self.pushed(&route, &body),
            Incoming::Response { .. } | Incoming::Kick { .. } | Incoming::Nothing => {}
        }
    }

    fn pushed(&mut self, route: &str, body: &Value) {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        match route {
            "onAdd" if self.people.insert(text("user").into()) => {
                self.screen.event(&format!("{} is here", text("user")));
            }
            "onLeave" if self.people.remove(text("user")) => {
                let how = if body["lost"] == true { "lost the connection" } else { "left" };
                self.screen.event(&format!("{} has {how}", text("user")));
            }
            "onChat" if text("from") != self.name => {
                let message = (text("from").to_owned(), text("id").to_owned());
                if !message.1.is_empty() && self.seen.contains(&message) {
                    return;
                }
                // Whoever speaks is here, whatever was heard before.
                self.people.insert(message.0.clone());
                self.seen.truncate(OUTBOX);
                self.seen.push_front(message);
                let aside = if text("target") == "*" { "" } else { " (to you only)" };
                self.screen.said(&format!("{}{aside}", text("from")), text("msg"));
            }
            _ => {}
        }
    }

    /// Something typed: a command or words.
    fn typed(&mut self, line: &str) -> Option<ExitCode> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (command, rest.trim()) {
            ("", _) => {}
            ("/quit", _) => return Some(ExitCode::SUCCESS),
            ("/who", _) => {
                let people: Vec<&str> = self.people.iter().map(String::as_str).collect();
                self.screen.event(&format!("in {}: {}", self.place.room, people.join(", ")));
            }
            ("/room", room) if !room.is_empty() => {
                self.place.room = room.into();
                self.was_inside = false;
                self.link = None;
                self.asked = None;
                self.connect_at = Instant::now();
            }
            ("/kick", target) if !target.is_empty() => {
                let asked = match &mut self.link {
                    Some(link) => link.request("chat.chatHandler.kick", &json!({"target": target})),
                    None => Err("not connected".into()),
                };
                if let Err(reason) = asked {
                    self.screen.trouble(&reason);
                }
            }
            ("/to", rest) if rest.contains(' ') => {
                let (target, words) = rest.split_once(' ').unwrap_or_default();
                self.say(target, words.trim());
            }
            (command, _) if command.starts_with('/') => {
                self.screen
                    .event("/who, /room NAME, /to NAME WORDS, /kick NAME, /quit; anything else is said");
            }
            _ => self.say("*", line),
        }
        None
    }

    fn say(&mut self, target: &str, content: &str) {
        if self.outbox.len() >= OUTBOX {
            self.screen.trouble(&format!("not said, too much waits already: {content}"));
            return;
        }
        let id = format!("{:016x}", fastrand::u64(..));
        self.outbox.push_back(Said { id, content: content.into(), target: target.into() });
    }

    /// Says the first of the outbox, unless that is under way.
    fn deliver(&mut self, now: Instant) {
        if self.asked.is_some_and(|(_, until)| now >= until) {
            self.asked = None;
        }
        let (Some(link), Some(said), None) = (&mut self.link, self.outbox.front(), self.asked) else {
            return;
        };
        if now < self.say_at {
            return;
        }
        let message = json!({
            "rid": self.place.room, "from": self.name, "target": said.target, "content": said.content, "id": said.id,
        });
        match link.request("chat.chatHandler.send", &message) {
            Ok(id) => self.asked = Some((id, now + ANSWER)),
            Err(reason) => self.lost(&reason),
        }
    }

    fn answered(&mut self, body: &Value) {
        self.asked = None;
        match body["code"].as_u64().unwrap_or(200) {
            200 => {
                let Some(said) = self.outbox.pop_front() else { return };
                let missed = body["missed"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let aside = if said.target == "*" { "" } else { " (aside)" };
                self.screen.sent(
                    &format!("{}{aside}", self.name),
                    &said.content,
                    &missed.collect::<Vec<_>>(),
                );
            }
            // No chat server took it, or the one that did has gone: whoever has it already knows it by its id.
            503 | 504 => self.say_at = Instant::now() + AGAIN,
            _ => {
                self.outbox.pop_front();
                self.screen.trouble(&format!("not said: {}", reason(body, "refused")));
            }
        }
    }
}

/// Why a request failed.
fn reason(answer: &Value, otherwise: &str) -> String {
    answer["message"].as_str().unwrap_or(otherwise).into()
}
