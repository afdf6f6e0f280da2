//! What goes wrong.

use crate::wires::{Peer, Wires};
use crate::world::{Event, MS, Owner, SECOND, Time, World};
use crate::zk::Request;
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
    /// What it does comes late.
    MasterSlow(usize, u32),
    /// From the coordinator: its requests do not get there, the answers do not come back, or both.
    MasterCut(usize, bool, bool),
    /// From all servers.
    MasterAlone(usize),
    HostSuspended(usize),
    /// From all others and from the coordinator.
    HostCut(usize),
    /// From one other host.
    HostsApart(usize, usize),
    /// From the coordinator.
    HostDeaf(usize),
    Slow(Peer),
    /// A node from all that are not its clients.
    ZkCut(usize),
    /// A node with a master that is its client: both from all other nodes.
    Island(usize, usize),
    /// A node from everybody.
    ZkFrozen(usize),
    /// Of all hosts and nodes, in this order, those of set bits from the rest.
    Split(u8),
    /// All nodes from all clients.
    ZkAway,
    ZkForgetful,
    StoreFull,
    /// The store of global channels from everybody.
    ChannelsAway,
}

#[derive(Clone, Copy)]
enum Kind {
    Server,
    Master,
    Host,
    Zk,
    Link,
    Person,
    Proof,
    Channels,
}

/// What goes wrong how often. Each seed has its own: where everything goes wrong in turn, what takes
/// three faults of a kind hardly ever happens.
pub(crate) struct Tendency {
    weights: [(Kind, u32); 8],
    /// How much more time there is between one thing and the next than where all is in a hurry.
    pub(crate) pace: Time,
}

impl Tendency {
    /// `proofs`: little else goes wrong than what makes proofs of leadership wrong.
    pub(crate) fn new(random: &mut fastrand::Rng, proofs: bool) -> Self {
        use Kind::{Channels, Host, Link, Master, Person, Proof, Server, Zk};
        let usual = [
            (Server, 20),
            (Master, 30),
            (Host, 16),
            (Zk, 24),
            (Link, 5),
            (Person, 5),
            (Proof, 8),
            (Channels, 8),
        ];
        let weights = usual.map(|(kind, weight)| match (proofs, kind) {
            (true, Proof) => (kind, 50),
            (true, _) => (kind, 1),
            (false, _) => (kind, 1 + weight * [0, 1, 1, 4][random.usize(0..4)]),
        });
        Self { weights, pace: if proofs { 8 } else { [1, 1, 1, 2, 2, 4, 8][random.usize(0..7)] } }
    }

    fn choose(&self, random: &mut fastrand::Rng) -> Kind {
        let all = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = random.u32(0..all);
        for (kind, weight) in self.weights {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        Kind::Server
    }
}

/// A server may be thought sick this long after its own trouble: it may wait 5 s before it links again.
const AFTERMATH: Time = 20 * SECOND;

impl World {
    /// Something goes wrong, and something else later.
    pub(crate) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let next = self.between(100 * MS, 4 * SECOND) * self.tendency.pace;
        self.after(next, Event::Fault);
        self.stats().faults += 1;
        match self.tendency.choose(&mut self.random) {
            Kind::Server => self.hurt_server(),
            Kind::Master => self.hurt_master(),
            Kind::Host => self.hurt_host(),
            Kind::Zk => self.hurt_zk(),
            Kind::Link => {
                let links: Vec<u64> = self.links.keys().copied().collect();
                if let Some(link) = self.choose(&links) {
                    self.note(|| format!("link {link} is reset"));
                    self.reset_link(link);
                }
            }
            Kind::Person => self.meddle(),
            Kind::Proof => self.hurt_proof(),
            Kind::Channels => self.lasting(Fault::ChannelsAway),
        }
    }

    fn hurt_server(&mut self) {
        let kind = self.random.u32(0..20);
        let alive: Vec<u32> = self.processes.values().filter(|p| p.alive).map(|p| p.pid).collect();
        let Some(pid) = self.choose(&alive) else { return };
        match kind {
            0..8 => {
                self.note(|| format!("kill -9 {pid}"));
                self.server_dies(pid, Exit::Signal(9));
            }
            8 => {
                self.note(|| format!("kill {pid}"));
                self.trouble(pid, 0);
                self.terminate(pid);
            }
            9..13 => self.lasting(Fault::ServerFrozen(pid)),
            13 | 14 => self.lasting(Fault::ServerCut(pid)),
            15 | 16 => self.lasting(Fault::ServerDeaf(pid)),
            _ => self.duplicate(pid),
        }
    }

