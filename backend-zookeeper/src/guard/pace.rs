//! The times that a master keeps with its guard.

use core::time::Duration;

#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How often a guard is asked whether it lives.
    pub(super) ask: Duration,
    /// How long it may take to answer, its start included.
    pub(super) answer: Duration,
    /// How much longer it gets if the master itself may have been frozen meanwhile.
    pub(super) again: Duration,
    /// The pauses before another guard is started: none before the first, then from the one to the other.
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    /// A guard that lived this long ends a series of failures.
    pub(super) steady: Duration,
    /// How long a guard that is let go may take to leave before it is killed.
    pub(super) farewell: Duration,
    /// How long a guard that still holds something when the line to it is cut awaits its master's death.
    pub(super) linger: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            ask: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            again: Duration::from_secs(1),
            shortest: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            steady: Duration::from_secs(5),
            farewell: Duration::from_secs(2),
            linger: Duration::from_secs(30),
        }
    }
}
