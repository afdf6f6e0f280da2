//! Guards: each master keeps a small process with a session of its own. As soon as the master is
//! dead the guard removes its lock node, and nothing else.

use crate::masters::MasterNews;
use crate::world::{Event, MS, Owner, SECOND, Time, World};
use crate::zk::{Answer, Client, ClientNews, Sid, Write, Written};

/// How long a guard tries.
const PERSISTENCE: Time = 30 * SECOND;

pub(crate) struct Guard {
    pub(crate) host: usize,
    master: usize,
    life: u32,
    alive: bool,
    pub(crate) client: Client,
    /// The lock node to remove, and whose it must be.
    hold: Option<(u64, Sid)>,
    /// Its master is dead.
    armed: bool,
}

pub(crate) enum GuardNews {
    Timer { generation: u64 },
    Hold { lock: u64, owner: Sid },
    MasterDied,
    GiveUp,
}

impl World {
    pub(crate) fn start_guard(&mut self, master: usize) {
        let there = &self.masters[master];
        let (host, life) = (there.host, there.life);
        let guard = Guard {
            host,
            master,
            life,
            alive: true,
            client: Client::new(0, self.zk.timeout),
            hold: None,
            armed: false,
        };
        self.guards.push(guard);
        let guard = self.guards.len() - 1;
        self.masters[master].guard = Some(guard);
        self.client_waits(Owner::Guard(guard), 10 * MS);
        self.guard_holds(master);
    }

    /// A master tells its guard which node is its own.
    pub(crate) fn guard_holds(&mut self, master: usize) {
        let there = &self.masters[master];
        if let (Some(guard), Some(lock), Some(owner)) = (there.guard, there.standing.lock, there.client.sid) {
            let delay = self.between(100, 5 * MS);
            self.after(delay, Event::Guard { guard, news: GuardNews::Hold { lock, owner } });
        }
    }

    pub(crate) fn guard_hears(&mut self, guard: usize, news: GuardNews) {
        if !self.guards[guard].alive {
            return;
        }
        match news {
            GuardNews::Timer { generation } => {
                self.client_beats(Owner::Guard(guard), generation);
                self.guard_acts(guard);
            }
            GuardNews::Hold { lock, owner } => self.guards[guard].hold = Some((lock, owner)),
            GuardNews::MasterDied => {
                self.guards[guard].armed = true;
                self.after(PERSISTENCE, Event::Guard { guard, news: GuardNews::GiveUp });
                self.guard_acts(guard);
            }
            GuardNews::GiveUp => self.guard_exits(guard),
        }
    }

    pub(crate) fn guard_client_hears(&mut self, guard: usize, news: ClientNews) {
        match news {
            ClientNews::Attached { .. } => self.guard_acts(guard),
            ClientNews::Answer(Answer::Written { write: Write::Delete { lock, .. }, written, .. }) => {
                if written == Written::Done {
                    self.note(|| format!("a guard has removed lock {lock}"));
                    self.stats().guards_acted += 1;
                }
                self.guard_exits(guard);
            }
            _ => {}
        }
    }

    fn guard_acts(&mut self, guard: usize) {
        let there = &self.guards[guard];
        if let (true, Some((lock, owner))) = (there.armed && there.alive, there.hold) {
            self.client_writes(Owner::Guard(guard), Write::Delete { lock, owner });
        }
    }

    fn guard_exits(&mut self, guard: usize) {
        self.guards[guard].alive = false;
        self.client_dies(Owner::Guard(guard));
    }

    /// SIGKILL. Its master, if that lives, starts another.
    pub(crate) fn kill_guard(&mut self, guard: usize) {
        if !self.guards[guard].alive {
            return;
        }
        self.guard_exits(guard);
        self.forget(Owner::Guard(guard));
        let (master, life) = (self.guards[guard].master, self.guards[guard].life);
        if self.masters[master].lives(life) {
            let delay = self.between(50 * MS, SECOND);
            self.after(delay, Event::Master { master, life, news: MasterNews::GuardDied });
        }
    }

    /// The pipe to its master breaks while that lives.
    pub(crate) fn break_guard(&mut self, guard: usize) {
        if self.knobs.guard_trusts_pipe {
            self.after(MS, Event::Guard { guard, news: GuardNews::MasterDied });
        } else {
            self.kill_guard(guard);
        }
    }

    /// Its master is dead, and it is the first to know.
    pub(crate) fn alarm_guard(&mut self, master: usize) {
        if let Some(guard) = self.masters[master].guard.take() {
            let delay = self.between(MS, 30 * MS);
            self.after(delay, Event::Guard { guard, news: GuardNews::MasterDied });
        }
    }
}
