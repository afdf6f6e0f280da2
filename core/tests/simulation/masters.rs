//! Master processes: a driver around the machine of each reign, as thin as a real one.

use crate::network::Side;
use crate::standing::Standing;
use crate::tasks::Task;
use crate::wires::Peer;
use crate::world::{Event, MS, Owner, SECOND, Time, World};
use crate::zk::Client;
use core::time::Duration;
use tangelo_core::config::{MasterDef, Secret};
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::master::{Action, ClusterState, Input, LinkId, Machine, Mode, Setup, StandbyInfo, Ticket};
use tangelo_core::wire::{MasterRole, MasterRow, MasterState, Message, Response};
use tangelo_core::{CpuSet, Instant};

/// How often a master that is past its deadline looks again.
const PAST_DEADLINE: Time = 50 * MS;

/// What happens to a master.
pub(crate) enum MasterNews {
    /// For the machine of this reign.
    Input {
        epoch: Epoch,
        input: Input,
    },
    /// The machine's time has come.
    Tick {
        generation: u64,
    },
    /// A task that does what the machine has ordered gets its turn.
    Carry {
        epoch: Epoch,
        task: Box<Task>,
    },
    /// It does it, having looked at the clock some time ago.
    Effect {
        epoch: Epoch,
        task: Box<Task>,
    },
    ZkTimer {
        generation: u64,
    },
    LookAgain,
    Deadline,
    StoreNow,
    StoreOverdue {
        epoch: Epoch,
        number: u64,
    },
    Campaign,
    StandbyLinks,
    GuardDied,
}

pub(crate) struct Master {
    pub(crate) host: usize,
    pub(crate) priority: i32,
    pub(crate) alive: bool,
    pub(crate) frozen: u32,
    /// What it does comes late.
    pub(crate) slow: Time,
    /// It has left for good.
    pub(crate) gone: bool,
    /// Counts its starts.
    pub(crate) life: u32,
    /// Whether its coordinator takes a leadership back up past the deadline, if the session lives.
    pub(crate) resumes: bool,
    pub(crate) client: Client,
    pub(crate) guard: Option<usize>,
    pub(crate) standing: Standing,
    pub(crate) machine: Option<Machine>,
    /// What the machine was told last of the leadership.
    told: (LeadershipState, Instant),
    mode: Mode,
    /// Whether it has ever heard of another leader.
    heard: bool,
    generation: u64,
}

impl Master {
    pub(crate) fn new(host: usize, priority: i32) -> Self {
        Self {
            host,
            priority,
            alive: false,
            frozen: 0,
            slow: 0,
            gone: false,
            life: 0,
            resumes: false,
            client: Client::default(),
            guard: None,
            standing: Standing::default(),
            machine: None,
            told: (LeadershipState::Leading, Instant::default()),
            mode: Mode::TakeOver,
            heard: false,
            generation: 0,
        }
    }

    pub(crate) const fn lives(&self, life: u32) -> bool {
        self.alive && self.life == life
    }
}

impl World {
    pub(crate) fn boot_master(&mut self, master: usize) {
        let there = &self.masters[master];
        if there.alive || there.gone {
            return;
        }
        if !self.hosts[there.host].up {
            return self.after(SECOND, Event::MasterBoots { master });
        }
        let (host, priority, life) = (there.host, there.priority, there.life + 1);
        let starts = !self.checker.ends && self.random.bool();
        let booted = &mut self.masters[master];
        *booted = Master {
            alive: true,
            life,
            client: Client::new(life, self.zk.timeout),
            ..Master::new(host, priority)
        };
        booted.mode = if starts { Mode::Start } else { Mode::TakeOver };
        booted.resumes = self.random.u32(0..4) == 0;
        self.note(|| format!("master {master} boots"));
        self.client_waits(Owner::Master(master), MS);
        self.start_guard(master);
        self.campaign(master);
        self.after(100 * MS, Event::Master { master, life, news: MasterNews::StandbyLinks });
    }

    /// kill -9; it is started again after that time.
    pub(crate) fn kill_master(&mut self, master: usize, back: Time) {
        if !self.masters[master].alive {
            return;
        }
        self.note(|| format!("master {master} is killed"));
        self.stats().master_kills += 1;
        self.end_of_master(master);
        self.after(back, Event::MasterBoots { master });
    }

    /// It ends in order.
    pub(crate) fn master_exits(&mut self, master: usize) {
        self.note(|| format!("master {master} exits"));
        self.withdraw(master);
        let sid = self.masters[master].client.sid;
        self.end_of_master(master);
        if let Some(sid) = sid.filter(|_| self.meet(Peer::Master(master), Peer::Zk(0))) {
            self.end_session(sid);
        }
    }

