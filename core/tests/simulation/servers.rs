//! Server processes: an agent, components that take a while to start, and a before-stop hook.

use crate::hosts::host_name;
use crate::network::Side;
use crate::wires::Peer;
use crate::world::{Event, MS, Owner, SECOND, Time, World};
use core::mem;
use core::time::Duration;
use tangelo_core::Exit;
use tangelo_core::config::Incarnation;
use tangelo_core::coordinator::{Epoch, LeaderInfo};
use tangelo_core::member::{self, Action};
use tangelo_core::process::ProcessRef;
use tangelo_core::wire::{Digest, Message, Phase, Register};

/// What happens to a server process.
pub(crate) enum ServerNews {
    Boots,
    Tick {
        generation: u64,
    },
    Hears(member::Input),
    /// It looks who leads.
    Looks,
    Connect {
        attempt: u64,
        master: usize,
        give_up: Time,
    },
    /// It has come to its own end.
    Exits {
        exit: Exit,
    },
    Terminated,
    /// One more of its users joins channels.
    Joins,
}

pub(crate) struct Process {
    pub(crate) id: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) pid: u32,
    pub(crate) host: usize,
    /// The reign in which it was launched.
    pub(crate) epoch: Epoch,
    pub(crate) alive: bool,
    pub(crate) exit: Option<Exit>,
    pub(crate) frozen: u32,
    /// Its components have been started.
    pub(crate) working: bool,
    pub(crate) up: bool,
    leaving: bool,
    pub(crate) agent: Option<member::Machine>,
    pub(crate) link: Option<u64>,
    attempt: u64,
    generation: u64,
    /// The node of the service that it asks, and what it has heard there.
    pub(crate) node: usize,
    told: Option<Option<LeaderInfo>>,
    /// Who hears of its end: masters, with their lives and reigns.
    pub(crate) watchers: Vec<(usize, u32, Epoch)>,
    /// Until then nobody can blame a master that thinks it sick.
    pub(crate) troubled_until: Time,
    /// The latest reign it has heard of.
    seen: Epoch,
}

impl Process {
    pub(crate) fn new(
        id: &str,
        incarnation: Incarnation,
        pid: u32,
        host: usize,
        epoch: Epoch,
        by: Option<(usize, u32, Epoch)>,
    ) -> Self {
        Self {
            id: id.into(),
            incarnation,
            pid,
            host,
            epoch,
            alive: true,
            exit: None,
            frozen: 0,
            working: false,
            up: false,
            leaving: false,
            agent: None,
            link: None,
            attempt: 0,
            generation: 0,
            node: 0,
            told: None,
            watchers: by.into_iter().collect(),
            troubled_until: 0,
            seen: epoch,
        }
    }

    pub(crate) fn reference(&self) -> ProcessRef {
        ProcessRef { host: host_name(self.host), pid: self.pid, start_time: self.pid.into() }
    }
}

impl World {
    pub(crate) fn tell_server(&mut self, pid: u32, delay: Time, news: ServerNews) {
        self.after(delay, Event::Server { pid, news });
    }

    pub(crate) fn server_hears(&mut self, pid: u32, news: ServerNews) {
        let Some(process) = self.processes.get(&pid).filter(|process| process.alive) else { return };
        match news {
            ServerNews::Boots => self.boot_server(pid),
            ServerNews::Tick { generation } => {
                if process.generation == generation {
                    self.feed_agent(pid, member::Input::Tick);
                }
            }
            ServerNews::Hears(input) => self.agent_hears(pid, input),
            ServerNews::Looks => self.server_looks(pid),
            ServerNews::Connect { attempt, master, give_up } => self.connect(pid, attempt, master, give_up),
            ServerNews::Exits { exit } => self.server_dies(pid, exit),
            ServerNews::Terminated if process.agent.is_none() => self.server_dies(pid, Exit::Signal(15)),
            ServerNews::Terminated => self.leave(pid),
            ServerNews::Joins => self.join(pid),
        }
    }

