//! Master processes: a driver around the machine of each reign, as thin as a real one.

use crate::network::{Peer, Side};
use crate::servers::Process;
use crate::world::{Event, MS, SECOND, Time, World, instant};
use core::mem;
use tangelo_core::config::MasterDef;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::master::{Action, ClusterState, Input, LinkId, Machine, Mode, Setup, StandbyInfo};
use tangelo_core::process::{ProcessRef, Signal};
use tangelo_core::wire::{MasterRole, MasterRow, MasterState, Message};
use tangelo_core::{CpuSet, Error, ErrorKind};

/// What reaches a master.
pub(crate) enum Arrival {
    /// For the machine of this reign.
    Input { epoch: Epoch, input: Input },
    /// The coordinator has answered a sign of life that was sent then.
    Proof { sent: Time },
    /// It has not.
    NoProof,
    /// It says that the session is over.
    Expired,
    /// It says that this master leads.
    Elected { epoch: Epoch, state: Option<ClusterState> },
}

#[derive(Default)]
pub(crate) struct Master {
    pub(crate) alive: bool,
    pub(crate) frozen: bool,
    /// It has left for good.
    pub(crate) gone: bool,
    /// Counts its starts.
    pub(crate) life: u32,
    pub(crate) machine: Option<Machine>,
    proof: Time,
    generation: u64,
    /// What has arrived while it was frozen.
    inbox: Vec<Arrival>,
}

impl Master {
    pub(crate) const fn lives(&self, life: u32) -> bool {
        self.alive && self.life == life
    }
}

impl World {
    pub(crate) fn boot_master(&mut self, master: usize) {
        let booted = &mut self.masters[master];
        if booted.alive || booted.gone {
            return;
        }
        *booted = Master { alive: true, life: booted.life + 1, ..Master::default() };
        let life = booted.life;
        self.note(|| format!("master {master} boots"));
        self.campaign(master, life);
        self.after(100 * MS, Event::StandbyLinks { master, life });
    }

    /// kill -9.
    pub(crate) fn crash_master(&mut self, master: usize) {
        self.note(|| format!("master {master} is killed"));
        let life = self.masters[master].life;
        self.end_of_master(master);
        if self.once_in(2) {
            self.after(30 * MS, Event::Release { master, life });
        }
        let back = self.between(200 * MS, 10 * SECOND);
        self.after(back, Event::MasterBoots { master });
    }

    pub(crate) fn master_exits(&mut self, master: usize) {
        self.note(|| format!("master {master} exits"));
        let life = self.masters[master].life;
        self.masters[master].gone = true;
        self.end_of_master(master);
        self.release(master, life);
    }

