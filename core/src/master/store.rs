//! Written before done: what waits until the desired state is stored.

use super::ending::Ending;
use super::io::{Action, LinkId, Ticket};
use super::state::ClusterState;
use super::{Machine, Report};
use crate::config::Incarnation;
use crate::coordinator::LeadershipState;
use crate::wire::Response;
use crate::{Error, ErrorKind, Instant};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// The first and the longest pause after a failed store.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How long changes that nothing waits for are gathered: the end of a process, its successor's
/// launch and its record then cost one store, and none of it competes with the launch itself.
const GATHER: Duration = Duration::from_millis(5);

/// What is done once the state that it follows from is stored.
#[derive(Debug)]
pub(super) enum Deferred {
    /// Launch this incarnation, if it is still wanted.
    Launch(String, Incarnation),
    /// Welcome the server on this link, if it is still there.
    Welcome(String, LinkId),
    /// Tell the others that this incarnation is up, if it still is.
    Announce(String, Incarnation),
    /// Tell everybody that all servers are up.
    AllStarted,
    /// Tell this server to stop, if it still should.
    Stop(String),
    /// Purge the members of this incarnation of a frontend.
    Purge(String, Incarnation),
    /// Answer.
    Reply(Ticket, Response),
    /// The cluster's state is gone: leave.
    Exit,
}

/// The state of the stored state.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Counts changes; a store of version n has all changes up to n.
    version: u64,
    stored: u64,
    under_way: Option<u64>,
    retry_at: Option<Instant>,
    gather_until: Option<Instant>,
    failures: u32,
    deferred: Vec<(u64, Deferred)>,
}

impl Store {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry_at.into_iter().chain(self.gather_until).min()
    }

    /// Whether something waits for a store that a few milliseconds would keep from serving.
    fn is_waited_for(&self) -> bool {
        let waits = |deferred: &Deferred| !matches!(deferred, Deferred::Purge(..));
        self.deferred.iter().any(|(needs, deferred)| *needs > self.stored && waits(deferred))
    }

    /// Of each kind and server only the latest waits, so that a store which fails for long piles nothing up.
    fn defer(&mut self, needs: u64, deferred: Deferred) {
        self.deferred.retain(|(_, earlier)| !deferred.replaces(earlier));
        self.deferred.push((needs, deferred));
    }

    /// How much waits for a store.
    #[cfg(test)]
    pub(super) const fn waiting(&self) -> usize {
        self.deferred.len()
    }

    /// The answers that wait for a store which may never succeed.
    pub(super) fn take_replies(&mut self) -> Vec<Ticket> {
        let waiting = self.deferred.extract_if(.., |(_, deferred)| matches!(deferred, Deferred::Reply(..)));
        let replies = waiting.filter_map(|(_, deferred)| match deferred {
            Deferred::Reply(ticket, _) => Some(ticket),
            _ => None,
        });
        replies.collect()
    }
}

impl Deferred {
    fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Launch(a, _), Self::Launch(b, _))
            | (Self::Welcome(a, _), Self::Welcome(b, _))
            | (Self::Announce(a, _), Self::Announce(b, _))
            | (Self::Purge(a, _), Self::Purge(b, _))
            | (Self::Stop(a), Self::Stop(b)) => a == b,
            _ => false,
        }
    }
}

impl Machine {
    /// The desired state has changed and is to be stored.
    pub(super) const fn changed(&mut self) {
        self.store.version += 1;
    }

    /// Reserves an incarnation, so that no later master launches it too.
    pub(super) fn reserve(&mut self, index: usize, incarnation: Incarnation) {
        let server = &mut self.servers[index];
        if server.record.reserved < incarnation || server.reserved_by == 0 {
            server.record.reserved = server.record.reserved.max(incarnation);
            self.store.version += 1;
            self.servers[index].reserved_by = self.store.version;
        }
    }

    /// Does this once everything changed so far is stored.
    pub(super) fn when_stored(&mut self, deferred: Deferred) {
        self.store.defer(self.store.version, deferred);
    }

    pub(super) fn stored(&mut self, now: Instant, version: u64, result: Result<(), Error>) {
        if self.store.under_way.take_if(|under_way| *under_way == version).is_none() {
            return;
        }
        match result {
            Ok(()) => {
                self.store.failures = 0;
                self.store.stored = version;
            }
            Err(error) if error.kind() == ErrorKind::Fenced => {
                self.leadership_changed(LeadershipState::Lost, now);
            }
            Err(_) => {
                self.store.failures += 1;
                let doublings = self.store.failures.min(10) - 1;
                let pause = RETRY.0.saturating_mul(2u32.saturating_pow(doublings)).min(RETRY.1);
                self.store.retry_at = Some(now + pause);
            }
        }
    }

    /// Launches the server's next incarnation once it is reserved in the stored state.
    pub(super) fn launch_when_reserved(&mut self, index: usize, incarnation: Incarnation) {
        let server = &self.servers[index];
        let deferred = Deferred::Launch(server.record.def.id.clone(), incarnation);
        self.store.defer(server.reserved_by, deferred);
    }

    /// Does what has waited for a store that has succeeded by now.
    pub(super) fn run_deferred(&mut self, now: Instant) {
        let stored = self.store.stored;
        let impatient = self.ending.as_ref().is_some_and(|ending| ending.waits_no_more());
        let mut exit = false;
        loop {
            let is_ready = |(needs, deferred): &mut (u64, Deferred)| {
                *needs <= stored || (impatient && matches!(deferred, Deferred::Stop(_)))
            };
            let ready: Vec<_> = self.store.deferred.extract_if(.., is_ready).collect();
            if ready.is_empty() {
                break;
            }
            for (_, deferred) in ready {
                match deferred {
                    Deferred::Launch(id, incarnation) => self.launch_now(now, &id, incarnation),
                    Deferred::Welcome(id, link) => self.welcome(now, &id, link),
                    Deferred::Announce(id, incarnation) => self.announce_now(now, &id, incarnation),
                    Deferred::AllStarted => self.tell_all_started(),
                    Deferred::Stop(id) => self.stop_now(now, &id),
                    Deferred::Purge(id, incarnation) => self.purge_now(id, incarnation),
                    Deferred::Reply(ticket, response) => {
                        self.actions.push(Action::Reply { ticket, response })
                    }
                    Deferred::Exit => exit = true,
                }
            }
        }
        if exit {
            self.exit();
        }
    }

    /// Stores what has changed, one store at a time.
    pub(super) fn flush_store(&mut self, now: Instant) {
        let retrying = self.store.retry_at.is_some_and(|at| now < at);
        if self.store.under_way.is_some() || self.store.stored >= self.store.version || retrying {
            return;
        }
        let retries = self.store.retry_at.take().is_some();
        let at_once = retries || self.store.is_waited_for();
        if !at_once && now < *self.store.gather_until.get_or_insert(now + GATHER) {
            return;
        }
        self.store.gather_until = None;
        let version = self.store.version;
        self.store.under_way = Some(version);
        let over = self.ending.as_ref().is_some_and(Ending::is_over);
        let records = self.servers.iter().filter(|_| !over).map(|server| server.record.clone());
        let mut state = ClusterState::new(records.collect());
        state.all_started = self.all_started && !over;
        state.ending = self.ending.is_some() && !over;
        state.ended = over;
        state.past = self.past.clone();
        self.actions.push(Action::Store { version, state });
    }

    pub(super) fn report(&mut self, id: &str, what: Report) {
        self.actions.push(Action::Report { id: id.into(), what });
    }
}
