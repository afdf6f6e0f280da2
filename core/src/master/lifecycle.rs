//! Launching, ending and replacing servers.

use super::Machine;
use super::ending::Ending;
use super::io::{Action, Mode, Report};
use super::server::{KILL_AGAIN, Order, Run, Server, Then};
use super::state::{ClusterState, ServerRecord};
use super::store::Deferred;
use crate::config::{Incarnation, ServerDef, resolve_cpus};
use crate::coordinator::LeadershipState;
use crate::process::{Exit, ProcessRef, Signal};
use crate::restart::Decision;
use crate::wire::Message;
use crate::{Error, ErrorKind, Instant};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What the end of a process, or a launch that failed, says of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// It may do better, but not for ever.
    Bounded,
    /// It will do better when something outside is well again.
    Patient,
    /// It would do no better.
    Hopeless,
}

impl Machine {
    /// The first step of a reign: what is, and what is missing?
    pub(super) fn take_over(&mut self, now: Instant, mut stored: Option<ClusterState>) {
        let start = self.setup.mode == Mode::Start;
        self.past = stored.as_mut().map(|state| core::mem::take(&mut state.past)).unwrap_or_default();
        let ends = !start && stored.as_ref().is_some_and(|state| state.ending || state.ended);
        let known = stored.filter(|state| !state.servers.is_empty());
        let fresh = known.is_none() && !ends;
        if let Some(state) = known {
            self.all_started = state.all_started;
            self.all_told = state.all_started;
            self.servers = state.servers.into_iter().map(Server::new).collect();
        }
        if fresh || start {
            self.merge_declared(fresh);
            self.purge_anew();
        }
        self.changed();
        for index in 0..self.servers.len() {
            self.take_over_server(now, index);
        }
        self.owe_what_is_over(now);
        if ends {
            self.end(now, None, false);
        }
    }

    /// Brings in what servers.json declares.
    fn merge_declared(&mut self, fresh: bool) {
        let declared = core::mem::take(&mut self.setup.declared);
        let is_known = |record: &ServerRecord| {
            record.added || record.process.is_some() || declared.iter().any(|def| def.id == record.def.id)
        };
        let gone: Vec<Server> = self.servers.extract_if(.., |server| !is_known(&server.record)).collect();
        gone.iter().for_each(|server| self.bury(&server.record));
        for def in declared {
            if let Some(index) = self.index(&def.id) {
                self.servers[index].define(def);
            } else {
                let stopped = self.setup.only.as_ref().is_some_and(|only| fresh && !only.contains(&def.id));
                let mut record = self.new_record(def);
                record.stopped = stopped;
                self.servers.push(Server::new(record));
            }
        }
        for server in &mut self.servers {
            server.record.failed = None;
            server.record.due = !server.record.stopped;
            server.record.restarts = 0;
        }
        self.bind_cpus();
    }

    /// Gives every server without a process its CPUs: `auto` takes the allowed ones in turn.
    pub(super) fn bind_cpus(&mut self) {
        let defs: Vec<ServerDef> = self.servers.iter().map(|server| server.record.def.clone()).collect();
        let resolved = resolve_cpus(&defs, &self.setup.allowed_cpus);
        for (server, cpus) in self.servers.iter_mut().zip(resolved) {
            if server.record.process.is_none() {
                server.record.cpus = cpus;
            }
        }
    }

    fn take_over_server(&mut self, now: Instant, index: usize) {
        let server = &mut self.servers[index];
        let record = &server.record;
        if let Some(process) = record.process.clone() {
            let (id, incarnation) = (record.def.id.clone(), record.incarnation);
            // It may first have to notice that its old master is gone, by that one's silence.
            let timing = &self.setup.master.timing;
            let until = now + timing.reconnect_grace + timing.heartbeat.patience();
            server.run = Run::Unlinked { until, silent: false };
            server.adopted = true;
            server.adopting = true;
            self.actions.push(Action::Adopt { id, incarnation, process });
        } else if !record.stopped && record.failed.is_none() {
            if record.due || record.def.auto_restart {
                self.begin_launch(index);
            } else {
                self.crash(now, index, String::from("it ended while no master watched"));
            }
        }
    }

