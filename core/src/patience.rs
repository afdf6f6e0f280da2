//! How long to wait, for an outcome and between attempts: for whoever talks with something that may be away.

use crate::Instant;
use crate::runtime::Runtime;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

/// The outcome of `future`, or `None` if it does not end within `limit`; it is dropped then.
///
/// # Cancel safety
/// As safe as `future`.
pub async fn within<T>(runtime: &dyn Runtime, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), runtime.sleep(limit));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// The time that is left until `deadline`.
#[must_use]
pub fn left(deadline: Instant) -> Duration {
    deadline.saturating_since(Instant::now())
}

/// Pauses between attempts, longer and longer, each anywhere between half and all of its length: so not all
/// processes of a cluster come at the same moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    next: Duration,
    last: Duration,
}

impl Backoff {
    /// Pauses from `first` on, doubled up to `last`.
    #[must_use]
    pub const fn new(first: Duration, last: Duration) -> Self {
        Self { first, next: first, last }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(fastrand::f64() / 2.0 + 0.5);
        self.next = (self.next * 2).min(self.last);
        pause
    }

    /// Things work again: the next pause is the first.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// For stores: from 20 ms to 1 s.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(20), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let (first, last) = (Duration::from_millis(20), Duration::from_secs(1));
        let mut backoff = Backoff::default();
        let pause = backoff.pause();
        assert!((first / 2..=first).contains(&pause), "{pause:?}");
        let pause = (0..100).map(|_| backoff.pause()).last().expect("a pause");
        assert!((last / 2..=last).contains(&pause), "{pause:?}");
        backoff.reset();
        assert!(backoff.pause() <= first);
    }
}
