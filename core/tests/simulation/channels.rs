//! A store of global channels: users of frontends join there, and the leader purges those of frontends
//! that are over. As every store it refuses what it has once purged, and a life's first change ends
//! those before it.

use crate::masters::MasterNews;
use crate::servers::ServerNews;
use crate::tasks::Task;
use crate::world::{Event, MS, SECOND, World};
use alloc::collections::BTreeMap;
use tangelo_core::channel::Frontend;
use tangelo_core::config::Incarnation;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::Input;

/// The store.
#[derive(Default)]
pub(crate) struct Channels {
    /// How many users are in channels, by the life of the frontend.
    members: BTreeMap<Frontend, u64>,
    /// The first life of each frontend that may change something.
    first: BTreeMap<String, Incarnation>,
    /// How many reasons there are for the store to be out of reach.
    pub(crate) away: u32,
}

impl Channels {
    fn first(&self, sid: &str) -> Incarnation {
        self.first.get(sid).copied().unwrap_or_default()
    }

    /// Ends all lives before this one, and returns whose members are gone.
    fn begin(&mut self, sid: &str, first: Incarnation) -> Vec<(Frontend, u64)> {
        let begun = self.first.entry(sid.into()).or_default();
        *begun = first.max(*begun);
        let ended = |at: &Frontend| at.sid == sid && at.incarnation < first;
        self.members.extract_if(.., |at, _| ended(at)).collect()
    }
}

impl World {
    /// A user of this frontend joins: that gets to the store some time later, whoever lives by then.
    pub(crate) fn join(&mut self, pid: u32) {
        let Some(process) = self.processes.get(&pid).filter(|process| process.working) else { return };
        let frontend = Frontend { sid: process.id.clone(), incarnation: process.incarnation };
        let delay = if self.once_in(8) { self.between(MS, 6 * SECOND) } else { self.between(MS, 20 * MS) };
        self.after(delay, Event::Joins { frontend });
        let next = self.between(300 * MS, 4 * SECOND);
        self.tell_server(pid, next, ServerNews::Joins);
    }

    pub(crate) fn joins(&mut self, frontend: Frontend) {
        if self.channels.away > 0 {
            return;
        }
        if frontend.incarnation < self.channels.first(&frontend.sid) {
            self.stats().late_joins += 1;
            return;
        }
        self.stats().joins += 1;
        self.channels.begin(&frontend.sid, frontend.incarnation);
        *self.channels.members.entry(frontend).or_default() += 1;
    }

    /// The leader's task tries to purge; until that is answered it tries again.
    pub(crate) fn purge(&mut self, master: usize, epoch: Epoch, frontend: Frontend) {
        let life = self.masters[master].life;
        let answered = self.channels.away == 0 && {
            self.purge_now(&frontend);
            !self.once_in(10)
        };
        if answered {
            let delay = self.between(100, 20 * MS);
            return self.tell_master(master, life, delay, epoch, Input::Purged(frontend));
        }
        let delay = self.between(100 * MS, 2 * SECOND);
        let task = Box::new(Task::Purge { frontend });
        self.after(delay, Event::Master { master, life, news: MasterNews::Carry { epoch, task } });
    }

    fn purge_now(&mut self, frontend: &Frontend) {
        let Frontend { sid, incarnation } = frontend;
        self.note(|| format!("{sid} is purged up to {incarnation}"));
        let works =
            self.processes.values().find(|p| p.working && p.id == *sid && p.incarnation <= *incarnation);
        if let Some(pid) = works.map(|process| process.pid) {
            self.checker.broken(format!("{sid} is purged up to {incarnation}, and pid {pid} works"));
        }
        let mut gone = self.channels.begin(sid, incarnation.next());
        if self.knobs.purges_all_lives {
            gone.extend(self.channels.members.extract_if(.., |at, _| at.sid == *sid));
        }
        self.stats().purges += 1;
        for (at, count) in gone {
            self.stats().purged_members += count;
            if self.works(&at) {
                self.checker.broken(format!("members of a life that is not over are purged: {at:?}"));
            }
        }
    }

    fn works(&self, at: &Frontend) -> bool {
        self.processes.values().any(|p| p.working && p.id == at.sid && p.incarnation == at.incarnation)
    }

    /// Whoever begins to work has not been declared over.
    pub(crate) fn check_not_over(&mut self, sid: &str, incarnation: Incarnation) {
        if incarnation < self.channels.first(sid) {
            self.checker.broken(format!("{sid} {incarnation} begins to work and was purged already"));
        }
    }

    /// Whether the stored state says that this life's members are still to be purged.
    pub(crate) fn is_on_record(&self, at: &Frontend) -> bool {
        let Some((_, state)) = &self.zk.tree().state else { return false };
        let record = state.servers.iter().find(|record| record.def.id == at.sid);
        let purged = record.map(|record| record.purged);
        let purged = purged.or_else(|| state.past.get(&at.sid).map(|past| past.purged));
        purged.is_some_and(|purged| purged < at.incarnation)
    }

    /// The members of lives that are over, of those lives that count.
    pub(crate) fn ghosts(&self, counts: impl Fn(&Frontend) -> bool) -> Vec<String> {
        let dead = self.channels.members.iter().filter(|(at, _)| !self.works(at) && counts(at));
        dead.map(|(at, count)| format!("{count} members are left of {} {}", at.sid, at.incarnation)).collect()
    }
}
