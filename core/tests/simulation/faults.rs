//! What goes wrong.

use crate::network::{Peer, Wires};
use crate::world::{Event, MS, SECOND, World};
use tangelo_core::Exit;

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    ServerFrozen(u32),
    /// From all masters.
    ServerCut(u32),
    /// From the coordinator.
    ServerDeaf(u32),
    MasterFrozen(usize, u32),
    /// From the coordinator.
    MasterCut(usize),
    /// From all servers.
    MasterAlone(usize),
    CoordinatorDown,
    StoreFull,
}

/// A server may be thought sick this long after its own trouble: it may wait 5 s before it links again.
const AFTERMATH: u64 = 20 * SECOND;

impl World {
    /// Something goes wrong, and something else later.
    pub(crate) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let next = self.between(100 * MS, 4 * SECOND);
        self.after(next, Event::Fault);
        let alive: Vec<u32> = self.processes.values().filter(|p| p.alive).map(|p| p.pid).collect();
        let masters: Vec<usize> = (0..self.masters.len()).filter(|&m| self.masters[m].alive).collect();
        let (Some(pid), Some(master)) = (self.choose(&alive), self.choose(&masters)) else { return };
        let leader = self.coordinator.leader.map_or(master, |(master, ..)| master);
        let victim = if self.random.bool() { leader } else { master };
        let fault = match self.random.u32(0..20) {
            0..6 => {
                self.note(|| format!("kill -9 {pid}"));
                return self.process_exits(pid, Exit::Signal(9));
            }
            6..9 => {
                if self.masters[victim].alive {
                    self.crash_master(victim);
                }
                return;
            }
            9 | 10 => Fault::ServerFrozen(pid),
            11 => Fault::ServerCut(pid),
            12 => Fault::ServerDeaf(pid),
            13..16 => Fault::MasterFrozen(victim, self.masters[victim].life),
            16 => Fault::MasterCut(victim),
            17 => Fault::MasterAlone(victim),
            18 => Fault::CoordinatorDown,
            _ => Fault::StoreFull,
        };
        let lasts = if self.random.bool() {
            self.between(100 * MS, 3 * SECOND)
        } else {
            self.between(SECOND, 15 * SECOND)
        };
        self.note(|| format!("{fault:?} for {} ms", lasts / MS));
        self.begin(fault, lasts);
        self.after(lasts, Event::Heal(fault));
    }

    fn trouble(&mut self, pid: u32, lasts: u64) {
        let until = self.now + lasts + AFTERMATH;
        if let Some(process) = self.processes.get_mut(&pid) {
            process.troubled_until = process.troubled_until.max(until);
        }
    }

    fn begin(&mut self, fault: Fault, lasts: u64) {
        match fault {
            Fault::ServerFrozen(pid) | Fault::ServerCut(pid) | Fault::ServerDeaf(pid) => {
                self.trouble(pid, lasts)
            }
            Fault::MasterAlone(_) => {
                for pid in self.processes.keys().copied().collect::<Vec<_>>() {
                    self.trouble(pid, lasts);
                }
            }
            _ => {}
        }
        match fault {
            Fault::ServerFrozen(pid) => {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.frozen = true;
                }
            }
            Fault::MasterFrozen(master, _) => self.masters[master].frozen = true,
            Fault::CoordinatorDown => self.coordinator.down = true,
            Fault::StoreFull => self.coordinator.full = true,
            _ => {
                for (a, b) in self.cuts(fault) {
                    self.wires.cut(a, b);
                }
            }
        }
    }

    fn cuts(&self, fault: Fault) -> Vec<(Peer, Peer)> {
        match fault {
            Fault::ServerCut(pid) => {
                (0..self.masters.len()).map(|master| (Peer::Server(pid), Peer::Master(master))).collect()
            }
            Fault::ServerDeaf(pid) => vec![(Peer::Server(pid), Peer::Coordinator)],
            Fault::MasterCut(master) => vec![(Peer::Master(master), Peer::Coordinator)],
            Fault::MasterAlone(master) => {
                self.processes.keys().map(|pid| (Peer::Master(master), Peer::Server(*pid))).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::ServerFrozen(pid) => self.thaw_process(pid),
            Fault::MasterFrozen(master, life) => {
                if self.masters[master].lives(life) && self.masters[master].frozen {
                    self.thaw_master(master);
                }
            }
            Fault::CoordinatorDown => self.coordinator.down = false,
            Fault::StoreFull => self.coordinator.full = false,
            _ => {
                for (a, b) in self.cuts(fault) {
                    self.wires.mend(a, b);
                }
            }
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm_down(&mut self) {
        self.note(|| "calm".into());
        self.calm = true;
        self.wires = Wires::default();
        self.coordinator.down = false;
        self.coordinator.full = false;
        for pid in self.processes.keys().copied().collect::<Vec<_>>() {
            self.thaw_process(pid);
        }
        for master in 0..self.masters.len() {
            if self.masters[master].frozen {
                self.thaw_master(master);
            }
            self.after(SECOND, Event::MasterBoots { master });
        }
    }
}
