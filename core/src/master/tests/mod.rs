//! Tests of the master's machine, on a virtual clock. Each is named after the law it holds or the
//! fault of the original it forbids.

mod deadline;
mod ending;
mod lifecycle;
mod purges;
mod registration;
mod requests;
mod store;
mod takeover;

use super::server::Run;
use super::*;
use crate::config::{Incarnation, MasterDef, ServerDef};
use crate::process::{Exit, ProcessRef, Signal};
use crate::wire::{Digest, Phase, Register, Request, Response, Selection, ServerState, Welcome};
use crate::{CpuSet, Result};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

const MINUTE: Duration = Duration::from_secs(60);

/// A reign with everything around it: a clock, a store, processes that come up when they are launched.
struct World {
    machine: Machine,
    now: Instant,
    /// Whether stores are answered at once.
    store_works: bool,
    /// Whether launches are answered at once.
    launches_work: bool,
    stored: Option<ClusterState>,
    held: Option<(u64, ClusterState)>,
    log: Vec<Action>,
    serial: u64,
}

fn def(id: &str, auto_restart: bool) -> ServerDef {
    ServerDef { auto_restart, ..ServerDef::new(id, "chat", "127.0.0.1") }
}

fn frontend(id: &str) -> ServerDef {
    ServerDef {
        frontend: true,
        client_port: Some(3010),
        auto_restart: true,
        ..ServerDef::new(id, "gate", "127.0.0.1")
    }
}

fn setup(mode: Mode, declared: Vec<ServerDef>) -> Setup {
    let master = MasterDef::new("master", "127.0.0.1", 3005);
    let (only, allowed_cpus) = (None, CpuSet::default());
    Setup { mode, declared, only, allowed_cpus, master, purges: false, seed: 1 }
}

fn process(pid: u64) -> ProcessRef {
    ProcessRef { host: "127.0.0.1".into(), pid: u32::try_from(pid).unwrap(), start_time: pid * 10 }
}

fn select(id: &str) -> Selection {
    Selection { ids: vec![id.into()], server_type: None }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is away")
}

impl World {
    fn reign(epoch: u64, setup: Setup, stored: Option<ClusterState>, store_works: bool) -> Self {
        let now = Instant::from_boot(MINUTE);
        let (machine, actions) =
            Machine::elected(now, setup, Epoch(epoch), now + 100_000 * MINUTE, stored.clone());
        let serial = epoch * 1000;
        let mut world =
            Self { machine, now, store_works, launches_work: true, stored, held: None, log: vec![], serial };
        world.perform(actions);
        world
    }

    /// A fresh cluster of these servers, none of which has registered.
    fn start(declared: Vec<ServerDef>) -> Self {
        Self::reign(1, setup(Mode::Start, declared), None, true)
    }

    /// A fresh cluster of these servers, all up.
    fn started(declared: Vec<ServerDef>) -> Self {
        let ids: Vec<String> = declared.iter().map(|def| def.id.clone()).collect();
        let mut world = Self::start(declared);
        for id in ids {
            world.up(&id);
        }
        world.pass(Duration::from_secs(1));
        world.log.clear();
        world
    }

    /// The next reign, after this master died here and now.
    fn succeed(&self) -> Self {
        Self::reign(self.machine.epoch.0 + 1, setup(Mode::TakeOver, vec![]), self.stored.clone(), true)
    }

