//! The tasks of a master that do to processes what the machine has ordered: some time later, and
//! after another look at the clock.

use crate::hosts::host_number;
use crate::masters::MasterNews;
use crate::servers::{Process, ServerNews};
use crate::world::{Event, MS, Owner, SECOND, World};
use tangelo_core::channel::Frontend;
use tangelo_core::config::{Incarnation, ServerDef};
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::master::Input;
use tangelo_core::process::{ProcessRef, Signal};
use tangelo_core::{Error, ErrorKind, Exit};

pub(crate) enum Task {
    Launch { def: Box<ServerDef>, incarnation: Incarnation },
    Adopt { id: String, incarnation: Incarnation, process: ProcessRef },
    Signal { process: ProcessRef, signal: Signal },
    Purge { frontend: Frontend },
}

impl Task {
    /// The host whose processes it is about.
    fn host(&self) -> Option<usize> {
        match self {
            Self::Launch { def, .. } => Some(def.host[1..].parse().unwrap()),
            Self::Adopt { process, .. } | Self::Signal { process, .. } => Some(host_number(process)),
            Self::Purge { .. } => None,
        }
    }
}

impl World {
    pub(crate) fn order(&mut self, master: usize, epoch: Epoch, task: Task) {
        let there = &self.masters[master];
        let (life, slow) = (there.life, there.slow);
        let delay = self.between(0, MS + slow);
        let task = Box::new(task);
        self.after(delay, Event::Master { master, life, news: MasterNews::Carry { epoch, task } });
    }

    /// Whether this leader may give orders now, by its own clock.
    pub(crate) fn may_act(&mut self, master: usize, epoch: Epoch) -> bool {
        let now = self.clock_of(Owner::Master(master));
        let standing = self.standing(master);
        let reigns = standing.reign.as_ref().is_some_and(|reign| reign.epoch == epoch);
        if self.knobs.late_orders {
            return true;
        }
        reigns
            && self
                .leadership(master)
                .is_some_and(|(state, deadline)| state != LeadershipState::Lost && now < deadline)
    }

    /// A task gets its turn.
    pub(crate) fn carry(&mut self, master: usize, epoch: Epoch, task: Box<Task>) {
        let life = self.masters[master].life;
        if !matches!(*task, Task::Adopt { .. }) && !self.may_act(master, epoch) {
            let reigns = self.standing(master).reign.as_ref().is_some_and(|reign| reign.epoch == epoch);
            if reigns && matches!(*task, Task::Launch { .. } | Task::Purge { .. }) {
                // It may act again once the service answers.
                self.after(50 * MS, Event::Master { master, life, news: MasterNews::Carry { epoch, task } });
            }
            return;
        }
        // Nothing helps against being frozen between the look at the clock and the system call.
        if !self.calm && self.once_in(60) {
            self.freeze_between(master, epoch, task);
            return;
        }
        self.effect(master, epoch, *task, false);
    }

    fn freeze_between(&mut self, master: usize, epoch: Epoch, task: Box<Task>) {
        let life = self.masters[master].life;
        let lasts = self.between(100 * MS, 12 * SECOND);
        self.note(|| format!("master {master} is frozen between its look at the clock and its act"));
        self.stats().frozen_between += 1;
        if let Task::Signal { process, .. } = &*task {
            self.trouble(process.pid, lasts);
        }
        self.begin(crate::faults::Fault::MasterFrozen(master, life), lasts);
        self.after(lasts, Event::Heal(crate::faults::Fault::MasterFrozen(master, life)));
        self.after(0, Event::Master { master, life, news: MasterNews::Effect { epoch, task } });
    }

    /// The system call, or what is sent over ssh.
    pub(crate) fn effect(&mut self, master: usize, epoch: Epoch, task: Task, late: bool) {
        let own = self.masters[master].host;
        let host = task.host().unwrap_or(own);
        let local = host == own;
        match task {
            Task::Launch { def, incarnation } => {
                if !late {
                    self.check_order(master, epoch, || format!("launches {} {incarnation}", def.id));
                    self.check_wanted(master, &def.id);
                }
                self.note(|| format!("master {master} launches {} {incarnation}", def.id));
                self.stats().launches += 1;
                if local {
                    self.launch(master, epoch, &def, incarnation)
                } else {
                    self.launch_remotely(master, epoch, def, incarnation)
                }
            }
            Task::Adopt { id, incarnation, process } => self.adopt(master, epoch, id, incarnation, &process),
            // However late: it names what is over, for good.
            Task::Purge { frontend } => self.purge(master, epoch, frontend),
            Task::Signal { process, signal } => {
                if !late {
                    self.check_order(master, epoch, || format!("signals {process}: {signal:?}"));
                    self.check_needless(master, process.pid, "signals");
                }
                self.note(|| format!("master {master} signals {process}: {signal:?}"));
                if local {
                    self.signal(process.pid, signal);
                } else if self.hosts_meet(self.masters[master].host, host) {
                    // What is on its way may come late: nobody over there can look at our clock.
                    self.signal(process.pid, signal);
                }
            }
        }
    }

