//! Servers and standbys that link up, and links that go.

use super::Machine;
use super::io::{Action, LinkId, Report, StandbyInfo};
use super::server::{Run, Then};
use super::store::Deferred;
use crate::Instant;
use crate::coordinator::LeadershipState;
use crate::wire::{Message, Phase, Register, Welcome};
use alloc::format;
use alloc::string::String;

impl Machine {
    pub(super) fn member_says(&mut self, now: Instant, link: LinkId, message: Message) {
        if let Message::Register(register) = message {
            self.register(now, link, register);
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

    fn register(&mut self, now: Instant, link: LinkId, register: Register) {
        if !self.may_act(now) {
            self.close(link, "this master may not act now");
            return;
        }
        if register.epoch > self.epoch {
            self.close(link, format!("{} has seen a later master", register.id));
            self.leadership_changed(LeadershipState::Lost, now);
            return;
        }
        let index = match self.admit(&register) {
            Ok(index) => index,
            Err(why) => {
                self.send(link, Message::Refused { epoch: self.epoch, why });
                self.close(link, "its registration was refused");
                return;
            }
        };
        let server = &mut self.servers[index];
        let record = &mut server.record;
        let recorded =
            record.process.as_ref() == Some(&register.process) && record.incarnation == register.incarnation;
        if !recorded {
            // Launched by an earlier master that could not record it, or by us a moment ago.
            record.incarnation = register.incarnation;
            record.reserved = record.reserved.max(register.incarnation);
            record.process = Some(register.process.clone());
        }
        let old_link = server.link.replace(link);
        server.welcomed = false;
        server.cpus = register.cpus.clone();
        server.status = register.status.clone();
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

    /// Whether a server may register: at most one incarnation of an id does.
    fn admit(&self, register: &Register) -> Result<usize, String> {
        let id = &register.id;
        let Some(index) = self.index(id) else {
            return Err(format!("{id} is not in this cluster: `add` it, or declare it in servers.json"));
        };
        let server = &self.servers[index];
        let (known, came) = (server.record.incarnation, register.incarnation);
        if came < known {
            return Err(format!("incarnation {came} of {id} has been replaced by {known}"));
        }
        if came > known && server.is_live() && server.run != Run::Launching {
            return Err(format!("{id} runs already, as incarnation {known}: {came} is one too many"));
        }
        if came == known {
            match &server.record.process {
                Some(process) if *process != register.process => {
                    return Err(format!(
                        "{id} runs already, as {process}: {} is one too many",
                        register.process
                    ));
                }
                None if !matches!(server.run, Run::Launching | Run::Starting { .. }) => {
                    return Err(format!("incarnation {came} of {id} counts as ended"));
                }
                _ => {}
            }
        }
        if came > server.record.reserved {
            return Err(format!("incarnation {came} of {id} was never launched by a master of this cluster"));
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
        let welcome = Welcome { epoch: self.epoch, servers: self.everybody(), all_started: self.all_started };
        self.send(link, Message::Welcome(welcome));
        let server = &mut self.servers[index];
        server.welcomed = true;
        let phase = server.phase;
        if matches!(server.run, Run::Stopping { .. }) {
            self.stop_now(now, id);
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
            Phase::Up => {
                if matches!(server.run, Run::Starting { .. } | Run::Astray { .. }) {
                    server.run = Run::Up;
                    server.record.due = false;
                    server.why.clear();
                    let (id, adopted) = (server.record.def.id.clone(), server.adopted);
                    let pid = server.record.process.as_ref().map_or(0, |process| process.pid);
                    self.announce(now, index);
                    self.report(&id, Report::Up { pid, adopted });
                }
            }
            Phase::Stopping => {
                let kill_at = now + server.stop_patience();
                if !matches!(server.run, Run::Stopping { .. }) {
                    // Somebody signalled the process itself: it goes, and that is a crash to us.
                    let why = String::from("it stopped by itself, or by a signal that was not ours");
                    server.run = Run::Stopping { kill_at, then: Then::Crash(why) };
                }
                self.withdraw(now, index);
            }
        }
    }

    pub(super) fn standby_joined(&mut self, link: LinkId, info: StandbyInfo) {
        self.standbys.insert(link, info);
    }

    pub(super) fn link_closed(&mut self, now: Instant, link: LinkId, silent: bool) {
        if self.standbys.remove(&link).is_some() {
            return;
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