    /// Somebody starts the same server by hand once more.
    fn duplicate(&mut self, pid: u32) {
        let process = &self.processes[&pid];
        let (incarnation, epoch) = (process.incarnation, process.epoch);
        let Some(def) = self.defs.iter().find(|def| def.id == process.id).cloned() else { return };
        self.note(|| format!("{} {incarnation} is started once more, by hand", def.id));
        self.stats().duplicates += 1;
        self.spawn(&def, incarnation, epoch, None);
    }

    fn hurt_master(&mut self) {
        let kind = self.random.u32(0..30);
        let masters: Vec<usize> = (0..self.masters.len()).filter(|&m| self.masters[m].alive).collect();
        let Some(any) = self.choose(&masters) else { return };
        let leader = self.zk.tree().leader().map_or(any, |(_, lock)| lock.master);
        let victim = if self.random.bool() && self.masters[leader].alive { leader } else { any };
        let (life, guard) = (self.masters[victim].life, self.masters[victim].guard);
        match kind {
            0..9 => {
                let back = self.between(200 * MS, 10 * SECOND);
                if let Some(guard) = guard.filter(|_| kind < 3) {
                    self.kill_guard(guard);
                }
                self.kill_master(victim, back);
            }
            9..12 => {
                if let Some(guard) = guard {
                    self.note(|| format!("the guard of master {victim} is hurt"));
                    if kind == 9 { self.break_guard(guard) } else { self.kill_guard(guard) }
                }
            }
            12..18 => self.lasting(Fault::MasterFrozen(victim, life)),
            18..21 => self.lasting(Fault::MasterSlow(victim, life)),
            21..26 => {
                let ways = self.random.u32(0..3);
                self.lasting(Fault::MasterCut(victim, ways != 0, ways != 1));
            }
            26 | 27 => self.lasting(Fault::MasterAlone(victim)),
            _ => {
                // It ends in order, and comes again.
                let back = self.between(200 * MS, 10 * SECOND);
                self.master_exits(victim);
                self.after(back, Event::MasterBoots { master: victim });
            }
        }
    }

    fn hurt_host(&mut self) {
        let kind = self.random.u32(0..20);
        let host = self.random.usize(0..self.hosts.len());
        let other = self.random.usize(0..self.hosts.len());
        match kind {
            0..4 => {
                self.stats().suspends += 1;
                self.lasting(Fault::HostSuspended(host));
            }
            4..6 => {
                let lasts = self.between(SECOND, 10 * SECOND);
                self.fail_host(host, lasts);
            }
            6..9 => self.lasting(Fault::HostCut(host)),
            9..11 if host != other => self.lasting(Fault::HostsApart(host, other)),
            11..13 => self.lasting(Fault::HostDeaf(host)),
            13..16 => self.lasting(Fault::Slow(Peer::Host(host))),
            _ => {
                let sides = self.random.u8(..);
                self.lasting(Fault::Split(sides));
            }
        }
    }

    fn hurt_zk(&mut self) {
        let kind = self.random.u32(0..24);
        let any = self.random.usize(0..self.zk.len());
        let leader = self.zk.tree().leader().map(|(_, lock)| lock.master);
        let node = match self.random.u32(0..4) {
            0 | 1 => self.zk.leading_node(),
            // The one that the leading master asks.
            2 => leader.and_then(|leader| self.zk.node_of(Owner::Master(leader))),
            _ => None,
        };
        let node = node.unwrap_or(any);
        match kind {
            0..6 => {
                let lasts = self.between(300 * MS, 12 * SECOND);
                let machine = self.random.bool();
                self.kill_zk_node(node, machine, lasts);
            }
            6..8 => {
                for node in 0..self.zk.len() {
                    let lasts = self.between(300 * MS, 5 * SECOND);
                    self.kill_zk_node(node, false, lasts);
                }
            }
            8..13 => self.lasting(Fault::ZkCut(node)),
            13..15 => self.lasting(Fault::ZkFrozen(node)),
            15..17 => self.lasting(Fault::ZkAway),
            17..20 => self.lasting(Fault::ZkForgetful),
            20..22 => self.lasting(Fault::StoreFull),
            _ => self.lasting(Fault::Slow(Peer::Zk(node))),
        }
    }