    /// The server's next life begins, as soon as its incarnation is reserved.
    pub(super) fn begin_launch(&mut self, index: usize) {
        let server = &mut self.servers[index];
        server.clear_life();
        server.launched_at = None;
        if self.ending.is_some() {
            server.run = Run::Idle;
            return;
        }
        server.run = Run::Launching;
        let next = server.record.incarnation.max(server.floor).next();
        self.reserve(index, next);
        self.launch_when_reserved(index, next);
    }

    pub(super) fn launch_now(&mut self, now: Instant, id: &str, incarnation: Incarnation) {
        let Some(index) = self.index(id) else { return };
        let server = &mut self.servers[index];
        if server.run != Run::Launching || server.ordered || server.record.incarnation >= incarnation {
            return;
        }
        server.launched_at = Some(now);
        server.ordered = true;
        server.record.incarnation = incarnation;
        server.record.process = None;
        self.actions.push(Action::Launch {
            def: server.record.def.clone(),
            cpus: server.record.cpus.clone(),
            incarnation,
        });
        // The next one is reserved now, so that a restart need not wait for the store.
        self.reserve(index, incarnation.next());
        self.report(id, Report::Launching { incarnation });
    }

    pub(super) fn launched(
        &mut self,
        now: Instant,
        id: &str,
        incarnation: Incarnation,
        result: Result<ProcessRef, Error>,
    ) {
        let Some(index) = self.present(id, incarnation).filter(|&index| self.servers[index].ordered) else {
            return;
        };
        self.changed();
        let server = &mut self.servers[index];
        server.ordered = false;
        let early = server.early.as_ref().map(|early| early.1.process.clone());
        match (result, early) {
            (Ok(process), _) => self.has_launched(now, index, process),
            // Only the answer got lost: the process is there, though nobody watches it yet.
            (Err(_), Some(process)) => {
                (server.adopted, server.adopting) = (true, true);
                let id = String::from(id);
                self.actions.push(Action::Adopt { id, incarnation, process: process.clone() });
                self.has_launched(now, index, process);
            }
            (Err(error), None) => {
                // It was tried. Whoever wants it to be tried for ever says `auto-restart`, and even that is bounded.
                server.record.due = false;
                let why = format!("it cannot be launched: {error}");
                let outlook = match error.kind() {
                    ErrorKind::Invalid | ErrorKind::Unsupported => Outlook::Hopeless,
                    // Its host is away, most likely: that is no fault of the server.
                    kind if kind.is_temporary() => Outlook::Patient,
                    _ => Outlook::Bounded,
                };
                self.ended(now, index, why, outlook);
            }
        }
    }

    fn has_launched(&mut self, now: Instant, index: usize, process: ProcessRef) {
        let server = &mut self.servers[index];
        let id = server.record.def.id.clone();
        server.record.due = false;
        server.record.process = Some(process);
        if matches!(server.run, Run::Stopping { .. }) {
            self.when_stored(Deferred::Stop(id));
        } else if server.run == Run::Launching {
            server.run = Run::Starting { until: now + self.setup.master.timing.start_timeout };
        }
        self.admit_early(now, index);
    }

    /// The server, if this is its present life. Law 5: what comes late from an old one changes nothing.
    fn present(&self, id: &str, incarnation: Incarnation) -> Option<usize> {
        self.index(id).filter(|&index| self.servers[index].record.incarnation == incarnation)
    }

    pub(super) fn adopted(&mut self, now: Instant, id: &str, incarnation: Incarnation, alive: bool) {
        let Some(index) = self.present(id, incarnation) else { return };
        self.servers[index].adopting = false;
        if !alive {
            self.exited(now, id, incarnation, Exit::Unknown);
        } else {
            let server = &self.servers[index];
            if server.record.stopped && matches!(server.run, Run::Unlinked { .. }) {
                self.begin_stop(now, index, Then::Stay);
            }
        }
    }

