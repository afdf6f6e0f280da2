//! Waiting that ends.

use core::future::Future;
use core::time::Duration;
use futures_lite::future::or;
use tangelo_core::runtime::Runtime;

/// What `future` gives, unless that takes longer than `limit`.
pub(super) async fn within<T>(
    runtime: &dyn Runtime,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let late = async {
        runtime.sleep(limit).await;
        None
    };
    or(async { Some(future.await) }, late).await
}

/// `duration`, up to a half shorter, so that many who wait do not act at once.
pub(super) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(1.0 - fastrand::f64() / 2.0)
}
