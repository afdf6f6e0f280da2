//! What the command line asks, and when it is answered.

use super::Machine;
use super::ending::Ending;
use super::io::{Action, Ticket};
use super::server::{Order, Run, Server, Then};
use super::store::Deferred;
use crate::config::{MAX_SERVERS, ServerDef, check_cpus, check_servers, is_loopback};
use crate::wire::{Listing, MasterRow, Request, Response, Selection};
use crate::{Error, ErrorKind, Instant, Result};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A request whose answer waits for servers.
#[derive(Debug)]
pub(super) struct Waiter {
    ticket: Ticket,
    goal: Goal,
    ids: Vec<String>,
}

#[derive(Debug)]
enum Goal {
    /// They are up, or it is clear that they will not be.
    Settled,
    /// No process of them runs.
    Gone,
    /// One after the other is stopped, started and settled; the front of the queue is next.
    Rolling(VecDeque<String>),
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        Self::Failed { kind: error.kind(), message: format!("{error}") }
    }
}

impl Machine {
    pub(super) fn request(&mut self, now: Instant, ticket: Ticket, request: Request) {
        let outcome = match request {
            Request::List => {
                let response = Response::Listing(self.listing(now));
                self.actions.push(Action::Reply { ticket, response });
                return;
            }
            _ if self.is_over() => {
                Err(Error::new(ErrorKind::Unavailable, "this master leads no longer: ask again"))
            }
            Request::Stop(selection) if selection.is_all() => return self.end(now, Some(ticket), false),
            Request::Kill(selection) if selection.is_all() => return self.end(now, Some(ticket), true),
            _ if self.ending.is_some() => {
                Err(Error::new(ErrorKind::Unavailable, "the cluster is stopping: ask again when it is gone"))
            }
            Request::AwaitStart => Ok((Goal::Settled, self.wanted())),
            Request::Start(selection) => self.start_all(now, &selection),
            Request::Stop(selection) => self.stop_all(now, &selection, false),
            Request::Kill(selection) => self.stop_all(now, &selection, true),
            Request::Restart { selection, rolling } => self.restart_all(now, &selection, rolling),
            Request::Add(defs) => self.add_all(defs),
            Request::HandOver { to } => return self.actions.push(Action::HandOver { ticket, to }),
        };
        match outcome {
            Ok((goal, ids)) => self.waiters.push(Waiter { ticket, goal, ids }),
            Err(error) => self.actions.push(Action::Reply { ticket, response: error.into() }),
        }
    }

    /// The cluster as it is. The driver puts the leader in front and adds the servers' memory.
    #[must_use]
    pub fn listing(&self, now: Instant) -> Listing {
        let mut standbys: Vec<MasterRow> = self.standbys.values().map(|info| info.0.clone()).collect();
        standbys.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        let servers = self.servers.iter().map(|server| server.row(now)).collect();
        Listing { masters: standbys, servers, channels: self.channels_row(now) }
    }

    /// The servers that should run.
    fn wanted(&self) -> Vec<String> {
        let wanted = self.servers.iter().filter(|server| !server.record.stopped);
        wanted.map(|server| server.record.def.id.clone()).collect()
    }

