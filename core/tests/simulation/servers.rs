//! Server processes: an agent, components that take a while to start, and a before-stop hook.

use crate::masters::Arrival;
use crate::network::{Peer, Side};
use crate::world::{Event, MS, SECOND, Time, World};
use core::mem;
use core::time::Duration;
use tangelo_core::Exit;
use tangelo_core::config::Incarnation;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::Input;
use tangelo_core::member::{self, Action};
use tangelo_core::process::ProcessRef;
use tangelo_core::wire::{Message, Phase, Register};

pub(crate) struct Process {
    pub(crate) id: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) pid: u32,
    pub(crate) alive: bool,
    pub(crate) frozen: bool,
    /// Its components have been started.
    pub(crate) working: bool,
    pub(crate) up: bool,
    leaving: bool,
    pub(crate) agent: Option<member::Machine>,
    pub(crate) link: Option<u64>,
    attempt: u64,
    generation: u64,
    /// What has arrived, and whether SIGTERM has, while it was frozen.
    inbox: Vec<member::Input>,
    terminated: bool,
    /// Who hears of its end: masters, with their lives and reigns.
    pub(crate) watchers: Vec<(usize, u32, Epoch)>,
    /// Until then nobody can blame a master that thinks it sick.
    pub(crate) troubled_until: Time,
    /// The latest reign it has heard of.
    seen: Epoch,
}

impl Process {
    pub(crate) fn new(id: String, incarnation: Incarnation, pid: u32, launcher: (usize, u32, Epoch)) -> Self {
        Self {
            id,
            incarnation,
            pid,
            alive: false,
            frozen: false,
            working: false,
            up: false,
            leaving: false,
            agent: None,
            link: None,
            attempt: 0,
            generation: 0,
            inbox: Vec::new(),
            terminated: false,
            watchers: vec![launcher],
            troubled_until: 0,
            seen: Epoch(0),
        }
    }

    fn reference(&self) -> ProcessRef {
        ProcessRef { host: "h".into(), pid: self.pid, start_time: self.pid.into() }
    }
}

impl World {
    pub(crate) fn spawn(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let (master, life, epoch) = process.watchers[0];
        if !self.masters[master].lives(life) {
            self.processes.remove(&pid);
            return;
        }
        process.alive = true;
        let (id, incarnation, result) = (process.id.clone(), process.incarnation, Ok(process.reference()));
        self.note(|| format!("{id} {incarnation} is pid {pid}"));
        let input = Input::Launched { id, incarnation, result };
        let delay = self.between(1, 60 * MS);
        self.after(delay, Event::Arrive { master, life, arrival: Arrival::Input { epoch, input } });
        let delay = self.between(MS, 40 * MS);
        self.after(delay, Event::ProcessBoots { pid });
    }

