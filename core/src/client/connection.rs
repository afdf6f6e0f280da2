//! One client's connection, as a state machine.
//!
//! ```text
//! Inited ── handshake ──▶ Asked ── accept ──▶ WaitAck ── acknowledgement ──▶ Working ──▶ Closed
//! ```
//!
//! A package that does not belong to the state is ignored, as Pomelo does it, but counted: a client
//! that sends little else is closed. Once it works, the server begins with a heartbeat, and answers
//! each of the client's at once (`lib/connectors/commands/heartbeat.js` of Pomelo 2.2.7); the client
//! waits for the time it was told before it answers. Unlike there, any package is a sign of life.

use super::error::DecodeError;
use super::handshake::{HandshakeRequest, Refusal};
use super::message::{Message, MessageKind};
use super::package::{Package, PackageType};
use super::text;
use crate::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

#[cfg(test)]
mod tests;

/// What holds for every client of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a client waits before it answers a heartbeat; none: no heartbeats. Default: 30 s.
    pub heartbeat: Option<Duration>,
    /// The silence after which a client counts as dead, if there are heartbeats; it should be
    /// well above `heartbeat`. Default: 60 s.
    pub timeout: Duration,
    /// How long a client may take until it works, the application's answer included. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The longest package before the client works, in bytes. Default: 16 KiB.
    pub max_handshake: usize,
    /// The longest package of a client that works, in bytes. Default: 64 KiB.
    pub max_package: usize,
    /// How many idle packages may come beyond ten a second, or beyond two each `heartbeat` if that
    /// is more. Idle are those that are ignored, and heartbeats. Default: 32. (Some clients beat once
    /// more than they are asked to, and from then on twice as often; Pomelo bears that.)
    pub max_idle: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Some(Duration::from_secs(30)),
            timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(10),
            max_handshake: 16 << 10,
            max_package: 64 << 10,
            max_idle: 32,
        }
    }
}

impl Settings {
    /// The time in which one idle package is forgotten.
    fn forgets_in(&self) -> Duration {
        let tenth = Duration::from_millis(100);
        self.heartbeat.map_or(tenth, |time| tenth.min(time / 2)).max(Duration::from_millis(1))
    }
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No handshake has come yet.
    Inited,
    /// The handshake waits for the application's answer.
    Asked,
    /// The client is let in and has not acknowledged it yet.
    WaitAck,
    /// Messages go both ways.
    Working,
    /// It is over.
    Closed(CloseReason),
}

/// Why a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client has closed it.
    ByClient,
    /// The connection broke.
    Lost,
    /// The client did not finish its handshake in time.
    HandshakeTimeout,
    /// Nothing came from the client for too long.
    HeartbeatTimeout,
    /// The client was not let in.
    Refused(Refusal),
    /// What the client sent makes no sense.
    Malformed(DecodeError),
    /// The client sent what only servers send.
    Unexpected(PackageType),
    /// The client sent too many packages that do nothing.
    Flood,
    /// The client takes what it is sent too slowly.
    Slow,
    /// The application has sent it away.
    Kicked,
    /// A later session of the same user has taken its place.
    Replaced,
    /// There are too many clients already.
    Full,
    /// This server stops.
    Stopping,
}

impl CloseReason {
    /// A short name for counting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByClient => "by-client",
            Self::Lost => "lost",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::HeartbeatTimeout => "heartbeat-timeout",
            Self::Refused(Refusal::Failed) => "refused",
            Self::Refused(Refusal::OldClient) => "old-client",
            Self::Malformed(error) => error.name(),
            Self::Unexpected(_) => "unexpected",
            Self::Flood => "flood",
            Self::Slow => "slow",
            Self::Kicked => "kicked",
            Self::Replaced => "replaced",
            Self::Full => "full",
            Self::Stopping => "stopping",
        }
    }
}

/// What is to be done about a package.
#[derive(Debug, Clone, PartialEq)]
pub enum Action<'a> {
    /// Nothing: it was ignored.
    Nothing,
    /// Ask the application, then [`accept`](Connection::accept) or [`refuse`](Connection::refuse).
    Handshake(HandshakeRequest),
    /// The client works from now on. Send it a heartbeat if `heartbeat` is set.
    Working {
        /// Whether there are heartbeats.
        heartbeat: bool,
    },
    /// Send a heartbeat.
    Heartbeat,
    /// A request or a notification has come. Its route may still be a code, its body compressed.
    Message(Message<'a>),
    /// Close the connection; after [`Refused`](CloseReason::Refused) send the refusal's
    /// [body](Refusal::body) in a handshake package first.
    Close(CloseReason),
}

/// One client's connection.
#[derive(Debug, Clone)]
pub struct Connection {
    settings: Arc<Settings>,
    state: State,
    /// When it began, then when the last package came.
    since: Instant,
    /// How many idle packages are not forgotten yet, and since when that is so.
    idle: u32,
    forgotten: Instant,
}

impl Connection {
    /// A connection that has just been accepted.
    #[must_use]
    pub const fn new(now: Instant, settings: Arc<Settings>) -> Self {
        Self { settings, state: State::Inited, since: now, idle: 0, forgotten: now }
    }

