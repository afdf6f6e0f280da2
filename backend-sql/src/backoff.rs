//! How long to wait between attempts.

use core::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const LAST: Duration = Duration::from_secs(1);

/// Grows from 20 ms to 1 s, each time anywhere between half and all of it, so that not all processes of a
/// cluster call at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(fastrand::f64() / 2.0 + 0.5);
        self.next = (self.next * 2).min(LAST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_is_bounded() {
        let mut backoff = Backoff::new();
        let first = backoff.pause();
        assert!((FIRST / 2..=FIRST).contains(&first), "{first:?}");
        let last = (0..100).map(|_| backoff.pause()).last().expect("a pause");
        assert!((LAST / 2..=LAST).contains(&last), "{last:?}");
    }
}
