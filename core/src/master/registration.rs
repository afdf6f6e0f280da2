//! Servers and standbys that link up, and links that go.

use super::Machine;
use super::ending::Ending;
use super::io::{Action, LinkId, Report, StandbyInfo};
use super::server::{Order, Run, Then};
use super::store::Deferred;
use crate::Instant;
use crate::coordinator::LeadershipState;
use crate::wire::{Message, Phase, Register, Welcome};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::mem;

/// Why a server may not register.
enum Objection {
    /// It must stop.
    Never(String),
    /// It may try again.
    NotNow(String),
}

const fn never(why: String) -> Result<usize, Objection> {
    Err(Objection::Never(why))
}

impl Machine {
    pub(super) fn member_says(&mut self, now: Instant, link: LinkId, message: Message) {
        if let Message::Register(register) = message {
            self.register(now, link, register);
            return;
        }
        if let Some(early) = self.early(link) {
            match message {
                Message::Phase(phase) => early.phase = phase,
                Message::Status(status) => early.status = status,
                _ => {}
            }
            return;
        }
        let Some(index) = self.linked(link) else { return };
        match message {
            Message::Phase(phase) => self.phase(now, index, phase),
            Message::Status(status) => self.servers[index].status = status,
            _ => self.close(link, "it sent what a server does not send to a master"),
        }
    }

    fn linked(&self, link: LinkId) -> Option<usize> {
        self.servers.iter().position(|server| server.link == Some(link))
    }

    /// The registration on this link, if it waits for the answer to a launch.
    fn early(&mut self, link: LinkId) -> Option<&mut Register> {
        let mut early = self.servers.iter_mut().filter_map(|server| server.early.as_deref_mut());
        early.find(|(early, _)| *early == link).map(|(_, register)| register)
    }

    fn register(&mut self, now: Instant, link: LinkId, register: Register) {
        if register.epoch > self.epoch {
            self.close(link, format!("{} has seen a later master", register.id));
            self.leadership_changed(LeadershipState::Lost, now);
            return;
        }
        let another = self.linked(link).is_some_and(|index| self.servers[index].record.def.id != register.id);
        if another || self.early(link).is_some_and(|early| early.id != register.id) {
            self.close(link, "it registered as two servers");
            return;
        }
        let index = match self.admit(&register) {
            Ok(index) => index,
            Err(Objection::NotNow(why)) => {
                self.close(link, why);
                return;
            }
            // To be refused ends a process: that is an order, too.
            Err(Objection::Never(_)) if !self.may_act(now) => {
                self.close(link, "this master may not act now");
                return;
            }
            Err(Objection::Never(why)) => {
                self.send(link, Message::Refused { epoch: self.epoch, why });
                self.close(link, "its registration was refused");
                return;
            }
        };
        if self.servers[index].ordered {
            self.wait_for_launch(index, link, register);
            return;
        }
        let record = &mut self.servers[index].record;
        let recorded =
            record.process.as_ref() == Some(&register.process) && record.incarnation == register.incarnation;
        if !recorded {
            self.withdraw(now, index);
            let record = &mut self.servers[index].record;
            // Launched by an earlier master that could not record it.
            record.incarnation = register.incarnation;
            record.reserved = record.reserved.max(register.incarnation);
            record.process = Some(register.process.clone());
        }
        let server = &mut self.servers[index];
        let old_link = server.link.replace(link);
        server.welcomed = false;
        server.cpus = register.cpus.clone();
        server.born = Some(now.saturating_sub(register.age));
        server.status = register.status.clone();
        server.knew = register.known;
        server.phase = register.phase;
        server.record.failed = None;
        if !matches!(server.run, Run::Stopping { .. }) {
            server.run = Run::Starting { until: now + self.setup.master.timing.start_timeout };
        }
        if !recorded {
            self.adopt_if_foreign(index, &register);
            self.changed();
        }
        if let Some(old) = old_link.filter(|old| *old != link) {
            self.close(old, "the same process has linked anew");
        }
        self.when_stored(Deferred::Welcome(register.id, link));
    }

    /// It may be the process that is being launched, or somebody else who says so: that is known
    /// when the launch is answered.
    fn wait_for_launch(&mut self, index: usize, link: LinkId, register: Register) {
        let earlier = self.servers[index].early.replace(Box::new((link, register)));
        if let Some((earlier, _)) = earlier.map(|earlier| *earlier).filter(|(earlier, _)| *earlier != link) {
            self.close(earlier, "another process has registered, too: try again");
        }
    }

    /// Its launch is answered: whoever was early is looked at now.
    pub(super) fn admit_early(&mut self, now: Instant, index: usize) {
        if let Some((link, register)) = self.servers[index].early.take().map(|early| *early) {
            self.register(now, link, register);
        }
    }

