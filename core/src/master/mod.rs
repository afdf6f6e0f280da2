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
mod registration;
mod requests;
mod server;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use io::{Action, Input, LinkId, Mode, Report, Setup, StandbyInfo, Ticket};
pub use state::{ClusterState, ServerRecord};

use crate::Instant;
use crate::coordinator::{Epoch, LeadershipState};
use crate::wire::Message;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use ending::Ending;
use membership::Changes;
use requests::Waiter;
use server::Server;
use store::Store;

/// One reign of a master.
#[derive(Debug)]
pub struct Machine {
    setup: Setup,
    epoch: Epoch,
    leadership: LeadershipState,
    deadline: Instant,
    /// In the order of servers.json, added servers last.
    servers: Vec<Server>,
    standbys: BTreeMap<LinkId, StandbyInfo>,
    all_started: bool,
    /// Whether this reign has said that everything is up or has failed.
    settled: bool,
    ending: Option<Ending>,
    changes: Changes,
    store: Store,
    waiters: Vec<Waiter>,
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
            standbys: BTreeMap::new(),
            all_started: false,
            settled: false,
            ending: None,
            changes: Changes::default(),
            store: Store::default(),
            waiters: Vec::new(),
            random,
            actions: Vec::new(),
        };
        machine.take_over(now, stored);
        let actions = machine.finish(now);
        (machine, actions)
    }

    /// Takes in what happened and says what to do, in order.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Action> {
        match input {
            Input::Leadership { state, deadline } => self.leadership_changed(state, deadline),
            Input::Tick => {}
            Input::Stored { version, result } => self.stored(now, version, result),
            Input::Launched { id, incarnation, result } => self.launched(now, &id, incarnation, result),
            Input::Adopted { id, incarnation, alive } => self.adopted(now, &id, incarnation, alive),
            Input::Exited { id, incarnation, exit } => self.exited(now, &id, incarnation, exit),
            Input::Member { link, message } => self.member_says(now, link, message),
            Input::Standby { link, info } => self.standby_joined(link, info),
            Input::LinkClosed { link, silent } => self.link_closed(now, link, silent),
            Input::Request { ticket, request } => self.request(now, ticket, request),
            Input::End => self.end(now, None, false),
        }
        self.finish(now)
    }

    /// When [`Input::Tick`] is due at the latest, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let servers = self.servers.iter().filter_map(Server::deadline);
        servers
            .chain(self.changes.deadline())
            .chain(self.store.deadline())
            .chain(self.ending_deadline())
            .min()
    }

    /// The number of this reign.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether it may give orders now.
    fn may_act(&self, now: Instant) -> bool {
        self.leadership != LeadershipState::Lost && now < self.deadline
    }

    fn leadership_changed(&mut self, state: LeadershipState, deadline: Instant) {
        if self.leadership == LeadershipState::Lost {
            return;
        }
        self.leadership = state;
        self.deadline = deadline;
        if state == LeadershipState::Lost {
            self.actions.push(Action::StepDown);
        }
    }

    /// What follows from time and from everything that was just taken in.
    fn finish(&mut self, now: Instant) -> Vec<Action> {
        if self.may_act(now) {
            self.run_deferred(now);
            self.run_timers(now);
            self.drive_ending(now);
            self.answer_waiters(now);
            self.note_all_started();
            self.flush_changes(now);
            self.flush_store(now);
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