    fn feed(&mut self, input: Input) {
        let actions = self.machine.handle(self.now, input);
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Store { version, state } => {
                    assert!(self.held.replace((version, state)).is_none(), "two stores at once");
                    if self.store_works {
                        self.answer_store(Ok(()));
                    }
                }
                Action::Launch { ref def, incarnation, .. } => {
                    let id = def.id.clone();
                    self.log.push(action);
                    if self.launches_work {
                        let result = Ok(process(self.serial()));
                        self.feed(Input::Launched { id, incarnation, result });
                    }
                }
                _ => self.log.push(action),
            }
        }
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn answer_store(&mut self, result: Result<()>) {
        let Some((version, state)) = self.held.take() else { return };
        if result.is_ok() {
            self.stored = Some(state);
        }
        self.feed(Input::Stored { version, result });
    }

    /// Lets time pass, timers included.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(due) = self.machine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Tick);
            steps += 1;
            assert!(steps < 100_000, "the timers spin");
        }
        self.now = end;
        self.feed(Input::Tick);
    }

    /// This master is frozen: time passes, nothing is done.
    fn freeze(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    fn server(&self, id: &str) -> &Server {
        &self.machine.servers[self.machine.index(id).unwrap()]
    }

    fn registration(&self, id: &str, phase: Phase) -> Register {
        let record = &self.server(id).record;
        Register {
            id: id.into(),
            incarnation: record.incarnation,
            process: record.process.clone().unwrap(),
            cpus: None,
            phase,
            status: String::new(),
            epoch: Epoch(0),
            rss_bytes: 0,
            age: Duration::ZERO,
            known: Digest::default(),
        }
    }

    fn register(&mut self, register: Register) -> LinkId {
        let link = LinkId(self.serial());
        self.feed(Input::Member { link, message: Message::Register(register) });
        link
    }

    /// The server's present process links, registers and is up.
    fn up(&mut self, id: &str) -> LinkId {
        let link = self.register(self.registration(id, Phase::Starting));
        self.says(link, Phase::Up);
        link
    }

    fn says(&mut self, link: LinkId, phase: Phase) {
        self.feed(Input::Member { link, message: Message::Phase(phase) });
    }

    /// The server's present process ends.
    fn crash(&mut self, id: &str) {
        let incarnation = self.server(id).record.incarnation;
        self.feed(Input::Exited { id: id.into(), incarnation, exit: Exit::Signal(9) });
    }

    fn close(&mut self, id: &str, silent: bool) {
        let link = self.server(id).link.unwrap();
        self.feed(Input::LinkClosed { link, silent });
    }

    fn request(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.serial());
        self.feed(Input::Request { ticket, request });
        ticket
    }

    /// The answer to a request, if it was given; more than one is a fault.
    fn answer(&self, ticket: Ticket) -> Option<&Response> {
        let mut answers = self.log.iter().filter_map(|action| match action {
            Action::Reply { ticket: t, response } if *t == ticket => Some(response),
            _ => None,
        });
        let answer = answers.next();
        assert!(answers.next().is_none(), "a second answer");
        answer
    }

    fn done(&self, ticket: Ticket) -> bool {
        matches!(self.answer(ticket), Some(Response::Done(_)))
    }

    fn count(&self, wanted: impl Fn(&Action) -> bool) -> usize {
        self.log.iter().filter(|action| wanted(action)).count()
    }

    /// How often the server was launched.
    fn launches(&self, id: &str) -> usize {
        self.count(|action| matches!(action, Action::Launch { def, .. } if def.id == id))
    }

    fn signals(&self, wanted: Signal) -> usize {
        self.count(|action| matches!(action, Action::Signal { signal, .. } if *signal == wanted))
    }

    /// The links that were told to stop, in order.
    fn stops(&self) -> Vec<LinkId> {
        let stops = self.log.iter().filter_map(|action| match action {
            Action::Send { link, message: Message::Stop { .. } } => Some(*link),
            _ => None,
        });
        stops.collect()
    }

    fn sent(&self, to: LinkId, wanted: impl Fn(&Message) -> bool) -> bool {
        self.log.iter().any(|a| matches!(a, Action::Send { link, message } if *link == to && wanted(message)))
    }

    fn welcomed(&self, link: LinkId) -> bool {
        self.sent(link, |message| matches!(message, Message::Welcome(_)))
    }

    fn refused(&self, link: LinkId) -> bool {
        self.sent(link, |message| matches!(message, Message::Refused { .. }))
    }

    fn shown(&self, id: &str) -> ServerState {
        self.server(id).row(self.now).state
    }

    fn pid(&self, id: &str) -> Option<u32> {
        self.server(id).row(self.now).pid
    }

    fn exits(&self) -> usize {
        self.count(|action| matches!(action, Action::Exit))
    }

    /// The number of orders that launch, stop, refuse or kill.
    fn orders(&self) -> usize {
        self.count(|action| match action {
            Action::Launch { .. } | Action::Signal { .. } => true,
            Action::Send { message, .. } => matches!(message, Message::Stop { .. } | Message::Refused { .. }),
            _ => false,
        })
    }
}
