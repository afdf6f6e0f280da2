//! A cluster without input and output: a master's machine and those of its servers. What they say to
//! each other goes through the wire's codec, and what the master stores through the state's.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use tangelo_core::Instant;
use tangelo_core::config::{ClusterConfig, Incarnation, ServerDef};
use tangelo_core::coordinator::{Epoch, LeaderInfo};
use tangelo_core::master::{self, ClusterState, LinkId, Mode, Setup, Ticket};
use tangelo_core::member;
use tangelo_core::process::{Exit, ProcessRef};
use tangelo_core::wire::{self, Digest, Message, Phase, Register, Request, Response};

/// Longer than anything here takes.
const REIGN: Duration = Duration::from_secs(3600);

enum Event {
    Master(master::Input),
    Member(String, member::Input),
}

/// A server's process, with the agent in it.
pub(crate) struct Process {
    pub(crate) agent: member::Machine,
    pub(crate) incarnation: Incarnation,
    link: Option<LinkId>,
}

pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) processes: BTreeMap<String, Process>,
    pub(crate) launches: u32,
    /// Messages that went through the codec.
    pub(crate) messages: u32,
    /// How many were up, and had failed, once all had been started in this reign.
    pub(crate) settled: Option<(usize, usize)>,
    pub(crate) answers: Vec<Response>,
    pub(crate) ended: bool,
    config: ClusterConfig,
    master: master::Machine,
    leader: LeaderInfo,
    stored: Option<Vec<u8>>,
    events: VecDeque<Event>,
    serial: u64,
}

impl Cluster {
    /// A master that was elected starts it.
    pub(crate) fn start(config: ClusterConfig) -> Self {
        let now = Instant::from_boot(Duration::from_secs(60));
        let leader = leader(&config, Epoch(1));
        let (master, actions) = elected(now, &config, Mode::Start, leader.epoch, None);
        let mut cluster = Self {
            now,
            processes: BTreeMap::new(),
            launches: 0,
            messages: 0,
            settled: None,
            answers: Vec::new(),
            ended: false,
            config,
            master,
            leader,
            stored: None,
            events: VecDeque::new(),
            serial: 0,
        };
        actions.into_iter().for_each(|action| cluster.obey(action));
        cluster.settle();
        cluster
    }

    /// The master is gone and another one is elected, which knows only what is stored.
    pub(crate) fn succeed(&mut self) {
        let stored = self.stored.as_ref().map(|bytes| ClusterState::decode(bytes).expect("what was stored"));
        self.leader = leader(&self.config, Epoch(self.leader.epoch.0 + 1));
        self.settled = None;
        let (master, actions) = elected(self.now, &self.config, Mode::TakeOver, self.leader.epoch, stored);
        self.master = master;
        actions.into_iter().for_each(|action| self.obey(action));
        for (id, process) in &mut self.processes {
            process.link = None;
            self.events.push_back(Event::Member(id.clone(), member::Input::Disconnected));
            let leader = member::Input::Leader(Some(self.leader.clone()));
            self.events.push_back(Event::Member(id.clone(), leader));
        }
        self.settle();
    }

    /// The server's process is killed.
    pub(crate) fn kill(&mut self, id: &str) {
        self.ends(id, Exit::Signal(9));
        self.settle();
    }

    /// Somebody at the command line asks.
    pub(crate) fn ask(&mut self, request: Request) {
        let ticket = Ticket(self.serial());
        self.events.push_back(Event::Master(master::Input::Request { ticket, request }));
        self.settle();
    }

    /// What this server's agent would do on that message.
    pub(crate) fn hears(&mut self, id: &str, message: &Message) -> Vec<member::Action> {
        let (now, message) = (self.now, self.through_the_wire(message));
        let process = self.processes.get_mut(id).expect("a process");
        process.agent.handle(now, member::Input::Message(message))
    }