    /// What is worst for a leader's proofs: it is silent for a while, and as soon as it is heard again it
    /// is cut off together with the one node that has heard it; or that node leads the others, and
    /// does not know that they are gone.
    fn hurt_proof(&mut self) {
        let tree = alloc::rc::Rc::clone(self.zk.tree());
        let Some((_, lock)) = tree.leader().filter(|(_, lock)| self.masters[lock.master].alive) else {
            return;
        };
        let (leader, life) = (lock.master, self.masters[lock.master].life);
        let Some(node) = self.zk.node_of(Owner::Master(leader)) else { return };
        let leads = self.zk.leading_node() == Some(node);
        // Long enough for its node to be forgotten as a witness, and not so long that it has lost the lead.
        // If something has come meanwhile, it does not take its connection for dead when it wakes.
        let timeout = u64::try_from(self.zk.timeout.as_micros()).unwrap();
        let silent = if leads { 0 } else { self.between(timeout * 4 / 10, timeout * 58 / 100) };
        self.client_asks(Owner::Master(leader), Request::Ping);
        if silent > 0 {
            let fault = Fault::MasterFrozen(leader, life);
            self.note(|| format!("{fault:?} for {} ms", silent / MS));
            self.begin(fault, silent);
            self.after(silent, Event::Heal(fault));
        }
        let heard = self.between(10 * MS, SECOND / 2);
        self.after(silent + heard, Event::Island { node, master: leader });
    }

    pub(crate) fn cut_island(&mut self, node: usize, master: usize) {
        if !self.calm {
            let lasts = self.between(8 * SECOND, 20 * SECOND);
            let fault = Fault::Island(node, master);
            self.note(|| format!("{fault:?} for {} ms", lasts / MS));
            self.begin(fault, lasts);
            self.after(lasts, Event::Heal(fault));
            // Those that are started again find each other much sooner than the old leader misses them.
            if self.zk.leading_node() == Some(node) && self.random.bool() {
                for other in (0..self.zk.len()).filter(|other| *other != node).collect::<Vec<_>>() {
                    let lasts = self.between(300 * MS, SECOND);
                    self.kill_zk_node(other, false, lasts);
                }
            }
        }
    }

    /// A person does to the coordinator what nobody should.
    fn meddle(&mut self) {
        let tree = alloc::rc::Rc::clone(self.zk.tree());
        let Some((named, lock)) = tree.leader() else { return };
        let (lock, sid) = (named.lock, lock.owner);
        self.checker.meddled.insert(lock);
        self.stats().meddled += 1;
        if self.random.bool() {
            self.note(|| format!("somebody ends session {sid}, which holds lock {lock}"));
            self.end_session(sid);
        } else {
            self.note(|| "somebody wipes the path".into());
            self.wipe_path();
        }
    }

    fn lasting(&mut self, fault: Fault) {
        let lasts = match self.random.u32(0..8) {
            0..4 => self.between(100 * MS, 3 * SECOND),
            4..7 => self.between(SECOND, 15 * SECOND),
            _ => self.between(8 * SECOND, 20 * SECOND),
        };
        self.note(|| format!("{fault:?} for {} ms", lasts / MS));
        self.begin(fault, lasts);
        self.after(lasts, Event::Heal(fault));
    }

    pub(crate) fn trouble(&mut self, pid: u32, lasts: Time) {
        let until = self.now + lasts + AFTERMATH;
        if let Some(process) = self.processes.get_mut(&pid) {
            process.troubled_until = process.troubled_until.max(until);
        }
    }

