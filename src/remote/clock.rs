//! Until when an order may be obeyed, in the clock of the host that obeys.
//!
//! The two clocks have nothing to do with each other, but every message from an agent says what its
//! clock showed when it was sent. Since a message never comes before it was sent, the agent's clock
//! shows, at any later moment `d` of ours, at least `shown + (d - received)`. An order that must not
//! be obeyed after `d` carries exactly that: it is refused early rather than obeyed late, by the time
//! the message took. Nothing that happens to the order on its way can change it.

use super::wire::AgentTime;
use tangelo_core::Instant;

/// An agent's clock and ours at the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    shown: AgentTime,
    received: Instant,
}

impl Sample {
    /// The message that said `shown` is here now, at `received`.
    pub(super) const fn new(shown: AgentTime, received: Instant) -> Self {
        Self { shown, received }
    }

    /// When it was taken.
    pub(super) const fn received(self) -> Instant {
        self.received
    }

    /// What the agent's clock shows at `deadline` at the earliest; `None` if that had passed when the
    /// message came.
    pub(super) fn at(self, deadline: Instant) -> Option<AgentTime> {
        let left = deadline.since_boot().checked_sub(self.received.since_boot())?;
        let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
        Some(AgentTime(self.shown.0.saturating_add(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn here(ms: u64) -> Instant {
        Instant::from_boot(Duration::from_millis(ms))
    }

    fn there(ms: u64) -> AgentTime {
        AgentTime(ms * 1_000_000)
    }

    #[test]
    fn an_order_ends_with_the_leadership_and_earlier_by_what_a_message_took() {
        // The agent's clock is 1,000,000 ms ahead, and its message took 30 ms.
        let sample = Sample::new(there(1_005_000), here(5030));
        let truth = there(1_009_000);
        let limit = sample.at(here(9000)).unwrap();
        assert_eq!(limit, there(1_008_970));
        assert!(limit <= truth);
        // A message that was held up for 3 s makes it stricter, never laxer.
        assert!(Sample::new(there(1_005_000), here(8000)).at(here(9000)).unwrap() < limit);
    }

    #[test]
    fn past_the_deadline_no_order_is_given() {
        let sample = Sample::new(there(1000), here(5000));
        assert_eq!(sample.at(here(5000)), Some(there(1000)));
        assert_eq!(sample.at(here(4999)), None);
    }

    #[test]
    fn a_deadline_far_away_does_not_overflow() {
        let never = Instant::from_boot(Duration::MAX);
        assert_eq!(Sample::new(AgentTime(7), here(0)).at(never), Some(AgentTime(u64::MAX)));
    }
}
