//! The master's state machine: what an active master decides.
//!
//! It is fed what happened ([`Input`]) and says what to do ([`Action`]); it owns no clock, socket
//! or process. One [`Machine`] lives as long as one reign: it begins with [`Machine::elected`] and
//! is dropped when the leadership ends.
//!
//! Three rules hold it together:
//!
//! - **Written before done.** The desired state is stored, fenced, before anything follows from
//!   it: an incarnation is reserved before it is launched, a process is recorded before it is
//!   welcomed, a deliberate stop before the server hears of it. What waits for the store is in
//!   the `store` module.
//! - **Welcomed before it works.** A server starts its components only once a master has
//!   welcomed it, so a process that no master has on record does nothing but ask and go.
//! - **Nothing past the deadline.** After the leadership's deadline the machine gives no orders.

mod ending;
mod io;
mod lifecycle;
mod membership;
mod purges;
mod registration;
mod requests;
mod server;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use io::{Action, Input, LinkId, Mode, Report, Setup, StandbyInfo, Ticket};
pub use state::{ClusterState, PastFrontend, ServerRecord};

use crate::coordinator::{Epoch, LeadershipState};
use crate::wire::Message;
use crate::{Error, ErrorKind, Instant};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use ending::Ending;
use membership::Changes;
use purges::Purges;
use requests::Waiter;
use server::Server;
use store::Store;

/// A master that may not act looks this often whether it may again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A timer that is run this much too late shows that the master slept.
const OVERSLEPT: Duration = Duration::from_millis(500);

/// One reign of a master.
#[derive(Debug)]
pub struct Machine {
    setup: Setup,
    epoch: Epoch,
    leadership: LeadershipState,
    deadline: Instant,
    /// In the order of servers.json, added servers last.
    servers: Vec<Server>,
    /// What is left of frontends that are no servers of the cluster any more, by id.
    past: BTreeMap<String, PastFrontend>,
    standbys: BTreeMap<LinkId, StandbyInfo>,
    all_started: bool,
    /// Whether servers may have been told so: it is stored.
    all_told: bool,
    /// Whether this reign has said that everything is up or has failed.
    settled: bool,
    ending: Option<Ending>,
    changes: Changes,
    purges: Purges,
    store: Store,
    waiters: Vec<Waiter>,
    /// When it was last awake.
    awake_at: Instant,
    /// When to look again whether it may act, if it may not.
    look_again: Option<Instant>,
    /// Whether the cluster has ended.
    exited: bool,
    random: fastrand::Rng,
    actions: Vec<Action>,
}

impl Machine {
    /// A reign begins: `stored` is the desired state that the coordinator holds, if any.
    #[must_use]
    pub fn elected(
        now: Instant,
        setup: Setup,
        epoch: Epoch,
        deadline: Instant,
        stored: Option<ClusterState>,
    ) -> (Self, Vec<Action>) {
        let random = fastrand::Rng::with_seed(setup.seed ^ epoch.0);
        let mut machine = Self {
            setup,
            epoch,
            leadership: LeadershipState::Leading,
            deadline,
            servers: Vec::new(),
            past: BTreeMap::new(),
            standbys: BTreeMap::new(),
            all_started: false,
            all_told: false,
            settled: false,
            ending: None,
            changes: Changes::default(),
            purges: Purges::default(),
            store: Store::default(),
            waiters: Vec::new(),
            awake_at: now,
            look_again: None,
            exited: false,
            random,
            actions: Vec::new(),
        };
        machine.take_over(now, stored);
        let actions = machine.finish(now);
        (machine, actions)
    }

