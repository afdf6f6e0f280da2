//! The state machine of the agent inside every server process: it finds the leader, links and
//! registers with it, again after every failover, and obeys it unless it has seen a later one.

#[cfg(test)]
mod tests;

use crate::Instant;
use crate::config::Incarnation;
use crate::coordinator::{Epoch, LeaderInfo};
use crate::wire::{Digest, Message, Phase, Register, ServerInfo, Welcome};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

/// The first and the longest pause between attempts to link.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long a process looks for a master that knows it, before its first welcome. It has done
/// nothing yet; one that was launched by a master that died at once may be unknown to all others,
/// and would else outlive the cluster. Once welcomed it looks for ever.
const UNKNOWN: Duration = Duration::from_secs(60);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The coordinator says who leads.
    Leader(Option<LeaderInfo>),
    /// The answer to [`Action::Connect`]: linked, or not.
    Connected(bool),
    /// The link is gone.
    Disconnected,
    /// The master says something.
    Message(Message),
    /// This server has come this far.
    Phase(Phase),
    /// This server says this of itself.
    Status(String),
    /// Time has passed.
    Tick,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Link with this master, and answer [`Input::Connected`]. Any earlier attempt is given up.
    Connect {
        /// Where it is reached.
        host: String,
        /// Where it is reached.
        port: u16,
    },
    /// Give the link up; no [`Input::Disconnected`] follows.
    Disconnect,
    /// Send this to the master.
    Send(Message),
    /// Registered for the first time: start the components.
    Start,
    /// These servers have come up (or their incarnation is new), and these have gone.
    Servers {
        /// Who has come up.
        added: Vec<ServerInfo>,
        /// Who has gone.
        removed: Vec<ServerInfo>,
    },
    /// All servers of the cluster are up for the first time.
    AllStarted,
    /// Stop in order.
    Stop {
        /// How long the before-stop hooks may take; `None`: as long as configured.
        timeout: Option<Duration>,
        /// Why, if the master would not have this server, or none has come for it.
        refused: Option<String>,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Link {
    Down {
        retry_at: Instant,
    },
    Connecting,
    Registering,
    Welcomed,
    /// A master would not have this server: it stops, and asks nobody again.
    Refused,
}

/// The agent of one server process.
#[derive(Debug)]
pub struct Machine {
    register: Register,
    leader: Option<LeaderInfo>,
    born: Instant,
    link: Link,
    failures: u32,
    /// When it gives up, unless it has been welcomed.
    welcome_by: Option<Instant>,
    started: bool,
    all_started: bool,
    servers: BTreeMap<String, ServerInfo>,
    random: fastrand::Rng,
}

impl Machine {
    /// An agent that introduces its server, which begins `now`, with `register`.
    #[must_use]
    pub fn new(now: Instant, register: Register, seed: u64) -> Self {
        Self {
            born: now,
            register,
            leader: None,
            link: Link::Down { retry_at: Instant::default() },
            failures: 0,
            welcome_by: None,
            started: false,
            all_started: false,
            servers: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Takes in what happened and says what to do, in order.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        self.welcome_by.get_or_insert(now + UNKNOWN);
        match input {
            Input::Leader(leader) => self.leader_is(now, leader, &mut actions),
            // An answer that comes after the attempt was given up changes nothing.
            Input::Connected(_) if self.link != Link::Connecting => {}
            Input::Connected(true) => {
                self.link = Link::Registering;
                self.register.age = now.saturating_since(self.born);
                actions.push(Action::Send(Message::Register(self.register.clone())));
            }
            Input::Disconnected if matches!(self.link, Link::Down { .. } | Link::Refused) => {}
            Input::Connected(false) | Input::Disconnected => self.back_off(now),
            Input::Message(message) => self.message(now, message, &mut actions),
            Input::Phase(phase) => {
                self.register.phase = phase;
                self.tell(Message::Phase(phase), &mut actions);
            }
            Input::Status(status) => {
                self.register.status.clone_from(&status);
                self.tell(Message::Status(status), &mut actions);
            }
            Input::Tick => {}
        }
        self.give_up_if_unknown(now, &mut actions);
        self.connect_if_due(now, &mut actions);
        actions
    }

    /// When [`Input::Tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let retry = match self.link {
            Link::Refused => return None,
            Link::Down { retry_at } if self.leader.is_some() => Some(retry_at),
            _ => None,
        };
        let give_up = self.welcome_by.filter(|_| !self.started);
        retry.into_iter().chain(give_up).min()
    }

    /// The highest epoch seen.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.register.epoch
    }

    /// The servers that are up, by id.
    #[must_use]
    pub const fn servers(&self) -> &BTreeMap<String, ServerInfo> {
        &self.servers
    }

    /// Whether a master knows this server now.
    #[must_use]
    pub fn is_welcome(&self) -> bool {
        self.link == Link::Welcomed
    }

    fn leader_is(&mut self, now: Instant, leader: Option<LeaderInfo>, actions: &mut Vec<Action>) {
        // Nobody, or somebody of the past: whom we know may still be the best we have.
        let Some(leader) = leader.filter(|leader| leader.epoch >= self.register.epoch) else { return };
        self.register.epoch = leader.epoch;
        if self.leader.as_ref() == Some(&leader) || self.link == Link::Refused {
            return;
        }
        if !matches!(self.link, Link::Down { .. }) {
            actions.push(Action::Disconnect);
        }
        self.leader = Some(leader);
        self.failures = 0;
        self.link = Link::Down { retry_at: now };
    }

    fn connect_if_due(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if let (Link::Down { retry_at }, Some(leader)) = (&self.link, &self.leader)
            && *retry_at <= now
        {
            actions.push(Action::Connect { host: leader.host.clone(), port: leader.port });
            self.link = Link::Connecting;
        }
    }

    fn give_up_if_unknown(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let unknown = !self.started && self.welcome_by.is_some_and(|by| by <= now);
        if unknown && self.link != Link::Refused {
            self.link = Link::Refused;
            let why = alloc::format!("no master has taken it in within {} s", UNKNOWN.as_secs());
            actions.push(Action::Stop { timeout: None, refused: Some(why) });
        }
    }

    fn back_off(&mut self, now: Instant) {
        let pause = RETRY.0.saturating_mul(2u32.saturating_pow(self.failures.min(16))).min(RETRY.1);
        self.failures = self.failures.saturating_add(1);
        self.link = Link::Down { retry_at: now + pause.mul_f64(0.5 + self.random.f64() / 2.0) };
    }

    /// Says it now if there is a master to hear it; a registration says it again anyway.
    fn tell(&self, message: Message, actions: &mut Vec<Action>) {
        if matches!(self.link, Link::Registering | Link::Welcomed) {
            actions.push(Action::Send(message));
        }
    }

    fn message(&mut self, now: Instant, message: Message, actions: &mut Vec<Action>) {
        match message {
            Message::Welcome(welcome) if self.link == Link::Registering => {
                self.welcome(now, welcome, actions)
            }
            Message::Refused { .. } if self.link == Link::Refused => {}
            Message::Refused { epoch, why } => {
                if epoch < self.register.epoch {
                    self.leave(now, actions);
                } else {
                    self.link = Link::Refused;
                    actions.push(Action::Stop { timeout: None, refused: Some(why) });
                }
            }
            // Everything else counts only from a master that has welcomed us.
            _ if self.link != Link::Welcomed => {}
            Message::Stop { epoch, timeout } if epoch >= self.register.epoch => {
                actions.push(Action::Stop { timeout: Some(timeout), refused: None });
            }
            Message::Servers { added, removed } => self.servers_changed(added, &removed, actions),
            Message::AllStarted => self.all_are_up(actions),
            _ => {}
        }
    }

    /// The master is one of the past, or does not make sense: somebody else leads by now.
    fn leave(&mut self, now: Instant, actions: &mut Vec<Action>) {
        actions.push(Action::Disconnect);
        self.back_off(now);
    }

    fn welcome(&mut self, now: Instant, welcome: Welcome, actions: &mut Vec<Action>) {
        if welcome.epoch < self.register.epoch {
            self.leave(now, actions);
            return;
        }
        self.register.epoch = welcome.epoch;
        self.link = Link::Welcomed;
        self.failures = 0;
        if !mem::replace(&mut self.started, true) {
            actions.push(Action::Start);
        }
        if let Some(servers) = welcome.servers {
            let up: BTreeSet<&str> = servers.iter().map(|server| &*server.def.id).collect();
            let gone = self.servers.values().filter(|known| !up.contains(&*known.def.id));
            let removed: Vec<(String, Incarnation)> =
                gone.map(|server| (server.def.id.clone(), server.incarnation)).collect();
            self.servers_changed(servers, &removed, actions);
        }
        if welcome.all_started {
            self.all_are_up(actions);
        }
    }

    fn servers_changed(
        &mut self,
        added: Vec<ServerInfo>,
        removed: &[(String, Incarnation)],
        actions: &mut Vec<Action>,
    ) {
        let gone: Vec<ServerInfo> = removed
            .iter()
            .filter_map(|(id, incarnation)| {
                // Law 5: a late "removed" of an old incarnation changes nothing.
                let known = self.servers.get(id).filter(|known| known.incarnation <= *incarnation)?;
                let id = known.def.id.clone();
                self.register.known = self.register.known.without(Digest::of(known));
                self.servers.remove(&id)
            })
            .collect();
        let mut new = Vec::new();
        for server in added {
            let known = self.servers.get(&server.def.id);
            if known.is_none_or(|known| *known != server && known.incarnation <= server.incarnation) {
                let earlier = known.map_or_else(Digest::default, Digest::of);
                self.register.known = self.register.known.without(earlier).with(Digest::of(&server));
                self.servers.insert(server.def.id.clone(), server.clone());
                new.push(server);
            }
        }
        if !new.is_empty() || !gone.is_empty() {
            actions.push(Action::Servers { added: new, removed: gone });
        }
    }

    fn all_are_up(&mut self, actions: &mut Vec<Action>) {
        if !mem::replace(&mut self.all_started, true) {
            actions.push(Action::AllStarted);
        }
    }
}
