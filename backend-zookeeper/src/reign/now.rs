//! What a reign may do now.

use crate::sync::Mutex;
use event_listener::{Event, EventListener};
use tangelo_core::Instant;
use tangelo_core::coordinator::LeadershipState;

/// State and deadline. Everybody looks through here, so a leader that was frozen is over before
/// any timer or message has told it so.
#[derive(Debug)]
pub(super) struct Now {
    inner: Mutex<(LeadershipState, Instant)>,
    changed: Event,
}

impl Now {
    pub(super) const fn new(deadline: Instant) -> Self {
        Self { inner: Mutex::new((LeadershipState::Leading, deadline)), changed: Event::new() }
    }

    pub(super) fn state(&self) -> LeadershipState {
        self.update(|state, _| state)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.inner.lock().1
    }

    /// Ends at the next change. To be taken before the look that it goes with.
    pub(super) fn change(&self) -> EventListener {
        self.changed.listen()
    }

    /// A proof lasts until `deadline`. Too late is too late, whatever was proved.
    pub(super) fn proved(&self, deadline: Instant, connected: bool) {
        self.update(|state, now| {
            *now = deadline.max(*now);
            if connected { LeadershipState::Leading } else { state }
        });
    }

    pub(super) fn suspend(&self) {
        self.update(|_, _| LeadershipState::Suspended);
    }

    /// Ends the reign; whether it lasted until now.
    pub(super) fn lose(&self) -> bool {
        let mut lasted = false;
        self.update(|_, _| {
            lasted = true;
            LeadershipState::Lost
        });
        lasted
    }

    /// Changes state and deadline, unless the reign is over, and gives the state.
    fn update(
        &self,
        change: impl FnOnce(LeadershipState, &mut Instant) -> LeadershipState,
    ) -> LeadershipState {
        let mut inner = self.inner.lock();
        let (before, deadline) = *inner;
        if before == LeadershipState::Lost {
            return before;
        }
        if Instant::now() >= deadline {
            inner.0 = LeadershipState::Lost;
        } else {
            inner.0 = change(before, &mut inner.1);
        }
        let after = inner.0;
        drop(inner);
        if after != before {
            self.changed.notify(usize::MAX);
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn past_the_deadline_it_is_lost_whatever_comes() {
        let now = Now::new(Instant::now());
        now.proved(Instant::now() + HOUR, true);
        assert_eq!(now.state(), LeadershipState::Lost);
        assert!(!now.lose());
        now.suspend();
        assert_eq!(now.state(), LeadershipState::Lost);
    }

    #[test]
    fn a_proof_ends_a_suspension_and_never_shortens_a_reign() {
        let late = Instant::now() + HOUR;
        let now = Now::new(late);
        now.suspend();
        assert_eq!(now.state(), LeadershipState::Suspended);
        now.proved(late.saturating_sub(HOUR / 2), false);
        assert_eq!((now.state(), now.deadline()), (LeadershipState::Suspended, late));
        now.proved(late + HOUR, true);
        assert_eq!((now.state(), now.deadline()), (LeadershipState::Leading, late + HOUR));
        assert!(now.lose());
        now.proved(late + HOUR * 2, true);
        assert_eq!((now.state(), now.deadline()), (LeadershipState::Lost, late + HOUR));
    }
}