    fn select(&self, selection: &Selection) -> Result<Vec<String>> {
        if let Some(unknown) = selection.ids.iter().find(|id| self.index(id).is_none()) {
            let known: Vec<&str> = self.servers.iter().map(|s| s.record.def.id.as_str()).collect();
            let message = format!("there is no server {unknown}: there are {}", known.join(", "));
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let chosen = |server: &&Server| {
            let def = &server.record.def;
            selection.is_all()
                || selection.ids.contains(&def.id)
                || selection.server_type.as_ref() == Some(&def.server_type)
        };
        let ids: Vec<String> = self.servers.iter().filter(chosen).map(|s| s.record.def.id.clone()).collect();
        if let Some(server_type) = selection.server_type.as_ref().filter(|_| ids.is_empty()) {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no server of type {server_type}")));
        }
        Ok(ids)
    }

    fn start_all(&mut self, now: Instant, selection: &Selection) -> Result<(Goal, Vec<String>)> {
        let ids = self.select(selection)?;
        for id in &ids {
            self.start_one(now, id);
        }
        Ok((Goal::Settled, ids))
    }

    fn start_one(&mut self, now: Instant, id: &str) {
        let Some(index) = self.index(id) else { return };
        let server = &mut self.servers[index];
        if matches!(server.run, Run::Up | Run::Starting { .. } | Run::Launching | Run::Unlinked { .. })
            && !server.record.stopped
        {
            return;
        }
        self.forgive(index);
        self.begin_stop(now, index, Then::Launch);
    }

    /// Somebody wants it to run: what was held against it is forgotten.
    fn forgive(&mut self, index: usize) {
        let server = &mut self.servers[index];
        server.record.stopped = false;
        server.record.failed = None;
        server.record.due = true;
        server.record.restarts = 0;
        server.crashes.reset();
        server.why.clear();
        self.changed();
    }

    fn stop_all(&mut self, now: Instant, selection: &Selection, kill: bool) -> Result<(Goal, Vec<String>)> {
        let ids = self.select(selection)?;
        for index in ids.iter().filter_map(|id| self.index(id)).collect::<Vec<_>>() {
            let record = &mut self.servers[index].record;
            record.stopped = true;
            record.failed = None;
            record.due = false;
            self.changed();
            self.begin_stop(now, index, Then::Stay);
            if kill {
                self.hasten(now, index);
            }
        }
        Ok((Goal::Gone, ids))
    }

    /// What was told to stop is killed at once.
    pub(super) fn hasten(&mut self, now: Instant, index: usize) {
        if let Run::Stopping { order, .. } = &mut self.servers[index].run {
            match order {
                Order::Pending { kill } => *kill = true,
                Order::Given { kill_at } => *kill_at = now,
            }
        }
    }

    fn restart_all(
        &mut self,
        now: Instant,
        selection: &Selection,
        rolling: bool,
    ) -> Result<(Goal, Vec<String>)> {
        let ids = self.select(selection)?;
        if rolling {
            return Ok((Goal::Rolling(ids.iter().cloned().collect()), ids));
        }
        for id in &ids {
            self.restart_one(now, id);
        }
        Ok((Goal::Settled, ids))
    }

    fn restart_one(&mut self, now: Instant, id: &str) {
        if let Some(index) = self.index(id) {
            self.forgive(index);
            self.begin_stop(now, index, Then::Launch);
        }
    }

    fn add_all(&mut self, defs: Vec<ServerDef>) -> Result<(Goal, Vec<String>)> {
        let existing: Vec<ServerDef> = self.servers.iter().map(|server| server.record.def.clone()).collect();
        check_servers(&defs, &existing, &self.setup.master)?;
        check_cpus(&defs, &self.setup.allowed_cpus)?;
        // As at the start: the secret that a master makes by itself is for loopback only.
        let outer = defs.iter().find(|def| !is_loopback(&def.host));
        if let Some(def) = outer.filter(|_| self.setup.master.secret.is_none()) {
            let message = format!(
                "server {}: host {} is beyond this machine's loopback, and the cluster was started without \
                 TANGELO_SECRET or \"secret\" in master.json: stop it, set one, and start it again",
                def.id, def.host
            );
            return Err(Error::new(ErrorKind::Denied, message));
        }
        if defs.len() > MAX_SERVERS.saturating_sub(existing.len()) {
            let message = format!("the cluster would have more than {MAX_SERVERS} servers");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let ids: Vec<String> = defs.iter().map(|def| def.id.clone()).collect();
        for def in defs {
            let mut record = self.new_record(def);
            record.added = true;
            record.due = true;
            self.servers.push(Server::new(record));
        }
        self.bind_cpus();
        self.changed();
        for index in self.servers.len() - ids.len()..self.servers.len() {
            self.begin_launch(index);
        }
        Ok((Goal::Settled, ids))
    }

    pub(super) fn answer_waiters(&mut self, now: Instant) {
        let mut waiters = core::mem::take(&mut self.waiters);
        waiters.retain_mut(|waiter| !self.answer(now, waiter));
        self.waiters.append(&mut waiters);
    }

    /// Answers if the goal is reached.
    fn answer(&mut self, now: Instant, waiter: &mut Waiter) -> bool {
        let reached = match &mut waiter.goal {
            Goal::Settled => self.all(&waiter.ids, Server::is_settled),
            // One that somebody wants again meanwhile is not waited for.
            Goal::Gone => self.all(&waiter.ids, |server| !server.is_live() || !server.record.stopped),
            Goal::Rolling(queue) => {
                if !self.all(&waiter.ids, Server::is_settled) {
                    return false;
                }
                let done = waiter.ids.len() - queue.len();
                let healthy =
                    self.ending.is_none() && self.all(&waiter.ids[..done], |server| server.run == Run::Up);
                match queue.pop_front().filter(|_| healthy) {
                    Some(next) => {
                        self.restart_one(now, &next);
                        return false;
                    }
                    None => true,
                }
            }
        };
        if reached {
            let response = match waiter.goal {
                Goal::Gone => self.all_gone(&waiter.ids),
                Goal::Settled | Goal::Rolling(_) => self.outcome(&waiter.ids),
            };
            self.when_stored(Deferred::Reply(waiter.ticket, response));
        }
        reached
    }

    fn all(&self, ids: &[String], condition: impl Fn(&Server) -> bool) -> bool {
        ids.iter().filter_map(|id| self.index(id)).all(|index| condition(&self.servers[index]))
    }

    /// Done, or which of them run because somebody else wants them to.
    fn all_gone(&self, ids: &[String]) -> Response {
        let wanted = ids.iter().filter(|id| self.index(id).is_some_and(|i| !self.servers[i].record.stopped));
        let wanted: Vec<&str> = wanted.map(String::as_str).collect();
        if wanted.is_empty() {
            return Response::Done(ids.to_vec());
        }
        let message = format!("started again meanwhile: {}", wanted.join(", "));
        Response::Failed { kind: ErrorKind::Unavailable, message }
    }

    /// Answers all that is owed, and this way.
    pub(super) fn answer_everybody(&mut self, response: impl Fn() -> Response) {
        let waiters = core::mem::take(&mut self.waiters).into_iter().map(|waiter| waiter.ticket);
        let tickets: Vec<Ticket> =
            waiters.chain(self.ending.iter_mut().flat_map(Ending::take_tickets)).collect();
        for ticket in tickets.into_iter().chain(self.store.take_replies()) {
            self.actions.push(Action::Reply { ticket, response: response() });
        }
    }

    /// Done, or which of them are not up and why.
    fn outcome(&self, ids: &[String]) -> Response {
        let servers = ids.iter().filter_map(|id| self.index(id)).map(|index| &self.servers[index]);
        let down: Vec<String> = servers
            .filter(|server| server.run != Run::Up)
            .map(|server| {
                let id = &server.record.def.id;
                match (&server.run, &server.record.failed) {
                    (Run::Astray { why }, _) | (_, Some(why)) => format!("{id}: {why}"),
                    _ => format!("{id} was stopped meanwhile"),
                }
            })
            .collect();
        if down.is_empty() {
            return Response::Done(ids.to_vec());
        }
        Response::Failed { kind: ErrorKind::Unavailable, message: format!("not up: {}", down.join("; ")) }
    }

    /// Says once a reign, and once a cluster's life, that all is up.
    pub(super) fn note_all_started(&mut self) {
        let wanted = || self.servers.iter().filter(|server| !server.record.stopped);
        if self.ending.is_some() || !wanted().all(Server::is_settled) {
            return;
        }
        let up = wanted().filter(|server| server.run == Run::Up).count();
        let failed = wanted().count() - up;
        if !self.settled {
            self.settled = true;
            self.actions.push(Action::Settled { up, failed });
        }
        if !self.all_started && failed == 0 {
            self.all_started = true;
            self.changed();
            self.when_stored(Deferred::AllStarted);
        }
    }
}