    /// Takes in what happened and says what to do, in order.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Action> {
        self.spare_if_overslept(now);
        match input {
            Input::Leadership { state, deadline } => {
                if self.leadership == LeadershipState::Suspended && state == LeadershipState::Leading {
                    self.spare(now);
                }
                self.leadership_changed(state, deadline);
            }
            Input::Tick => {}
            Input::Stored { version, result } => self.stored(now, version, result),
            Input::Launched { id, incarnation, result } => self.launched(now, &id, incarnation, result),
            Input::Adopted { id, incarnation, alive } => self.adopted(now, &id, incarnation, alive),
            Input::Exited { id, incarnation, exit } => self.exited(now, &id, incarnation, exit),
            Input::Member { link, message } => self.member_says(now, link, message),
            Input::Standby { link, info } => self.standby_joined(now, link, info),
            Input::LinkClosed { link, silent } => self.link_closed(now, link, silent),
            Input::Purged(frontend) => self.purged(&frontend),
            Input::Request { ticket, request } => self.request(now, ticket, request),
            Input::End => self.end(now, None, false),
        }
        self.finish(now)
    }

    /// When [`Input::Tick`] is due at the latest, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_over() || self.look_again.is_some() {
            return self.look_again.filter(|_| !self.is_over());
        }
        let servers = self.servers.iter().filter_map(Server::deadline);
        servers
            .chain(self.changes.deadline())
            .chain(self.store.deadline())
            .chain(self.ending_deadline())
            .chain(self.wakeful())
            .min()
    }

    /// The number of this reign.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The link of a server, while it has one.
    #[must_use]
    pub fn link_of(&self, id: &str) -> Option<LinkId> {
        self.index(id).and_then(|index| self.servers[index].link)
    }

    /// Whether it may give orders now.
    fn may_act(&self, now: Instant) -> bool {
        !self.is_over() && now < self.deadline
    }

    fn leadership_changed(&mut self, state: LeadershipState, deadline: Instant) {
        if self.leadership == LeadershipState::Lost {
            return;
        }
        self.leadership = state;
        self.deadline = deadline;
        if state == LeadershipState::Lost {
            self.answer_everybody(|| {
                Error::new(ErrorKind::Unavailable, "this master leads no longer: ask again").into()
            });
            self.actions.push(Action::StepDown);
        }
    }

    /// Whether nothing will ever follow from anything again.
    const fn is_over(&self) -> bool {
        self.exited || matches!(self.leadership, LeadershipState::Lost)
    }

    fn exit(&mut self) {
        if !mem::replace(&mut self.exited, true) {
            // Whatever waits even now waits for a store that does not answer.
            let message = "the servers have stopped, but that could not be stored: a standby that has not \
                           heard of it may start them again";
            self.answer_everybody(|| Error::new(ErrorKind::Unavailable, message).into());
            self.actions.push(Action::Exit);
        }
    }

    /// A master that was frozen, or starved, wakes to timers that are long past, while the
    /// registration that answers them may wait unread: its own sleep is not held against a server.
    fn spare_if_overslept(&mut self, now: Instant) {
        let due = self.next_deadline();
        if due.is_some_and(|due| now.saturating_since(due) > OVERSLEPT) {
            self.spare(now);
        }
        self.awake_at = now;
    }

    /// While a server's time runs, it is often awake, so as to notice that it was not.
    fn wakeful(&self) -> Option<Instant> {
        self.servers.iter().any(Server::is_on_time).then(|| self.awake_at + OVERSLEPT)
    }

    fn spare(&mut self, now: Instant) {
        let at_least = now + self.setup.master.timing.reconnect_grace;
        for server in &mut self.servers {
            server.spare(at_least);
        }
    }

    /// What follows from time and from everything that was just taken in.
    fn finish(&mut self, now: Instant) -> Vec<Action> {
        if self.may_act(now) {
            if self.look_again.take().is_some() {
                self.spare(now);
            }
            self.run_deferred(now);
            self.run_timers(now);
            self.answer_waiters(now);
            self.drive_ending(now);
            // What was just decided may need nothing stored that is not stored already.
            self.run_deferred(now);
            self.note_all_started();
            self.flush_changes(now);
            self.flush_store(now);
        } else {
            self.look_again = Some(now + LOOK_AGAIN);
        }
        mem::take(&mut self.actions)
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.servers.iter().position(|server| server.record.def.id == id)
    }

    fn send(&mut self, link: LinkId, message: Message) {
        self.actions.push(Action::Send { link, message });
    }

    fn close(&mut self, link: LinkId, reason: impl Into<String>) {
        self.actions.push(Action::Close { link, reason: reason.into() });
    }
}
