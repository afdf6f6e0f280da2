//! After the faults: all must be well within bounded time. One master leads, every server that shall
//! run runs exactly once and knows all the others, what was stopped on purpose is down, nothing that
//! was acknowledged is lost, no request is left without an answer.

use crate::checker::Want;
use crate::world::{Event, FAULTS, SECOND, World};
use tangelo_core::config::Incarnation;
use tangelo_core::wire::ServerState;

/// How often it is looked whether all is well again.
const LOOK: u64 = 3 * SECOND;

impl World {
    /// How long does it take?
    pub(crate) fn look(&mut self) {
        self.after(LOOK, Event::Look);
        if !self.unhealed().is_empty() {
            self.stats().longest_heal = self.since_begin() - FAULTS + LOOK;
        }
    }

    /// After the calm all must be well.
    pub(crate) fn check_healed(&mut self) {
        let faults = self.unhealed();
        if !faults.is_empty() {
            self.checker.broken(format!("it did not heal: {}", faults.join("; ")));
        }
    }

    /// What is not well.
    fn unhealed(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(ticket) = self.checker.open_ticket() {
            faults.push(format!("{ticket:?} is not answered"));
        }
        let alive: Vec<(String, Incarnation)> =
            self.processes.values().filter(|p| p.alive).map(|p| (p.id.clone(), p.incarnation)).collect();
        if self.checker.ends {
            let masters = self.masters.iter().filter(|master| master.alive).count();
            if masters > 0 || !alive.is_empty() {
                faults.push(format!("the cluster has ended, but {masters} masters and {alive:?} run"));
            }
            // A cluster that ended while their store was away leaves them to the next one.
            faults.extend(self.ghosts(|at| !self.is_on_record(at)));
            return faults;
        }
        let Some((_, lock)) = self.zk.tree().leader() else {
            faults.push("nobody leads".into());
            return faults;
        };
        let leader = lock.master;
        let Some(machine) = &self.masters[leader].machine else {
            faults.push("the leader does not know that it leads".into());
            return faults;
        };
        let listing = machine.listing(self.clock(self.masters[leader].host));
        let outstanding = listing.channels.map(|channels| channels.purges).unwrap_or_default();
        if !outstanding.is_empty() {
            faults.push(format!("still to be purged: {outstanding:?}"));
        }
        faults.extend(self.ghosts(|_| true));
        let mut up: Vec<(String, Incarnation)> = Vec::new();
        let rows = listing.servers;
        for (id, want) in &self.checker.wants {
            if *want != Want::Unsure && rows.iter().all(|row| row.id != *id) {
                faults.push(format!("{id} is lost, want {want:?}"));
            }
        }
        for row in rows {
            let of_it: Vec<_> = alive.iter().filter(|(id, _)| *id == row.id).collect();
            // One that a master of the past denied may be there all the same.
            let denied = !self.checker.wants.contains_key(&row.id);
            let want = self.checker.wants.get(&row.id).copied().unwrap_or(Want::Unsure);
            let runs = row.state == ServerState::Up && of_it.len() == 1;
            let down = matches!(row.state, ServerState::Stopped | ServerState::Failed) && of_it.is_empty();
            let must_run = !denied && want != Want::Stopped && self.checker.auto_restart[&row.id];
            if !(runs && want != Want::Stopped || down && !must_run) {
                let (id, state, detail) = (&row.id, row.state, &row.detail);
                faults.push(format!("{id} is {state} with {of_it:?}, want {want:?}: {detail}"));
            }
            if runs {
                up.push((row.id, row.incarnation));
            }
        }
        up.sort();
        for process in self.processes.values().filter(|process| process.alive) {
            let known = |agent: &tangelo_core::member::Machine| -> Vec<_> {
                agent.servers().values().map(|s| (s.def.id.clone(), s.incarnation)).collect()
            };
            let knows = process.agent.as_ref().map(known).unwrap_or_default();
            let welcome = process.agent.as_ref().is_some_and(|agent| agent.is_welcome());
            if !process.up || !welcome || knows != up {
                faults.push(format!("{} knows {knows:?} of {up:?}", process.id));
            }
        }
        faults
    }
}
