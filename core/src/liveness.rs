//! Heartbeats: is the peer at the other end of a link alive?

use crate::Instant;
use core::time::Duration;

/// How often to send a sign of life, and how many may be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// The time between two signs of life. Default: 2 s.
    pub interval: Duration,
    /// After this many intervals without a frame the peer counts as dead. Default: 3.
    pub missed: u32,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), missed: 3 }
    }
}

impl Heartbeat {
    /// The silence after which a peer counts as dead.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.interval.saturating_mul(self.missed)
    }
}

/// What a link should do now about its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing before this moment.
    Wait(Instant),
    /// Send a sign of life.
    Beat,
    /// The peer has been silent for too long.
    Dead,
}

/// The liveness of one link. The side that accepted it beats by the clock, the other side answers
/// each beat, so that an idle link costs each side one wake-up an interval.
#[derive(Debug, Clone)]
pub struct Liveness {
    heartbeat: Heartbeat,
    beats: bool,
    heard: Instant,
    next_beat: Instant,
    /// When the next poll was asked for: one that comes much later shows that we slept.
    due: Instant,
}

impl Liveness {
    /// A link that has just been established; `beats` on the side that beats by the clock.
    #[must_use]
    pub fn new(heartbeat: Heartbeat, beats: bool, now: Instant) -> Self {
        Self { heartbeat, beats, heard: now, next_beat: now + heartbeat.interval, due: now }
    }

    /// A frame has come from the peer, whatever it says.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// What to do at `now`. After [`Verdict::Beat`] the beat counts as sent.
    ///
    /// If this process itself slept (it was stopped, or starved), its sleep is not held against
    /// the peer, whose frames may wait unread.
    pub fn poll(&mut self, now: Instant) -> Verdict {
        let overslept = now.saturating_since(self.due);
        if overslept > self.heartbeat.interval {
            self.heard = now.min(self.heard + overslept);
        }
        let verdict = self.judge(now);
        self.due = if let Verdict::Wait(until) = verdict { until } else { now };
        verdict
    }

    fn judge(&mut self, now: Instant) -> Verdict {
        let dead_at = self.heard + self.heartbeat.patience();
        if now >= dead_at {
            return Verdict::Dead;
        }
        if !self.beats {
            return Verdict::Wait(dead_at);
        }
        if now >= self.next_beat {
            self.next_beat = now + self.heartbeat.interval;
            return Verdict::Beat;
        }
        Verdict::Wait(dead_at.min(self.next_beat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_boot(Duration::from_millis(ms))
    }

    #[test]
    fn the_accepting_side_beats_and_a_silent_peer_is_dead_after_three_intervals() {
        let mut link = Liveness::new(Heartbeat::default(), true, at(0));
        assert_eq!(link.poll(at(0)), Verdict::Wait(at(2000)));
        assert_eq!(link.poll(at(2000)), Verdict::Beat);
        assert_eq!(link.poll(at(2000)), Verdict::Wait(at(4000)));
        link.heard(at(2001));
        assert_eq!(link.poll(at(4000)), Verdict::Beat);
        assert_eq!(link.poll(at(6000)), Verdict::Beat);
        assert_eq!(link.poll(at(8000)), Verdict::Beat);
        assert_eq!(link.poll(at(8001)), Verdict::Dead);
    }

    #[test]
    fn the_connecting_side_only_listens() {
        let mut link = Liveness::new(Heartbeat::default(), false, at(0));
        assert_eq!(link.poll(at(0)), Verdict::Wait(at(6000)));
        assert_eq!(link.poll(at(5999)), Verdict::Wait(at(6000)));
        link.heard(at(5999));
        assert_eq!(link.poll(at(6000)), Verdict::Wait(at(11_999)));
        assert_eq!(link.poll(at(11_999)), Verdict::Dead);
    }

    #[test]
    fn a_master_frozen_for_12_s_does_not_hold_its_own_sleep_against_the_servers() {
        let mut link = Liveness::new(Heartbeat::default(), true, at(0));
        assert_eq!(link.poll(at(0)), Verdict::Wait(at(2000)));
        assert_eq!(link.poll(at(14_000)), Verdict::Beat);
        assert_eq!(link.poll(at(14_000)), Verdict::Wait(at(16_000)));
        assert_eq!(link.poll(at(16_000)), Verdict::Beat);
        assert_eq!(link.poll(at(18_000)), Verdict::Dead, "and then silence counts again");
    }
}