    fn end_of_master(&mut self, master: usize) {
        self.masters[master].alive = false;
        self.end_of_reign(master);
        let as_standby = self.links.iter().filter(|(_, link)| link.peer == Peer::Master(master));
        for link in as_standby.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.close_link(link, Side::Peer);
        }
    }

    fn end_of_reign(&mut self, master: usize) {
        if let Some(machine) = self.masters[master].machine.take() {
            self.checker.reign_ends(machine.epoch());
        }
        for link in self.links_of_master(master) {
            self.close_link(link, Side::Master);
        }
    }

    pub(crate) fn arrive(&mut self, master: usize, life: u32, arrival: Arrival) {
        let there = &mut self.masters[master];
        if !there.lives(life) {
            return;
        }
        if there.frozen {
            there.inbox.push(arrival);
        } else {
            self.take_in(master, arrival);
        }
    }

    pub(crate) fn thaw_master(&mut self, master: usize) {
        self.note(|| format!("master {master} wakes"));
        self.masters[master].frozen = false;
        // As bad as can be: its timers come first, before it reads what has happened meanwhile.
        self.feed(master, Input::Tick);
        for arrival in mem::take(&mut self.masters[master].inbox) {
            self.take_in(master, arrival);
        }
    }

    fn take_in(&mut self, master: usize, arrival: Arrival) {
        let (state, sent) = match arrival {
            Arrival::Input { epoch, input } => {
                if self.masters[master].machine.as_ref().is_some_and(|machine| machine.epoch() == epoch) {
                    self.feed(master, input);
                }
                return;
            }
            Arrival::Elected { epoch, state } => {
                self.begin_reign(master, epoch, state);
                return;
            }
            Arrival::Proof { sent } => (LeadershipState::Leading, sent),
            Arrival::NoProof => (LeadershipState::Suspended, 0),
            Arrival::Expired => (LeadershipState::Lost, 0),
        };
        self.masters[master].proof = self.masters[master].proof.max(sent);
        let deadline = instant(self.deadline(self.masters[master].proof));
        self.feed(master, Input::Leadership { state, deadline });
    }

    fn begin_reign(&mut self, master: usize, epoch: Epoch, stored: Option<ClusterState>) {
        let mut def = MasterDef::new("m", "h", 1);
        def.timing.start_timeout = core::time::Duration::from_secs(20);
        let setup = Setup {
            mode: if stored.is_none() { Mode::Start } else { Mode::TakeOver },
            declared: self.defs.clone(),
            only: None,
            allowed_cpus: CpuSet::default(),
            master: def,
            seed: self.serial(),
        };
        let deadline = instant(self.deadline(self.masters[master].proof));
        let (machine, actions) = Machine::elected(self.instant(), setup, epoch, deadline, stored);
        self.masters[master].machine = Some(machine);
        self.publish(master, epoch);
        self.perform(master, epoch, actions);
    }

    fn feed(&mut self, master: usize, input: Input) {
        let now = self.instant();
        if let Some(machine) = &mut self.masters[master].machine {
            let (epoch, actions) = (machine.epoch(), machine.handle(now, input));
            self.perform(master, epoch, actions);
        }
    }

    pub(crate) fn master_ticks(&mut self, master: usize, life: u32, generation: u64) {
        let there = &self.masters[master];
        if there.lives(life) && !there.frozen && there.generation == generation {
            self.feed(master, Input::Tick);
        }
    }

    fn perform(&mut self, master: usize, epoch: Epoch, actions: Vec<Action>) {
        for action in actions {
            self.act(master, epoch, action);
        }
        let now = self.now;
        let there = &mut self.masters[master];
        there.generation += 1;
        let (life, generation) = (there.life, there.generation);
        if let Some(due) = there.machine.as_ref().and_then(Machine::next_deadline) {
            self.after(
                crate::world::time(due).saturating_sub(now),
                Event::MasterTick { master, life, generation },
            );
        }
    }

    fn act(&mut self, master: usize, epoch: Epoch, action: Action) {
        let life = self.masters[master].life;
        match action {
            Action::Store { version, state } => {
                // Now and then a write is under way for so long that the next leader has begun.
                let most = if self.once_in(20) { 6 * SECOND } else { 10 * MS };
                let delay = self.between(1, most);
                self.after(delay, Event::StoreArrives { master, life, epoch, version, state });
            }
            Action::Launch { def, incarnation, .. } => {
                self.check_order(master, epoch, || format!("launches {} {incarnation}", def.id));
                self.note(|| format!("master {master} launches {} {incarnation}", def.id));
                self.checker.launches(&def.id);
                if self.once_in(50) {
                    let result = Err(Error::new(ErrorKind::Io, "no process to be had"));
                    let input = Input::Launched { id: def.id, incarnation, result };
                    self.after(MS, Event::Arrive { master, life, arrival: Arrival::Input { epoch, input } });
                    return;
                }
                let pid = u32::try_from(self.serial()).unwrap();
                self.processes.insert(pid, Process::new(def.id, incarnation, pid, (master, life, epoch)));
                let delay = self.between(MS, 30 * MS);
                self.after(delay, Event::Spawn { pid });
            }
            Action::Adopt { id, process, .. } => {
                let delay = self.between(1, 50 * MS);
                self.after(delay, Event::Adopt { master, life, epoch, id, pid: process.pid });
            }
            Action::Signal { process, signal } => {
                self.check_order(master, epoch, || format!("signals {process}: {signal:?}"));
                self.note(|| format!("master {master} signals {process}: {signal:?}"));
                self.check_needless(process.pid, "signals");
                self.signal(&process, signal);
            }
            Action::Send { link, message } => self.tell(master, epoch, link, message),
            Action::Broadcast { links, message } => {
                for link in links {
                    self.tell(master, epoch, link, message.clone());
                }
            }
            Action::Close { link, .. } => {
                self.close_link(link.0, Side::Master);
                if self.once_in(2) {
                    // A driver may say so though it closed the link itself.
                    let input = Input::LinkClosed { link, silent: false };
                    self.after(1, Event::Arrive { master, life, arrival: Arrival::Input { epoch, input } });
                }
            }
            Action::Reply { ticket, response } => {
                self.note(|| format!("master {master} answers {ticket:?}: {response:?}"));
                let calm = self.calm;
                self.checker.answered(ticket, &response, calm);
            }
            Action::HandOver { to, .. } => self.note(|| format!("master {master} hands over to {to:?}")),
            Action::Report { id, what } => self.note(|| format!("master {master}: {id} {what:?}")),
            Action::Settled { .. } => self.checker.stats.settled += 1,
            Action::StepDown => {
                self.note(|| format!("master {master} steps down"));
                self.end_of_reign(master);
                self.release(master, life);
            }
            Action::Exit => self.master_exits(master),
        }
    }

    fn tell(&mut self, master: usize, epoch: Epoch, link: LinkId, message: Message) {
        if let Message::Stop { .. } | Message::Refused { .. } = message {
            self.check_order(master, epoch, || format!("says {message:?}"));
            self.note(|| format!("master {master} says on {link:?} {message:?}"));
        }
        if let Message::Stop { .. } = message
            && let Some(Peer::Server(pid)) = self.links.get(&link.0).map(|link| link.peer)
        {
            self.check_needless(pid, "stops");
        }
        self.send(link.0, Side::Peer, Some(message));
    }

    fn signal(&mut self, process: &ProcessRef, signal: Signal) {
        self.checker.stats.signals += 1;
        match signal {
            Signal::Terminate => self.terminate(process.pid),
            Signal::Kill => {
                let delay = if self.once_in(20) { 3 * SECOND } else { 200 };
                let exit = tangelo_core::Exit::Signal(9);
                self.after(delay, Event::ProcessExits { pid: process.pid, exit });
            }
        }
    }

    pub(crate) fn adopt(&mut self, master: usize, life: u32, epoch: Epoch, id: String, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let (incarnation, alive) = (process.incarnation, process.alive && !self.knobs.no_adoption);
        if alive {
            process.watchers.push((master, life, epoch));
            self.checker.stats.adoptions += 1;
        }
        let input = Input::Adopted { id, incarnation, alive };
        self.arrive(master, life, Arrival::Input { epoch, input });
    }

    pub(crate) fn standby_links(&mut self, standby: usize, life: u32) {
        if !self.masters[standby].lives(life) {
            return;
        }
        self.after(500 * MS, Event::StandbyLinks { master: standby, life });
        let there = &self.masters[standby];
        let Some((leader, leader_life, epoch)) = self.coordinator.leader.filter(|(m, ..)| *m != standby)
        else {
            return;
        };
        let peer = Peer::Master(standby);
        let linked = self.links.values().any(|link| link.peer == peer && link.epoch == epoch);
        let leads = self.masters[leader].machine.is_some() && !self.masters[leader].frozen;
        if linked || there.frozen || there.machine.is_some() || !leads {
            return;
        }
        let link = self.open_link(leader, epoch, Peer::Master(standby));
        let row = MasterRow {
            id: format!("m{standby}"),
            host: "h".into(),
            port: u16::try_from(standby).unwrap(),
            pid: 1,
            role: MasterRole::Standby,
            epoch,
            state: MasterState::Ready,
        };
        let input = Input::Standby { link: LinkId(link), info: StandbyInfo(row) };
        self.arrive(leader, leader_life, Arrival::Input { epoch, input });
    }
}