    fn end_of_master(&mut self, master: usize) {
        self.end_of_machine(master);
        self.masters[master].alive = false;
        self.masters[master].standing = Standing::default();
        self.masters[master].frozen = 0;
        self.client_dies(Owner::Master(master));
        self.alarm_guard(master);
        self.forget(Owner::Master(master));
        let as_standby = self.links.iter().filter(|(_, link)| link.peer == Peer::Master(master));
        for link in as_standby.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.close_link(link, Side::Peer);
        }
    }

    fn end_of_machine(&mut self, master: usize) {
        if let Some(machine) = self.masters[master].machine.take() {
            self.checker.reign_ends(machine.epoch());
        }
        for link in self.links_of_master(master) {
            self.close_link(link, Side::Master);
        }
    }

    pub(crate) fn tell_master(&mut self, master: usize, life: u32, delay: Time, epoch: Epoch, input: Input) {
        self.after(delay, Event::Master { master, life, news: MasterNews::Input { epoch, input } });
    }

    pub(crate) fn master_hears(&mut self, master: usize, life: u32, news: MasterNews) {
        if !self.masters[master].lives(life) {
            return;
        }
        match news {
            MasterNews::Input { epoch, input } => self.feed(master, epoch, input),
            MasterNews::Tick { generation } => {
                if self.masters[master].generation == generation
                    && let Some(machine) = &self.masters[master].machine
                {
                    let epoch = machine.epoch();
                    self.feed(master, epoch, Input::Tick);
                }
            }
            MasterNews::Carry { epoch, task } => self.carry(master, epoch, task),
            MasterNews::Effect { epoch, task } => self.effect(master, epoch, *task, true),
            MasterNews::ZkTimer { generation } => {
                self.client_beats(Owner::Master(master), generation);
                self.reign_beats(master);
            }
            MasterNews::LookAgain => self.look_again(master),
            MasterNews::Deadline => self.look_at_leadership(master),
            MasterNews::StoreNow => self.write_state(master),
            MasterNews::StoreOverdue { epoch, number } => self.store_overdue(master, epoch, number),
            MasterNews::Campaign => self.campaign(master),
            MasterNews::StandbyLinks => self.standby_links(master, life),
            MasterNews::GuardDied => self.start_guard(master),
        }
    }

    /// The state of the leadership is told as soon as it changes.
    pub(crate) fn look_at_leadership(&mut self, master: usize) {
        let Some((state, deadline)) = self.leadership(master) else { return };
        match &self.masters[master].machine {
            Some(machine) => {
                let epoch = machine.epoch();
                if self.masters[master].told.0 != state {
                    self.feed(master, epoch, Input::Leadership { state, deadline });
                }
            }
            // It was lost before the state could be loaded.
            None if state == LeadershipState::Lost => self.step_down(master),
            None => {}
        }
    }

    pub(crate) fn begin_machine(&mut self, master: usize, epoch: Epoch, mut stored: Option<ClusterState>) {
        let Some(told) = self.leadership(master) else { return };
        let there = &self.masters[master];
        if let Some(state) = &mut stored {
            state.ended &= there.heard || self.checker.ends;
        }
        if self.knobs.forgets_stops
            && let Some(state) = &mut stored
        {
            state.servers.iter_mut().for_each(|record| record.stopped = false);
        }
        let mut def = MasterDef::new("m", "h", 1);
        def.timing.start_timeout = Duration::from_secs(20);
        def.secret = Secret::new("of the simulation").ok();
        let setup = Setup {
            mode: if stored.as_ref().is_none_or(|state| state.servers.is_empty() && !state.ended) {
                Mode::Start
            } else {
                there.mode
            },
            declared: self.defs.iter().filter(|def| def.server_type != "more").cloned().collect(),
            only: None,
            allowed_cpus: CpuSet::default(),
            master: def,
            purges: true,
            seed: self.serial(),
        };
        let now = self.clock_of(Owner::Master(master));
        let (machine, actions) = Machine::elected(now, setup, epoch, told.1, stored);
        let there = &mut self.masters[master];
        (there.machine, there.told) = (Some(machine), (LeadershipState::Leading, told.1));
        self.perform(master, epoch, actions);
        self.look_at_leadership(master);
    }

    /// Gives the machine what happened, and before it what is new about its leadership.
    pub(crate) fn feed(&mut self, master: usize, epoch: Epoch, input: Input) {
        let now = self.clock_of(Owner::Master(master));
        let leadership = self.leadership(master);
        let there = &mut self.masters[master];
        let Some(machine) = there.machine.as_mut().filter(|machine| machine.epoch() == epoch) else { return };
        if let Some((state, deadline)) = leadership.filter(|leadership| *leadership != there.told) {
            there.told = (state, deadline);
            let actions = machine.handle(now, Input::Leadership { state, deadline });
            self.perform(master, epoch, actions);
        }
        let there = &mut self.masters[master];
        let Some(machine) = there.machine.as_mut().filter(|machine| machine.epoch() == epoch) else { return };
        let actions = machine.handle(now, input);
        self.perform(master, epoch, actions);
    }

    fn perform(&mut self, master: usize, epoch: Epoch, actions: Vec<Action>) {
        for action in actions {
            self.act(master, epoch, action);
        }
        let there = &mut self.masters[master];
        there.generation += 1;
        let (life, generation, host, told) = (there.life, there.generation, there.host, there.told);
        if let Some(due) = there.machine.as_ref().and_then(Machine::next_deadline) {
            let mut delay = self.until(host, due);
            if self.clock(host) >= told.1 {
                delay = delay.max(PAST_DEADLINE);
            }
            self.after(delay, Event::Master { master, life, news: MasterNews::Tick { generation } });
        }
    }

    fn act(&mut self, master: usize, epoch: Epoch, action: Action) {
        match action {
            Action::Store { version, state } => {
                if self.knobs.hasty_store {
                    let life = self.masters[master].life;
                    let input = Input::Stored { version, result: Ok(()) };
                    self.tell_master(master, life, 1, epoch, input);
                }
                self.store(master, version, state);
            }
            Action::Launch { def, incarnation, .. } => {
                self.order(master, epoch, Task::Launch { def: Box::new(def), incarnation });
            }
            Action::Adopt { id, incarnation, process } => {
                self.order(master, epoch, Task::Adopt { id, incarnation, process });
            }
            Action::Purge(frontend) => {
                if self.knobs.hasty_purge {
                    let life = self.masters[master].life;
                    self.tell_master(master, life, 1, epoch, Input::Purged(frontend.clone()));
                }
                self.order(master, epoch, Task::Purge { frontend });
            }
            Action::Signal { process, signal } => self.order(master, epoch, Task::Signal { process, signal }),
            Action::Send { link, message } => self.say(master, epoch, link, message),
            Action::Broadcast { links, message } => {
                for link in links {
                    self.say(master, epoch, link, message.clone());
                }
            }
            Action::Close { link, .. } => {
                self.close_link(link.0, Side::Master);
                if self.once_in(2) {
                    // A driver may say so though it closed the link itself.
                    let life = self.masters[master].life;
                    self.tell_master(master, life, 1, epoch, Input::LinkClosed { link, silent: false });
                }
            }
            Action::Reply { ticket, response } => self.reply(master, ticket, &response),
            Action::HandOver { ticket, to } => {
                let to = to.map(|to| to[1..].parse().unwrap());
                self.hand_over(master, ticket, to);
            }
            Action::Report { id, what } => self.note(|| format!("master {master}: {id} {what:?}")),
            Action::Settled { .. } => self.stats().settled += 1,
            Action::StepDown => self.step_down(master),
            Action::Exit => {
                self.masters[master].gone = true;
                self.master_exits(master);
            }
        }
    }

    pub(crate) fn reply(&mut self, master: usize, ticket: Ticket, response: &Response) {
        self.note(|| format!("master {master} answers {ticket:?}: {response:?}"));
        self.answered(ticket, response);
    }

    /// The reign is over; the process stands for election anew.
    fn step_down(&mut self, master: usize) {
        self.note(|| format!("master {master} steps down"));
        self.stats().step_downs += 1;
        self.end_of_machine(master);
        self.withdraw(master);
        let there = &mut self.masters[master];
        there.mode = Mode::TakeOver;
        let life = there.life;
        // To resign takes until the service answers, or long enough.
        let delay = if there.client.attached { 20 * MS } else { 5 * SECOND };
        self.after(delay, Event::Master { master, life, news: MasterNews::Campaign });
    }

    fn say(&mut self, master: usize, epoch: Epoch, link: LinkId, message: Message) {
        if matches!(message, Message::Stop { .. }) && !self.may_act(master, epoch) {
            return;
        }
        if matches!(message, Message::Stop { .. } | Message::Refused { .. }) {
            self.check_order(master, epoch, || format!("says {message:?}"));
            self.note(|| format!("master {master} says on {link:?} {message:?}"));
        }
        if let Some(Peer::Server(pid)) = self.links.get(&link.0).map(|link| link.peer) {
            match message {
                Message::Stop { .. } => self.check_needless(master, pid, "stops"),
                Message::Refused { .. } => self.check_needless(master, pid, "refuses"),
                _ => {}
            }
        }
        self.send(link.0, Side::Peer, Some(message));
    }

    fn standby_links(&mut self, standby: usize, life: u32) {
        self.after(500 * MS, Event::Master { master: standby, life, news: MasterNews::StandbyLinks });
        let tree = alloc::rc::Rc::clone(self.zk.tree());
        let Some((named, lock)) = tree.leader().filter(|(_, lock)| lock.master != standby) else { return };
        let (leader, epoch, peer) = (lock.master, named.info.epoch, Peer::Master(standby));
        let linked = self.links.values().any(|link| link.peer == peer && link.epoch == epoch);
        let there = &self.masters[leader];
        let leads = there.machine.as_ref().is_some_and(|machine| machine.epoch() == epoch);
        let awake = there.alive && !self.is_frozen(Owner::Master(leader));
        if linked || self.masters[standby].machine.is_some() || !leads || !awake {
            return;
        }
        if !self.meet(peer, Peer::Master(leader)) {
            return;
        }
        let leader_life = self.masters[leader].life;
        (self.masters[standby].mode, self.masters[standby].heard) = (Mode::TakeOver, true);
        let link = self.open_link(leader, epoch, peer);
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
        self.tell_master(leader, leader_life, 0, epoch, input);
    }
}