    pub(super) fn exited(&mut self, now: Instant, id: &str, incarnation: Incarnation, exit: Exit) {
        let Some(index) = self.present(id, incarnation) else { return };
        let server = &self.servers[index];
        // Its end may be heard of before its launch is.
        if server.record.process.is_none() && !server.ordered {
            return;
        }
        self.ended(now, index, exit.to_string(), Outlook::Bounded);
    }

    /// The present process is gone, or never came to be.
    fn ended(&mut self, now: Instant, index: usize, why: String, outlook: Outlook) {
        self.withdraw(now, index);
        self.changed();
        self.life_over(now, index);
        let server = &mut self.servers[index];
        server.record.process = None;
        let run = core::mem::replace(&mut server.run, Run::Idle);
        let links = server.link.take().into_iter().chain(server.early.take().map(|early| early.0));
        server.clear_life();
        for link in links {
            self.close(link, "its process has ended");
        }
        match run {
            Run::Stopping { then: Then::Stay, .. } => {
                let id = self.servers[index].record.def.id.clone();
                self.report(&id, Report::Stopped);
            }
            Run::Stopping { then: Then::Launch, .. } => self.begin_launch(index),
            Run::Stopping { then: Then::Crash(why), .. } => self.crash(now, index, why),
            _ if self.servers[index].record.stopped || self.ending.is_some() => {}
            _ if outlook == Outlook::Hopeless => self.fail(index, why),
            _ if self.servers[index].record.due => self.begin_launch(index),
            _ => self.fell(now, index, why, outlook),
        }
    }

    /// It ended without having been asked to.
    pub(super) fn crash(&mut self, now: Instant, index: usize, why: String) {
        self.fell(now, index, why, Outlook::Bounded);
    }

    fn fell(&mut self, now: Instant, index: usize, why: String, outlook: Outlook) {
        let jitter = self.random.f64();
        let server = &mut self.servers[index];
        if server.record.stopped || self.ending.is_some() {
            server.run = Run::Idle;
            return;
        }
        if !server.record.def.auto_restart {
            self.fail(index, format!("{why}; auto-restart is off"));
            return;
        }
        let policy = server.record.def.restart;
        match server.crashes.record(&policy, now, jitter) {
            Decision::GiveUp if outlook == Outlook::Patient => {
                server.why = why;
                server.run = Run::Backoff { until: now + policy.max_delay.mul_f64(0.5 + jitter / 2.0) };
            }
            Decision::GiveUp => {
                let seconds = policy.window.as_secs_f64();
                let why = format!("crashed over {} times in {seconds} s, last: {why}", policy.max_restarts);
                self.fail(index, why);
            }
            Decision::RestartAt(until) => {
                server.record.restarts += 1;
                server.why.clone_from(&why);
                server.run = Run::Backoff { until };
                let id = server.record.def.id.clone();
                self.report(&id, Report::Crashed { why });
                if until <= now {
                    self.begin_launch(index);
                }
            }
        }
    }

    /// It is not started again until somebody asks.
    fn fail(&mut self, index: usize, why: String) {
        self.changed();
        let server = &mut self.servers[index];
        server.run = Run::Idle;
        server.record.due = false;
        server.record.failed = Some(why.clone());
        let id = server.record.def.id.clone();
        self.report(&id, Report::Failed { why });
    }

    /// It is to stop, once that is stored; `then` says what follows.
    pub(super) fn begin_stop(&mut self, now: Instant, index: usize, then: Then) {
        self.withdraw(now, index);
        let kill = self.ending.as_ref().is_some_and(Ending::kills);
        let server = &mut self.servers[index];
        let id = server.record.def.id.clone();
        match &mut server.run {
            Run::Stopping { then: planned, .. } => *planned = then,
            Run::Idle | Run::Backoff { .. } => self.after_stop(index, &then),
            Run::Launching if !server.ordered => self.after_stop(index, &then),
            run => {
                *run = Run::Stopping { order: Order::Pending { kill }, then };
                self.report(&id, Report::Stopping);
                self.when_stored(Deferred::Stop(id));
            }
        }
    }