    /// Lets time pass until all is as it shall be.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let agents = self.processes.values().filter_map(|process| process.agent.next_deadline());
            let due = agents.chain(self.master.next_deadline()).min().filter(|due| *due <= end);
            self.now = self.now.max(due.unwrap_or(end));
            self.events.push_back(Event::Master(master::Input::Tick));
            let ticks = self.processes.keys().map(|id| Event::Member(id.clone(), member::Input::Tick));
            self.events.extend(ticks.collect::<Vec<_>>());
            self.settle();
            if due.is_none() {
                return;
            }
        }
    }

    /// Everything that follows from what has happened.
    fn settle(&mut self) {
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Master(input) => {
                    let actions = self.master.handle(self.now, input);
                    actions.into_iter().for_each(|action| self.obey(action));
                }
                Event::Member(id, input) => {
                    let Some(process) = self.processes.get_mut(&id) else { continue };
                    let actions = process.agent.handle(self.now, input);
                    actions.into_iter().for_each(|action| self.act(&id, action));
                }
            }
        }
    }

    /// What the master's machine wants done.
    fn obey(&mut self, action: master::Action) {
        use master::{Action, Input};
        match action {
            Action::Store { version, state } => {
                self.stored = Some(state.encode().expect("a state"));
                self.events.push_back(Event::Master(Input::Stored { version, result: Ok(()) }));
            }
            Action::Launch { def, incarnation, .. } => self.launch(def, incarnation),
            Action::Adopt { id, incarnation, .. } => {
                let alive = self.processes.get(&id).is_some_and(|p| p.incarnation == incarnation);
                self.events.push_back(Event::Master(Input::Adopted { id, incarnation, alive }));
            }
            Action::Send { link, message } => self.deliver(link, &message),
            Action::Broadcast { links, message } => {
                links.into_iter().for_each(|link| self.deliver(link, &message));
            }
            Action::Reply { response, .. } => self.answers.push(response),
            Action::Settled { up, failed } => self.settled = Some((up, failed)),
            Action::Exit => self.ended = true,
            Action::Close { .. } | Action::Report { .. } => {}
            unexpected => panic!("the master wants {unexpected:?}"),
        }
    }

    /// What a server's agent wants done.
    fn act(&mut self, id: &str, action: member::Action) {
        use member::{Action, Input};
        match action {
            Action::Connect { .. } => {
                let link = LinkId(self.serial());
                self.processes.get_mut(id).expect("a process").link = Some(link);
                self.events.push_back(Event::Member(id.into(), Input::Connected(true)));
            }
            Action::Send(message) => {
                let message = self.through_the_wire(&message);
                let link = self.processes[id].link.expect("a link");
                self.events.push_back(Event::Master(master::Input::Member { link, message }));
            }
            Action::Start => self.events.push_back(Event::Member(id.into(), Input::Phase(Phase::Up))),
            Action::Stop { refused: None, .. } => self.ends(id, Exit::Code(0)),
            Action::Servers { .. } | Action::AllStarted => {}
            unexpected => panic!("{id} wants {unexpected:?}"),
        }
    }

    fn launch(&mut self, def: ServerDef, incarnation: Incarnation) {
        self.launches += 1;
        let process = ProcessRef { host: def.host, pid: 1000 + self.launches, start_time: self.serial() };
        let register = Register {
            id: def.id.clone(),
            incarnation,
            process: process.clone(),
            cpus: None,
            phase: Phase::Starting,
            status: String::new(),
            epoch: self.leader.epoch,
            rss_bytes: 0,
            age: Duration::ZERO,
            known: Digest::default(),
        };
        let agent = member::Machine::new(self.now, register, self.serial());
        self.processes.insert(def.id.clone(), Process { agent, incarnation, link: None });
        let launched = master::Input::Launched { id: def.id.clone(), incarnation, result: Ok(process) };
        self.events.push_back(Event::Master(launched));
        let leader = member::Input::Leader(Some(self.leader.clone()));
        self.events.push_back(Event::Member(def.id, leader));
    }

    fn ends(&mut self, id: &str, exit: Exit) {
        let Some(Process { incarnation, link, .. }) = self.processes.remove(id) else { return };
        let exited = master::Input::Exited { id: id.into(), incarnation, exit };
        self.events.push_back(Event::Master(exited));
        let closed = link.map(|link| Event::Master(master::Input::LinkClosed { link, silent: false }));
        self.events.extend(closed);
    }

    fn deliver(&mut self, link: LinkId, message: &Message) {
        let message = self.through_the_wire(message);
        let to = self.processes.iter().find(|(_, process)| process.link == Some(link));
        let event = to.map(|(id, _)| Event::Member(id.clone(), member::Input::Message(message)));
        self.events.extend(event);
    }

    fn through_the_wire(&mut self, message: &Message) -> Message {
        self.messages += 1;
        let bytes = wire::encode(message).expect("a message");
        assert!(wire::decode(&bytes[..bytes.len() - 1]).is_err(), "half a message is none");
        let decoded = wire::decode(&bytes).expect("the message");
        assert_eq!(decoded, *message);
        decoded
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

fn leader(config: &ClusterConfig, epoch: Epoch) -> LeaderInfo {
    let master = &config.master;
    LeaderInfo { id: master.id.clone(), host: master.host.clone(), port: master.port, epoch }
}

fn elected(
    now: Instant,
    config: &ClusterConfig,
    mode: Mode,
    epoch: Epoch,
    stored: Option<ClusterState>,
) -> (master::Machine, Vec<master::Action>) {
    let setup = Setup {
        mode,
        declared: config.servers.clone(),
        only: None,
        allowed_cpus: Default::default(),
        master: config.master.clone(),
        purges: false,
        seed: 1,
    };
    master::Machine::elected(now, setup, epoch, now + REIGN, stored)
}