    fn launch(&mut self, master: usize, epoch: Epoch, def: &ServerDef, incarnation: Incarnation) {
        let life = self.masters[master].life;
        let id = def.id.clone();
        let result = if self.once_in(50) {
            Err(Error::new(ErrorKind::Io, "no process to be had"))
        } else {
            Ok(self.spawn(def, incarnation, epoch, Some((master, life, epoch))))
        };
        let delay = self.between(1, 60 * MS);
        self.tell_master(master, life, delay, epoch, Input::Launched { id, incarnation, result });
    }

    /// A process begins.
    pub(crate) fn spawn(
        &mut self,
        def: &ServerDef,
        incarnation: Incarnation,
        epoch: Epoch,
        by: Option<(usize, u32, Epoch)>,
    ) -> ProcessRef {
        let pid = u32::try_from(self.serial()).unwrap();
        let host = def.host[1..].parse().unwrap();
        let process = Process::new(&def.id, incarnation, pid, host, epoch, by);
        let reference = process.reference();
        self.note(|| format!("{} {incarnation} is pid {pid} on host {host}", def.id));
        self.processes.insert(pid, process);
        let delay = self.between(MS, 40 * MS);
        self.after(delay, Event::Server { pid, news: ServerNews::Boots });
        reference
    }

    fn launch_remotely(
        &mut self,
        master: usize,
        epoch: Epoch,
        def: Box<ServerDef>,
        incarnation: Incarnation,
    ) {
        let life = self.masters[master].life;
        let delay = self.ssh_delay();
        self.after(delay, Event::RemoteSpawn { def, incarnation: incarnation.0, by: (master, life, epoch) });
    }

    /// The order has got there, or has not; the answer has to get back, too.
    pub(crate) fn remote_spawn(&mut self, def: &ServerDef, incarnation: u64, by: (usize, u32, Epoch)) {
        let (master, life, epoch) = by;
        let incarnation = Incarnation(incarnation);
        let host: usize = def.host[1..].parse().unwrap();
        let from = self.masters[master].host;
        let arrives = self.hosts_meet(from, host) && !self.is_suspended(host);
        // Whoever does not hear which process it is does not watch it.
        let heard = !self.once_in(40);
        let process = arrives.then(|| self.spawn(def, incarnation, epoch, heard.then_some(by)));
        let answered = process.filter(|_| heard);
        let (delay, result) = match answered {
            Some(process) => (self.ssh_delay(), Ok(process)),
            None => {
                (self.between(SECOND, 10 * SECOND), Err(Error::new(ErrorKind::Timeout, "ssh did not answer")))
            }
        };
        self.tell_master(
            master,
            life,
            delay,
            epoch,
            Input::Launched { id: def.id.clone(), incarnation, result },
        );
    }

    fn adopt(
        &mut self,
        master: usize,
        epoch: Epoch,
        id: String,
        incarnation: Incarnation,
        process: &ProcessRef,
    ) {
        let life = self.masters[master].life;
        let host = host_number(process);
        let local = host == self.masters[master].host;
        let reached = local || self.hosts_meet(self.masters[master].host, host);
        let Some(there) = self.processes.get_mut(&process.pid) else { return };
        // Only certainty counts as death: a process that cannot be seen may well run.
        let alive = (there.alive || !reached) && !self.knobs.no_adoption;
        if alive {
            there.watchers.push((master, life, epoch));
            if !there.alive {
                self.after(SECOND, Event::TellExit { pid: process.pid });
            }
            self.stats().adoptions += 1;
        }
        let delay = if local { self.between(1, 50 * MS) } else { self.ssh_delay() };
        self.tell_master(master, life, delay, epoch, Input::Adopted { id, incarnation, alive });
    }

    fn signal(&mut self, pid: u32, signal: Signal) {
        self.stats().signals += 1;
        match signal {
            Signal::Terminate => self.terminate(pid),
            Signal::Kill => {
                let delay = if self.once_in(20) { 3 * SECOND } else { 200 };
                self.after(delay, Event::Killed { pid });
            }
        }
    }

    /// Whoever watches a process that has ended learns of it, if they can be reached.
    pub(crate) fn tell_exit(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.alive) else { return };
        let (id, incarnation, host) = (process.id.clone(), process.incarnation, process.host);
        let exit = process.exit.unwrap_or(Exit::Unknown);
        let watchers = core::mem::take(&mut process.watchers);
        let mut waiting = Vec::new();
        for (master, life, epoch) in watchers {
            let from = self.masters[master].host;
            let local = from == host;
            if !self.masters[master].lives(life) {
                continue;
            }
            if !local && !self.hosts_meet(from, host) {
                waiting.push((master, life, epoch));
                continue;
            }
            let delay = if local { self.between(100, 5 * MS) } else { self.ssh_delay() };
            self.tell_master(master, life, delay, epoch, Input::Exited { id: id.clone(), incarnation, exit });
        }
        if !waiting.is_empty() {
            self.after(SECOND, Event::TellExit { pid });
            if let Some(process) = self.processes.get_mut(&pid) {
                process.watchers = waiting;
            }
        }
    }
}