    pub(crate) fn boot_process(&mut self, pid: u32) {
        let seed = self.serial();
        let now = self.instant();
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.alive) else { return };
        if process.frozen {
            self.after(50 * MS, Event::ProcessBoots { pid });
            return;
        }
        let register = Register {
            id: process.id.clone(),
            incarnation: process.incarnation,
            process: process.reference(),
            cpus: None,
            phase: Phase::Starting,
            status: String::new(),
            epoch: Epoch(0),
            rss_bytes: 0,
            age: Duration::ZERO,
        };
        process.agent = Some(member::Machine::new(now, register, seed));
        self.after(MS, Event::Observe { pid });
    }

    pub(crate) fn observe(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|p| p.alive && p.agent.is_some()) else {
            return;
        };
        if process.frozen || !self.can_observe(Peer::Server(pid)) {
            self.after(200 * MS, Event::Observe { pid });
            return;
        }
        let leader = self.coordinator.published.clone();
        if let (Some(process), Some(leader)) = (self.processes.get_mut(&pid), &leader) {
            process.seen = process.seen.max(leader.epoch);
        }
        self.process_hears(pid, member::Input::Leader(leader));
    }

    pub(crate) fn process_ticks(&mut self, pid: u32, generation: u64) {
        if self.processes.get(&pid).is_some_and(|p| p.generation == generation && !p.frozen) {
            self.process_hears(pid, member::Input::Tick);
        }
    }

    pub(crate) fn process_hears(&mut self, pid: u32, input: member::Input) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.alive) else { return };
        if process.frozen {
            process.inbox.push(input);
            return;
        }
        match input {
            member::Input::Phase(Phase::Up) if process.leaving => return,
            member::Input::Phase(phase) => process.up = phase == Phase::Up,
            _ => {}
        }
        self.feed_agent(pid, input);
    }

    /// What its agent does about this.
    fn feed_agent(&mut self, pid: u32, input: member::Input) -> bool {
        let now = self.instant();
        let Some(agent) = self.processes.get_mut(&pid).and_then(|process| process.agent.as_mut()) else {
            return false;
        };
        let actions = agent.handle(now, input);
        let due = agent.next_deadline();
        let obeys = actions.iter().any(|action| matches!(action, Action::Start | Action::Stop { .. }));
        for action in actions {
            self.agent_acts(pid, action);
        }
        let Some(process) = self.processes.get_mut(&pid) else { return obeys };
        process.generation += 1;
        let generation = process.generation;
        if let Some(due) = due {
            self.after(
                crate::world::time(due).saturating_sub(self.now),
                Event::ProcessTick { pid, generation },
            );
        }
        obeys
    }

    fn agent_acts(&mut self, pid: u32, action: Action) {
        let link = self.processes.get(&pid).and_then(|process| process.link);
        match action {
            Action::Connect { port, .. } => {
                let delay = self.between(100, 3 * MS);
                let Some(process) = self.processes.get_mut(&pid) else { return };
                process.attempt += 1;
                let (attempt, give_up) = (process.attempt, self.now + 3 * SECOND);
                self.after(delay, Event::Connect { pid, attempt, master: port.into(), give_up });
            }
            Action::Disconnect => {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.attempt += 1;
                    process.link = None;
                }
                if let Some(link) = link {
                    self.close_link(link, Side::Peer);
                }
            }
            Action::Send(message) => {
                if let Some(link) = link {
                    self.send(link, Side::Master, Some(message));
                }
            }
            Action::Start => self.start(pid),
            Action::Stop { .. } => self.leave(pid),
            _ => {}
        }
    }

    fn start(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.working = true;
        let (id, incarnation) = (process.id.clone(), process.incarnation);
        let rivals = self.processes.values().filter(|other| other.id == id && other.working).count();
        self.note(|| format!("{id} {incarnation} starts"));
        self.checker.stats.starts += 1;
        if rivals > 1 {
            self.checker.broken(format!("{rivals} processes of {id} work at once"));
        }
        let delay = self.between(MS, 80 * MS);
        self.after(delay, Event::ProcessHears { pid, input: member::Input::Phase(Phase::Up) });
    }

    /// It stops in order; now and then its hook hangs.
    fn leave(&mut self, pid: u32) {
        let works = self.processes.get(&pid).is_some_and(|process| process.working);
        let delay = if works && self.once_in(30) { 60 * SECOND } else { self.between(MS, SECOND) };
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if mem::replace(&mut process.leaving, true) {
            return;
        }
        self.after(delay, Event::ProcessExits { pid, exit: Exit::Code(0) });
        self.process_hears(pid, member::Input::Phase(Phase::Stopping));
    }

    /// SIGTERM.
    pub(crate) fn terminate(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.alive) else { return };
        if process.frozen {
            process.terminated = true;
        } else if process.agent.is_none() {
            self.process_exits(pid, Exit::Signal(15));
        } else {
            self.leave(pid);
        }
    }

    pub(crate) fn thaw_process(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.frozen) else { return };
        process.frozen = false;
        let terminated = mem::take(&mut process.terminated);
        for input in mem::take(&mut process.inbox) {
            self.process_hears(pid, input);
        }
        self.process_hears(pid, member::Input::Tick);
        if terminated {
            self.terminate(pid);
        }
    }

    pub(crate) fn process_exits(&mut self, pid: u32, exit: Exit) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.alive) else { return };
        if process.frozen && matches!(exit, Exit::Code(_)) {
            self.after(50 * MS, Event::ProcessExits { pid, exit });
            return;
        }
        process.alive = false;
        process.working = false;
        process.up = false;
        let (id, incarnation, watchers) =
            (process.id.clone(), process.incarnation, mem::take(&mut process.watchers));
        if let Some(link) = process.link.take() {
            self.close_link(link, Side::Peer);
        }
        self.note(|| format!("{id} {incarnation} pid {pid}: {exit}"));
        for (master, life, epoch) in watchers {
            let delay = self.between(100, 5 * MS);
            let input = Input::Exited { id: id.clone(), incarnation, exit };
            self.after(delay, Event::Arrive { master, life, arrival: Arrival::Input { epoch, input } });
        }
    }

    pub(crate) fn connect(&mut self, pid: u32, attempt: u64, master: usize, give_up: Time) {
        let Some(process) = self.processes.get(&pid).filter(|p| p.alive && p.attempt == attempt) else {
            return;
        };
        let there = &self.masters[master];
        if !there.alive {
            self.process_hears(pid, member::Input::Connected(false));
            return;
        }
        // A listening port answers for a frozen master, but the handshake hangs.
        if process.frozen || there.frozen || !self.wires.reach(Peer::Master(master), Peer::Server(pid)) {
            if self.now < give_up {
                self.after(50 * MS, Event::Connect { pid, attempt, master, give_up });
            } else {
                self.process_hears(pid, member::Input::Connected(false));
            }
            return;
        }
        let epoch = there.machine.as_ref().map(tangelo_core::master::Machine::epoch);
        let link = self.open_link(master, epoch.unwrap_or_default(), Peer::Server(pid));
        if let Some(process) = self.processes.get_mut(&pid) {
            process.link = Some(link);
        }
        self.process_hears(pid, member::Input::Connected(true));
        if epoch.is_none() {
            self.close_link(link, Side::Master);
        }
    }

    pub(crate) fn server_reads(&mut self, pid: u32, link: u64, message: Message) {
        let Some(process) = self.processes.get_mut(&pid).filter(|p| p.alive && p.link == Some(link)) else {
            return;
        };
        let epoch = match &message {
            Message::Stop { epoch, .. } | Message::Refused { epoch, .. } => *epoch,
            Message::Welcome(welcome) => welcome.epoch,
            _ => process.seen,
        };
        let seen = process.seen;
        let text = format!("{message:?}");
        if self.feed_agent(pid, member::Input::Message(message)) && epoch < seen {
            self.checker.broken(format!("pid {pid} has heard of epoch {seen} and obeys {text}"));
        }
        if let Some(process) = self.processes.get_mut(&pid) {
            process.seen = process.seen.max(epoch);
        }
    }
}
