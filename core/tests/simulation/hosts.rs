//! Machines: each has a clock of its own, which runs on through suspend, and may lose its power.

use crate::wires::Peer;
use crate::world::{Event, MS, Owner, SECOND, Time, World};
use core::time::Duration;
use tangelo_core::Instant;
use tangelo_core::process::ProcessRef;

/// A machine.
pub(crate) struct Host {
    pub(crate) up: bool,
    suspended: u32,
    suspended_at: Time,
    /// Microseconds since it booted, less those of the world.
    offset: i64,
    /// How much too fast its clock is, in millionths.
    drift: i64,
}

impl Host {
    pub(crate) fn new(random: &mut fastrand::Rng) -> Self {
        Self { up: true, suspended: 0, suspended_at: 0, offset: 0, drift: 0 }.booted(random)
    }

    /// Its clock begins anew, somewhere.
    fn booted(mut self, random: &mut fastrand::Rng) -> Self {
        self.offset = random.i64(0..1_000_000) * 1000;
        self.drift = random.i64(-200..=200);
        self
    }

    fn clock(&self, at: Time) -> Instant {
        let at = i64::try_from(at).unwrap();
        let local = at + self.offset + at / 1_000_000 * self.drift;
        Instant::from_boot(Duration::from_micros(u64::try_from(local).unwrap()))
    }
}

impl World {
    pub(crate) fn host_of(&self, owner: Owner) -> usize {
        match owner {
            Owner::Master(master) => self.masters[master].host,
            Owner::Guard(guard) => self.guards[guard].host,
            Owner::Server(pid) => self.processes.get(&pid).map_or(0, |process| process.host),
        }
    }

    /// What the clock of that host says now.
    pub(crate) fn clock(&self, host: usize) -> Instant {
        self.hosts[host].clock(self.now)
    }

    /// What the clock says that this process looks at.
    pub(crate) fn clock_of(&self, owner: Owner) -> Instant {
        self.clock(self.host_of(owner))
    }

    /// How long it is until that clock says so; at least a moment.
    pub(crate) fn until(&self, host: usize, at: Instant) -> Time {
        let left = at.saturating_since(self.clock(host));
        let left = u64::try_from(left.as_nanos().div_ceil(1000)).unwrap_or(Time::MAX / 4);
        // A clock that is fast or slow is wrong by less than that.
        (left.min(Time::MAX / 4) + left / 4000).max(1)
    }

    pub(crate) fn is_suspended(&self, host: usize) -> bool {
        self.hosts[host].suspended > 0
    }

    /// The whole machine sleeps.
    pub(crate) fn suspend_host(&mut self, host: usize) {
        let now = self.now;
        let there = &mut self.hosts[host];
        if there.suspended == 0 {
            there.suspended_at = now;
        }
        there.suspended += 1;
    }

    pub(crate) fn resume_host(&mut self, host: usize) {
        let there = &mut self.hosts[host];
        let Some(left) = there.suspended.checked_sub(1) else { return };
        there.suspended = left;
        if left > 0 {
            return;
        }
        if self.knobs.clock_stands {
            there.offset -= i64::try_from(self.now - there.suspended_at).unwrap();
        }
        self.note(|| format!("host {host} wakes"));
        self.wake_all(host);
    }

    /// Its power fails: nobody there says goodbye.
    pub(crate) fn fail_host(&mut self, host: usize, lasts: Time) {
        if !self.hosts[host].up {
            return;
        }
        self.note(|| format!("host {host} loses its power for {} ms", lasts / MS));
        self.stats().host_failures += 1;
        self.hosts[host].up = false;
        for pid in self.processes_on(host) {
            self.server_dies(pid, tangelo_core::Exit::Unknown);
        }
        for guard in 0..self.guards.len() {
            if self.guards[guard].host == host {
                self.kill_guard(guard);
            }
        }
        for master in 0..self.masters.len() {
            if self.masters[master].host == host {
                self.kill_master(master, lasts + SECOND);
            }
        }
        self.after(lasts, Event::HostBoots { host });
    }

    pub(crate) fn boot_host(&mut self, host: usize) {
        if self.hosts[host].up {
            return;
        }
        self.note(|| format!("host {host} boots"));
        self.hosts[host] = Host::new(&mut self.random);
        // Whoever waits for the end of a process there learns of it now.
        for pid in
            self.processes.values().filter(|p| p.host == host && !p.alive).map(|p| p.pid).collect::<Vec<_>>()
        {
            self.after(0, Event::TellExit { pid });
        }
    }

    pub(crate) fn processes_on(&self, host: usize) -> Vec<u32> {
        self.processes.values().filter(|p| p.alive && p.host == host).map(|p| p.pid).collect()
    }

    /// Whether one can reach the other there and back, as ssh must.
    pub(crate) fn hosts_meet(&self, a: usize, b: usize) -> bool {
        self.meet(Peer::Host(a), Peer::Host(b))
    }

    /// A moment that an answer may take over ssh.
    pub(crate) fn ssh_delay(&mut self) -> Time {
        let most = if self.once_in(10) { 2 * SECOND } else { 300 * MS };
        self.between(20 * MS, most)
    }
}

/// The host's number in a process's name.
pub(crate) fn host_name(host: usize) -> String {
    format!("h{host}")
}

pub(crate) fn host_number(process: &ProcessRef) -> usize {
    process.host[1..].parse().unwrap()
}
