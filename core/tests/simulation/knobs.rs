//! What can be switched off, to see that the checker notices.

use crate::zk::Write;
use core::time::Duration;
use tangelo_core::Instant;

/// Protections that are off.
#[derive(Clone, Copy, Default)]
pub(crate) struct Knobs {
    /// Leaders are told a deadline that never comes.
    pub(crate) no_deadline: bool,
    /// The deadline leaves no margin for followers that pass signs of life on late.
    pub(crate) no_margin: bool,
    /// A proof counts in full, whatever ZooKeeper's leader knows of the session.
    pub(crate) proof_alone: bool,
    /// Machines' clocks stand while the machines sleep.
    pub(crate) clock_stands: bool,
    /// A leader proves its session by `sync`, for which no quorum is asked.
    pub(crate) proof_by_sync: bool,
    /// Orders are carried out whenever their turn comes, without another look at the clock.
    pub(crate) late_orders: bool,
    /// The state is taken from whoever stores it.
    pub(crate) no_fencing: bool,
    /// The election is won without regard to what has changed meanwhile.
    pub(crate) blind_win: bool,
    /// The candidate that is first takes over from a leader that is well.
    pub(crate) preempts: bool,
    /// A leader that hands over leads until it hears that it has.
    pub(crate) leads_while_handing_over: bool,
    /// A guard acts when its pipe breaks, whether its master is dead or not.
    pub(crate) guard_trusts_pipe: bool,
    /// A process that a new leader should adopt is reported as gone.
    pub(crate) no_adoption: bool,
    /// Servers work as soon as they run, welcome or not.
    pub(crate) works_unwelcome: bool,
    /// Servers know of no epochs.
    pub(crate) no_epochs: bool,
    /// Not a protection: hardly anything goes wrong but what makes proofs wrong.
    pub(crate) only_proofs: bool,
    /// Not a protection: the checker does not look who leads.
    pub(crate) any_leader: bool,
    /// Stores are answered before anything is stored.
    pub(crate) hasty_store: bool,
    /// A purge counts as done as soon as it is ordered.
    pub(crate) hasty_purge: bool,
    /// A purge takes the members of all lives.
    pub(crate) purges_all_lives: bool,
    /// What was stopped on purpose is forgotten with the master.
    pub(crate) forgets_stops: bool,
}

impl Knobs {
    pub(crate) fn unfenced(&self, write: &Write) -> bool {
        match write {
            Write::Store { .. } => self.no_fencing,
            Write::Win { .. } => self.blind_win,
            _ => false,
        }
    }

    /// Whether a candidate that is known to be alive then could act for a while if it won now.
    pub(crate) fn is_worth_it(&self, alive: Instant, now: Instant, timeout: Duration) -> bool {
        now + timeout / 5 <= self.deadline(now, alive, timeout)
    }

    /// Until when a leader may act of which the ensemble had agreed to something sent at `proof`, and
    /// whose sign of life of `alive` ZooKeeper's leader knew of by then.
    pub(crate) fn deadline(&self, proof: Instant, alive: Instant, timeout: Duration) -> Instant {
        let lease = timeout * 3 / 5;
        if self.no_deadline {
            proof + Duration::from_secs(1 << 30)
        } else if self.no_margin {
            proof + timeout
        } else if self.proof_alone {
            proof + lease
        } else {
            // Two clocks may have come apart a little meanwhile.
            (proof + lease).min(alive + timeout * 19 / 20)
        }
    }
}