    fn boot_server(&mut self, pid: u32) {
        let seed = self.serial();
        let now = self.clock_of(Owner::Server(pid));
        let node = self.random.usize(0..self.zk.len());
        let no_epochs = self.knobs.no_epochs;
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let register = Register {
            id: process.id.clone(),
            incarnation: process.incarnation,
            process: process.reference(),
            cpus: None,
            phase: Phase::Starting,
            status: String::new(),
            epoch: if no_epochs { Epoch(0) } else { process.epoch },
            rss_bytes: 0,
            age: Duration::ZERO,
            known: Digest::default(),
        };
        process.agent = Some(member::Machine::new(now, register, seed));
        process.node = node;
        self.tell_server(pid, MS, ServerNews::Looks);
        if self.knobs.works_unwelcome {
            self.start(pid);
        }
    }

    /// It asks its node who leads; if that does not answer, another one later.
    fn server_looks(&mut self, pid: u32) {
        let Some(process) = self.processes.get(&pid).filter(|process| process.agent.is_some()) else {
            return;
        };
        let tree =
            self.zk.tree_at(process.node).filter(|_| self.meet(Peer::Server(pid), Peer::Zk(process.node)));
        let Some(tree) = tree else {
            let node = self.random.usize(0..self.zk.len());
            if let Some(process) = self.processes.get_mut(&pid) {
                process.node = node;
            }
            let delay = self.between(50 * MS, 500 * MS);
            return self.tell_server(pid, delay, ServerNews::Looks);
        };
        let leader = tree.leader().map(|(named, _)| named.info.clone());
        let no_epochs = self.knobs.no_epochs;
        if process.told.as_ref() == Some(&leader) {
            return;
        }
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.told = Some(leader.clone());
        if let Some(leader) = &leader {
            process.seen = process.seen.max(leader.epoch);
        }
        let mut leader = leader;
        if let Some(leader) = leader.as_mut().filter(|_| no_epochs) {
            leader.epoch = Epoch(0);
        }
        self.agent_hears(pid, member::Input::Leader(leader));
    }

    /// What is watched at this node has changed.
    pub(crate) fn tell_observers(&mut self, node: usize) {
        self.observers_look(node, 20 * MS);
    }

    /// This node serves nobody any more.
    pub(crate) fn observers_lose(&mut self, node: usize) {
        self.observers_look(node, 2 * SECOND);
    }

    fn observers_look(&mut self, node: usize, most: Time) {
        let observers = self.processes.values().filter(|process| process.alive && process.node == node);
        for pid in observers.map(|process| process.pid).collect::<Vec<_>>() {
            let delay = self.between(200, most);
            self.tell_server(pid, delay, ServerNews::Looks);
        }
    }

    /// A process whose node says nothing looks for another one after a while.
    pub(crate) fn check_observers(&mut self) {
        for pid in self.processes.values().filter(|p| p.alive).map(|p| p.pid).collect::<Vec<_>>() {
            let node = self.processes[&pid].node;
            let heard = self.zk.serves(node) && self.meet(Peer::Server(pid), Peer::Zk(node));
            if !heard && self.once_in(4) {
                self.tell_server(pid, 0, ServerNews::Looks);
            }
        }
    }

