//! Waiting that ends.

use core::time::Duration;
pub(super) use tangelo_core::patience::within;

/// `duration`, up to a half shorter, so that many who wait do not act at once.
pub(super) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(1.0 - fastrand::f64() / 2.0)
}