    fn after_stop(&mut self, index: usize, then: &Then) {
        self.servers[index].run = Run::Idle;
        if *then == Then::Launch {
            self.begin_launch(index);
        }
    }

    /// The order to stop is stored and may be given, once.
    pub(super) fn stop_now(&mut self, now: Instant, id: &str) {
        let Some(index) = self.index(id) else { return };
        let server = &mut self.servers[index];
        let patience = server.stop_patience();
        let Run::Stopping { order, .. } = &mut server.run else { return };
        let Order::Pending { kill } = *order else { return };
        if server.record.process.is_none() {
            // Its launch is not answered yet: the answer brings it back here.
            return;
        }
        // The time that the store took is not the server's.
        *order = Order::Given { kill_at: if kill { now } else { now + patience } };
        if kill {
            self.kill_if_due(now, index);
        } else {
            self.ask_to_stop(index);
        }
    }

    /// Asks the process to stop: over its link, or else by a signal.
    pub(super) fn ask_to_stop(&mut self, index: usize) {
        let server = &self.servers[index];
        if let Some(link) = server.welcomed_link() {
            let timeout = server.record.def.stop_timeout;
            self.send(link, Message::Stop { epoch: self.epoch, timeout });
        } else if let Some(process) = server.record.process.clone() {
            self.actions.push(Action::Signal { process, signal: Signal::Terminate });
        }
    }

    /// It does not serve any more though its process lives: replaced, or left to a person.
    fn replace(&mut self, now: Instant, index: usize, why: String, hung: bool) {
        self.withdraw(now, index);
        let server = &mut self.servers[index];
        let id = server.record.def.id.clone();
        if server.record.stopped {
            self.begin_stop(now, index, Then::Stay);
        } else if !server.record.def.auto_restart && !server.record.due {
            server.run = Run::Astray { why: why.clone() };
            self.report(&id, Report::Failed { why });
        } else {
            // A hung process would not hear the request to stop.
            let order = Order::Pending { kill: hung };
            server.run = Run::Stopping { order, then: server.after_crash(why) };
            self.report(&id, Report::Stopping);
            self.stop_now(now, &id);
        }
    }

    pub(super) fn run_timers(&mut self, now: Instant) {
        let due: Vec<usize> = (0..self.servers.len())
            .filter(|&index| self.servers[index].deadline().is_some_and(|deadline| deadline <= now))
            .collect();
        for index in due {
            match self.servers[index].run.clone() {
                Run::Starting { .. } => {
                    let limit = self.setup.master.timing.start_timeout.as_secs_f64();
                    self.replace(now, index, format!("not up within {limit} s"), true);
                }
                // Servers find the leader through the coordinator: while that is out of reach none is to
                // blame for not coming back.
                Run::Unlinked { .. } if self.leadership == LeadershipState::Suspended => {
                    let grace = self.setup.master.timing.reconnect_grace;
                    self.servers[index].spare(now + grace);
                }
                Run::Unlinked { silent: true, .. } => {
                    let patience = self.setup.master.timing.heartbeat.patience().as_secs_f64();
                    self.replace(now, index, format!("no heartbeat for over {patience} s"), true);
                }
                Run::Unlinked { silent: false, .. } => {
                    self.replace(now, index, String::from("its link is gone"), false);
                }
                Run::Backoff { .. } => self.begin_launch(index),
                _ => {}
            }
            self.kill_if_due(now, index);
        }
        self.run_deferred(now);
    }

    fn kill_if_due(&mut self, now: Instant, index: usize) {
        let server = &mut self.servers[index];
        if let Run::Stopping { order: Order::Given { kill_at }, .. } = &mut server.run
            && *kill_at <= now
        {
            *kill_at = now + KILL_AGAIN;
            server.killed_at.get_or_insert(now);
            if let Some(process) = server.record.process.clone() {
                self.actions.push(Action::Signal { process, signal: Signal::Kill });
            }
        }
    }
}