    pub(crate) fn agent_hears(&mut self, pid: u32, input: member::Input) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.alive) else { return };
        match input {
            member::Input::Phase(Phase::Up) if process.leaving => return,
            member::Input::Phase(phase) => process.up = phase == Phase::Up,
            _ => {}
        }
        self.feed_agent(pid, input);
    }

    /// What its agent does about this; whether it starts or stops.
    fn feed_agent(&mut self, pid: u32, input: member::Input) -> bool {
        let now = self.clock_of(Owner::Server(pid));
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
        let (generation, host) = (process.generation, process.host);
        if let Some(due) = due {
            let delay = self.until(host, due);
            self.tell_server(pid, delay, ServerNews::Tick { generation });
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
                self.tell_server(pid, delay, ServerNews::Connect { attempt, master: port.into(), give_up });
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
        if mem::replace(&mut process.working, true) {
            return;
        }
        let (id, incarnation) = (process.id.clone(), process.incarnation);
        self.note(|| format!("{id} {incarnation} pid {pid} starts"));
        self.stats().starts += 1;
        self.check_alone(&id);
        self.check_not_over(&id, incarnation);
        if self.defs.iter().any(|def| def.id == id && def.frontend) {
            self.tell_server(pid, MS, ServerNews::Joins);
        }
        let delay = self.between(MS, 80 * MS);
        self.tell_server(pid, delay, ServerNews::Hears(member::Input::Phase(Phase::Up)));
    }

    /// It stops in order; now and then its hook hangs.
    fn leave(&mut self, pid: u32) {
        let works = self.processes.get(&pid).is_some_and(|process| process.working);
        let delay = if works && self.once_in(30) { 60 * SECOND } else { self.between(MS, SECOND) };
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if mem::replace(&mut process.leaving, true) {
            return;
        }
        self.tell_server(pid, delay, ServerNews::Exits { exit: Exit::Code(0) });
        self.agent_hears(pid, member::Input::Phase(Phase::Stopping));
    }

    /// SIGTERM.
    pub(crate) fn terminate(&mut self, pid: u32) {
        self.tell_server(pid, 0, ServerNews::Terminated);
    }

    pub(crate) fn server_dies(&mut self, pid: u32, exit: Exit) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| process.alive) else { return };
        (process.alive, process.exit) = (false, Some(exit));
        (process.working, process.up) = (false, false);
        let (id, incarnation) = (process.id.clone(), process.incarnation);
        if let Some(link) = process.link.take() {
            self.close_link(link, Side::Peer);
        }
        self.forget(Owner::Server(pid));
        self.note(|| format!("{id} {incarnation} pid {pid}: {exit}"));
        self.after(0, Event::TellExit { pid });
    }

    fn connect(&mut self, pid: u32, attempt: u64, master: usize, give_up: Time) {
        let Some(process) = self.processes.get(&pid).filter(|process| process.attempt == attempt) else {
            return;
        };
        let (host, there) = (process.host, &self.masters[master]);
        let epoch = there.machine.as_ref().map(tangelo_core::master::Machine::epoch);
        let meets = self.meet(Peer::Master(master), Peer::Server(pid));
        if !there.alive && (there.host == host || meets) {
            return self.agent_hears(pid, member::Input::Connected(false));
        }
        // A listening port answers for a frozen master, but the handshake hangs. Who is early waits a
        // moment for the reign to begin.
        let early = epoch.is_none() && self.now + 2500 * MS < give_up;
        if early || !meets || !there.alive || self.is_frozen(Owner::Master(master)) {
            if self.now < give_up {
                let delay = if early { 10 * MS } else { 50 * MS };
                self.tell_server(pid, delay, ServerNews::Connect { attempt, master, give_up });
            } else {
                self.agent_hears(pid, member::Input::Connected(false));
            }
            return;
        }
        let link = self.open_link(master, epoch.unwrap_or_default(), Peer::Server(pid));
        if let Some(process) = self.processes.get_mut(&pid) {
            process.link = Some(link);
        }
        self.agent_hears(pid, member::Input::Connected(true));
        if epoch.is_none() {
            self.close_link(link, Side::Master);
        }
    }

    pub(crate) fn server_reads(&mut self, pid: u32, link: u64, mut message: Message) {
        let Some(epoch) = self.links.get(&link).map(|link| link.epoch) else { return };
        let Some(process) = self.processes.get_mut(&pid).filter(|p| p.alive && p.link == Some(link)) else {
            return;
        };
        let seen = process.seen;
        if self.knobs.no_epochs {
            forget_epoch(&mut message);
        }
        let text = self.trace.as_ref().map(|_| format!("{message:?}")).unwrap_or_default();
        let welcomes = matches!(message, Message::Welcome(_));
        let obeys = self.feed_agent(pid, member::Input::Message(message));
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.seen = process.seen.max(epoch);
        let id = process.id.clone();
        let welcome = process.agent.as_ref().is_some_and(member::Machine::is_welcome);
        if (obeys || welcome) && epoch < seen {
            self.checker
                .broken(format!("pid {pid} has heard of epoch {seen} and obeys epoch {epoch}: {text}"));
        }
        if welcomes {
            self.check_registered(&id);
        }
    }
}

fn forget_epoch(message: &mut Message) {
    match message {
        Message::Stop { epoch, .. } | Message::Refused { epoch, .. } => *epoch = Epoch(0),
        Message::Welcome(welcome) => welcome.epoch = Epoch(0),
        _ => {}
    }
}