    /// How far it has come.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether messages go both ways.
    #[must_use]
    pub const fn is_working(&self) -> bool {
        matches!(self.state, State::Working)
    }

    /// Why it is closed, if it is.
    #[must_use]
    pub const fn closed(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// The longest body of a package that may come now, in bytes: the limit for
    /// [`package::decode`](super::package::decode).
    #[must_use]
    pub fn max_body(&self) -> usize {
        if self.is_working() { self.settings.max_package } else { self.settings.max_handshake }
    }

    /// A whole package has come.
    pub fn handle<'a>(&mut self, now: Instant, package: Package<'a>) -> Action<'a> {
        if let Some(reason) = self.closed() {
            return Action::Close(reason);
        }
        match (self.state, package.kind) {
            (State::Inited, PackageType::Handshake) => match HandshakeRequest::parse(package.body) {
                Ok(request) => {
                    self.state = State::Asked;
                    Action::Handshake(request)
                }
                Err(_) => Action::Close(self.refuse(Refusal::Failed)),
            },
            (State::WaitAck, PackageType::HandshakeAck) => {
                self.state = State::Working;
                self.since = now;
                Action::Working { heartbeat: self.settings.heartbeat.is_some() }
            }
            (State::Working, PackageType::Data) => {
                self.since = now;
                match Message::decode(package.body) {
                    Ok(message) if matches!(message.kind, MessageKind::Request | MessageKind::Notify) => {
                        Action::Message(message)
                    }
                    Ok(_) => self.idle(now, Action::Nothing),
                    Err(error) => Action::Close(self.close(CloseReason::Malformed(error))),
                }
            }
            (State::Working, PackageType::Heartbeat) => {
                self.since = now;
                let echo = self.settings.heartbeat.map_or(Action::Nothing, |_| Action::Heartbeat);
                self.idle(now, echo)
            }
            (_, PackageType::Kick) => Action::Close(self.close(CloseReason::Unexpected(package.kind))),
            _ => {
                if self.is_working() {
                    self.since = now;
                }
                self.idle(now, Action::Nothing)
            }
        }
    }

    /// Bytes have come that are no package. Returns why it is closed.
    pub fn malformed(&mut self, error: DecodeError) -> CloseReason {
        self.close(CloseReason::Malformed(error))
    }

    /// The application lets the client in: send it [`Accept::body`](super::Accept::body) if this
    /// is true. It is false if the connection was closed in the meantime, or nothing was asked.
    #[must_use]
    pub fn accept(&mut self) -> bool {
        let asked = self.state == State::Asked;
        if asked {
            self.state = State::WaitAck;
        }
        asked
    }

    /// The application, or the connector, does not let the client in: send it the refusal's
    /// [body](Refusal::body), then close the connection. Returns why it is closed, which is another
    /// reason if it was closed already.
    pub fn refuse(&mut self, refusal: Refusal) -> CloseReason {
        self.close(CloseReason::Refused(refusal))
    }

    /// Ends it, whoever wants it. Returns why it is closed: the first reason stays.
    pub fn close(&mut self, reason: CloseReason) -> CloseReason {
        if let State::Closed(first) = self.state {
            return first;
        }
        self.state = State::Closed(reason);
        reason
    }

    /// When to [`poll`](Self::poll), if nothing comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Inited | State::Asked | State::WaitAck => {
                Some(self.since + self.settings.handshake_timeout)
            }
            State::Working => self.settings.heartbeat.map(|_| self.since + self.settings.timeout),
            State::Closed(_) => None,
        }
    }

    /// Closes it if its deadline has passed. Whoever polls must have read what waited to be read.
    pub fn poll(&mut self, now: Instant) -> Option<CloseReason> {
        if now < self.next_deadline()? {
            return None;
        }
        let late =
            if self.is_working() { CloseReason::HeartbeatTimeout } else { CloseReason::HandshakeTimeout };
        Some(self.close(late))
    }

    /// This process itself has slept (it was stopped, or starved), so that packages may wait unread:
    /// its sleep is not held against the client.
    pub fn slept(&mut self, now: Instant, time: Duration) {
        self.since = now.min(self.since + time);
    }

    fn idle<'a>(&mut self, now: Instant, action: Action<'a>) -> Action<'a> {
        let step = self.settings.forgets_in();
        let steps = now.saturating_since(self.forgotten).as_nanos() / step.as_nanos();
        match u32::try_from(steps) {
            Ok(steps) if steps < self.idle => {
                self.idle -= steps;
                self.forgotten = self.forgotten + step * steps;
            }
            _ => {
                self.idle = 0;
                self.forgotten = now;
            }
        }
        self.idle += 1;
        if self.idle > self.settings.max_idle {
            return Action::Close(self.close(CloseReason::Flood));
        }
        action
    }
}

/// The body of a kick package, as Pomelo 2.2.7 sends it: `{"reason":"kick"}`.
#[must_use]
pub fn kick_body(reason: &str) -> Vec<u8> {
    let body = serde_json::to_vec(&serde_json::json!({ "reason": reason })).unwrap_or_default();
    text::to_all_clients(&body).into_owned()
}