    /// Whom a master may think sick because of that.
    fn troubles(&self, fault: Fault) -> Vec<u32> {
        let alive = self.processes.values().filter(|process| process.alive);
        match fault {
            Fault::ServerFrozen(pid) | Fault::ServerCut(pid) | Fault::ServerDeaf(pid) => vec![pid],
            Fault::HostSuspended(host) | Fault::HostDeaf(host) => self.processes_on(host),
            Fault::MasterAlone(_) | Fault::HostCut(_) | Fault::HostsApart(..) | Fault::Split(_) => {
                alive.map(|p| p.pid).collect()
            }
            // Whoever asks that node hears old news.
            Fault::ZkCut(node) | Fault::ZkFrozen(node) | Fault::Island(node, _) => {
                alive.filter(|p| p.node == node).map(|p| p.pid).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self, fault: Fault, lasts: Time) {
        for pid in self.troubles(fault) {
            self.trouble(pid, lasts);
        }
        match fault {
            Fault::ServerFrozen(pid) => {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.frozen += 1;
                }
            }
            Fault::MasterFrozen(master, _) => self.masters[master].frozen += 1,
            Fault::MasterSlow(master, _) => self.masters[master].slow = 2 * SECOND,
            Fault::HostSuspended(host) => self.suspend_host(host),
            Fault::ZkForgetful => self.zk.forgetful = true,
            Fault::StoreFull => self.zk.full = true,
            Fault::ChannelsAway => {
                self.channels.away += 1;
                self.stats().store_outages += 1;
            }
            Fault::Slow(peer) => {
                let most = self.between(50 * MS, 500 * MS);
                self.wires.slow_down(peer, most);
            }
            _ => {
                for (from, to) in self.cuts(fault) {
                    self.wires.cut(from, to);
                }
            }
        }
    }

    /// The wires that a fault cuts, each way.
    fn cuts(&self, fault: Fault) -> Vec<(Peer, Peer)> {
        let zk = || (0..self.zk.len()).map(Peer::Zk);
        let hosts = || (0..self.hosts.len()).map(Peer::Host);
        let pairs: Vec<(Peer, Peer)> = match fault {
            Fault::ServerCut(pid) => {
                (0..self.masters.len()).map(|master| (Peer::Server(pid), Peer::Master(master))).collect()
            }
            Fault::ServerDeaf(pid) => zk().map(|node| (Peer::Server(pid), node)).collect(),
            Fault::MasterCut(master, there, back) => {
                let there = zk().filter(|_| there).map(|node| (Peer::Master(master), node));
                let back = zk().filter(|_| back).map(|node| (node, Peer::Master(master)));
                return there.chain(back).collect();
            }
            Fault::MasterAlone(master) => {
                self.processes.keys().map(|pid| (Peer::Master(master), Peer::Server(*pid))).collect()
            }
            Fault::HostCut(host) => {
                let others = hosts().filter(|other| *other != Peer::Host(host));
                others.chain(zk()).map(|other| (Peer::Host(host), other)).collect()
            }
            Fault::HostsApart(a, b) => vec![(Peer::Host(a), Peer::Host(b))],
            Fault::HostDeaf(host) => zk().map(|node| (Peer::Host(host), node)).collect(),
            Fault::ZkCut(node) => {
                zk().filter(|other| *other != Peer::Zk(node)).map(|other| (Peer::Zk(node), other)).collect()
            }
            Fault::Island(node, master) => {
                let others = || zk().filter(|other| *other != Peer::Zk(node));
                let from_node = others().map(|other| (Peer::Zk(node), other));
                from_node.chain(others().map(|other| (Peer::Master(master), other))).collect()
            }
            Fault::ZkFrozen(node) => zk()
                .filter(|other| *other != Peer::Zk(node))
                .chain(hosts())
                .map(|other| (Peer::Zk(node), other))
                .collect(),
            Fault::Split(sides) => {
                let all: Vec<Peer> = hosts().chain(zk()).collect();
                let side = |n: usize| sides >> n & 1 == 1;
                let (left, right): (Vec<_>, Vec<_>) = (0..all.len()).partition(|n| side(*n));
                left.iter().flat_map(|l| right.iter().map(|r| (all[*l], all[*r]))).collect()
            }
            Fault::ZkAway => zk().flat_map(|node| hosts().map(move |host| (node, host))).collect(),
            _ => Vec::new(),
        };
        pairs.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]).collect()
    }

    pub(crate) fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::ServerFrozen(pid) => {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.frozen = process.frozen.saturating_sub(1);
                }
                self.wake(Owner::Server(pid));
            }
            Fault::MasterFrozen(master, life) => {
                if self.masters[master].lives(life) {
                    self.masters[master].frozen = self.masters[master].frozen.saturating_sub(1);
                    self.note(|| format!("master {master} wakes"));
                    self.wake(Owner::Master(master));
                }
            }
            Fault::MasterSlow(master, life) => {
                if self.masters[master].lives(life) {
                    self.masters[master].slow = 0;
                }
            }
            Fault::HostSuspended(host) => self.resume_host(host),
            Fault::ZkForgetful => self.zk.forgetful = false,
            Fault::StoreFull => self.zk.full = false,
            Fault::ChannelsAway => self.channels.away = self.channels.away.saturating_sub(1),
            Fault::Slow(peer) => self.wires.speed_up(peer),
            _ => {
                for (from, to) in self.cuts(fault) {
                    self.wires.mend(from, to);
                }
            }
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm_down(&mut self) {
        self.note(|| "calm".into());
        self.calm = true;
        self.wires = Wires::default();
        self.zk.forgetful = false;
        self.zk.full = false;
        self.channels.away = 0;
        for host in 0..self.hosts.len() {
            while self.is_suspended(host) {
                self.resume_host(host);
            }
            self.boot_host(host);
        }
        for node in 0..self.zk.len() {
            self.zk_node_boots(node);
        }
        for pid in self.processes.keys().copied().collect::<Vec<_>>() {
            if let Some(process) = self.processes.get_mut(&pid) {
                process.frozen = 0;
            }
            self.wake(Owner::Server(pid));
        }
        for master in 0..self.masters.len() {
            (self.masters[master].frozen, self.masters[master].slow) = (0, 0);
            self.wake(Owner::Master(master));
            self.after(SECOND, Event::MasterBoots { master });
        }
        self.after(SECOND, Event::Look);
    }
}
