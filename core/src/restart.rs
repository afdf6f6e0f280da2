//! How often, and how soon, a crashed server is started again.

use crate::Instant;
use alloc::collections::VecDeque;
use core::time::Duration;

/// Bounds for restarts: the first at once, then exponential backoff with jitter, and after too
/// many in a window no more until somebody asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// How many restarts a window allows. Default: 5.
    pub max_restarts: u32,
    /// The window. Default: 60 s.
    pub window: Duration,
    /// The delay before the second restart in a window; it doubles for each one after. Default: 100 ms.
    pub delay: Duration,
    /// The longest delay. Default: 10 s.
    pub max_delay: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max_restarts: 5,
            window: Duration::from_secs(60),
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
        }
    }
}

/// What follows a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start it again at this moment.
    RestartAt(Instant),
    /// It has crashed too often.
    GiveUp,
}

/// The crashes of one server that its policy remembers.
#[derive(Debug, Clone, Default)]
pub struct Crashes(VecDeque<Instant>);

impl Crashes {
    /// A crash at `now`; `jitter` in `0.0..1.0` spreads the delay over its upper half, so that
    /// servers which fell together do not rise together.
    pub fn record(&mut self, policy: &RestartPolicy, now: Instant, jitter: f64) -> Decision {
        while self.0.front().is_some_and(|&t| now.saturating_since(t) >= policy.window) {
            self.0.pop_front();
        }
        let earlier = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if earlier >= policy.max_restarts {
            return Decision::GiveUp;
        }
        self.0.push_back(now);
        let delay = match earlier {
            0 => Duration::ZERO,
            n => policy.delay.saturating_mul(2u32.saturating_pow(n - 1)).min(policy.max_delay),
        };
        Decision::RestartAt(now + delay.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
    }

    /// Forgets them all, as when somebody starts the server by hand.
    pub fn reset(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_boot(Duration::from_millis(ms))
    }

    #[test]
    fn the_first_restart_is_at_once_then_delays_double_then_it_gives_up() {
        let policy = RestartPolicy::default();
        let mut crashes = Crashes::default();
        let delays: [u64; 5] = [0, 100, 200, 400, 800];
        for delay in delays {
            assert_eq!(crashes.record(&policy, at(0), 1.0), Decision::RestartAt(at(delay)));
        }
        assert_eq!(crashes.record(&policy, at(0), 1.0), Decision::GiveUp);
        crashes.reset();
        assert_eq!(crashes.record(&policy, at(0), 1.0), Decision::RestartAt(at(0)));
    }

    #[test]
    fn a_window_that_has_passed_is_forgotten() {
        let policy = RestartPolicy { max_restarts: 1, ..RestartPolicy::default() };
        let mut crashes = Crashes::default();
        assert_eq!(crashes.record(&policy, at(0), 0.0), Decision::RestartAt(at(0)));
        assert_eq!(crashes.record(&policy, at(59_999), 0.0), Decision::GiveUp);
        assert_eq!(crashes.record(&policy, at(60_000), 0.0), Decision::RestartAt(at(60_000)));
    }

    #[test]
    fn jitter_keeps_the_delay_between_a_half_and_the_whole() {
        let policy = RestartPolicy { max_restarts: 100, ..RestartPolicy::default() };
        let mut crashes = Crashes::default();
        crashes.record(&policy, at(0), 0.0);
        assert_eq!(crashes.record(&policy, at(0), 0.0), Decision::RestartAt(at(50)));
        for _ in 0..40 {
            crashes.record(&policy, at(0), 0.0);
        }
        assert_eq!(crashes.record(&policy, at(0), 1.0), Decision::RestartAt(at(10_000)));
    }
}