    /// Whether a server may register: at most one incarnation of an id does.
    fn admit(&self, register: &Register) -> Result<usize, Objection> {
        let id = &register.id;
        let Some(index) = self.index(id) else {
            return never(format!("{id} is not in this cluster: `add` it, or declare it in servers.json"));
        };
        let server = &self.servers[index];
        let (known, came) = (server.record.incarnation, register.incarnation);
        if came < known {
            return never(format!("incarnation {came} of {id} has been replaced by {known}"));
        }
        if came > known && server.has_process() {
            if server.adopting {
                return Err(Objection::NotNow(format!(
                    "whether incarnation {known} still runs is not known yet"
                )));
            }
            return never(format!("{id} runs already, as incarnation {known}: {came} is one too many"));
        }
        if came == known {
            match &server.record.process {
                Some(process) if *process != register.process => {
                    return never(format!(
                        "{id} runs already, as {process}: {} is one too many",
                        register.process
                    ));
                }
                None if !server.ordered => {
                    return never(format!("incarnation {came} of {id} counts as ended"));
                }
                _ => {}
            }
        }
        // What this reign launches it knows; only an earlier one may have launched more than it said.
        if came > known.max(server.floor) {
            return never(format!(
                "incarnation {came} of {id} was never launched by a master of this cluster"
            ));
        }
        Ok(index)
    }

    /// A process that this reign has not launched has to be watched.
    fn adopt_if_foreign(&mut self, index: usize, register: &Register) {
        let server = &mut self.servers[index];
        if server.launched_at.is_some() {
            return;
        }
        server.adopted = true;
        server.adopting = true;
        self.actions.push(Action::Adopt {
            id: register.id.clone(),
            incarnation: register.incarnation,
            process: register.process.clone(),
        });
    }

    pub(super) fn welcome(&mut self, now: Instant, id: &str, link: LinkId) {
        let Some(index) = self.index(id).filter(|&index| self.servers[index].link == Some(link)) else {
            return;
        };
        // After a failover hardly anybody has missed anything.
        let digest = self.digest();
        let servers = (self.servers[index].knew != digest).then(|| self.everybody());
        let welcome = Welcome { epoch: self.epoch, servers, all_started: self.all_told };
        self.send(link, Message::Welcome(welcome));
        let server = &mut self.servers[index];
        server.welcomed = true;
        let phase = server.phase;
        if let Run::Stopping { order, .. } = &server.run {
            if matches!(order, Order::Given { .. }) {
                // Whether it heard the order on its last link, nobody knows.
                self.ask_to_stop(index);
            } else {
                self.when_stored(Deferred::Stop(id.into()));
            }
        } else if server.record.stopped || self.ending.is_some() {
            self.begin_stop(now, index, Then::Stay);
        } else {
            self.phase(now, index, phase);
        }
    }

    pub(super) fn phase(&mut self, now: Instant, index: usize, phase: Phase) {
        let server = &mut self.servers[index];
        server.phase = phase;
        match phase {
            Phase::Starting => {}
            // What it says before it is welcomed is acted on when it is.
            Phase::Up if !server.welcomed => {}
            Phase::Up => {
                if matches!(server.run, Run::Starting { .. } | Run::Astray { .. }) {
                    server.run = Run::Up;
                    let was_due = mem::take(&mut server.record.due);
                    server.why.clear();
                    let (id, adopted) = (server.record.def.id.clone(), server.adopted);
                    let pid = server.record.process.as_ref().map_or(0, |process| process.pid);
                    if was_due {
                        self.changed();
                    }
                    self.announce(index);
                    self.report(&id, Report::Up { pid, adopted });
                }
            }
            Phase::Stopping => {
                if !matches!(server.run, Run::Stopping { .. }) {
                    // Somebody signalled the process itself: it goes, and that is a crash to us.
                    let why = String::from("it stopped by itself, or by a signal that was not ours");
                    let order = Order::Given { kill_at: now + server.stop_patience() };
                    server.run = Run::Stopping { order, then: server.after_crash(why) };
                }
                self.withdraw(now, index);
            }
        }
    }

    pub(super) fn standby_joined(&mut self, now: Instant, link: LinkId, info: StandbyInfo) {
        self.standbys.insert(link, info);
        if self.may_act(now) && self.ending.as_ref().is_some_and(Ending::stops_masters) {
            self.stop_standby(link);
        }
    }

    pub(super) fn link_closed(&mut self, now: Instant, link: LinkId, silent: bool) {
        if self.standbys.remove(&link).is_some() {
            return;
        }
        for server in &mut self.servers {
            server.early.take_if(|early| early.0 == link);
        }
        let Some(index) = self.linked(link) else { return };
        let until = now + self.setup.master.timing.reconnect_grace;
        let server = &mut self.servers[index];
        server.link = None;
        server.welcomed = false;
        if matches!(server.run, Run::Starting { .. } | Run::Up) {
            server.run = Run::Unlinked { until, silent };
            let id = server.record.def.id.clone();
            self.report(&id, Report::LinkLost { silent });
        }
    }
}
