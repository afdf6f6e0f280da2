//! Everything ends in time.

use core::time::Duration;
use futures_lite::future;
use tangelo_core::Instant;
use tangelo_core::runtime::Runtime;

/// The outcome of `future`, or `None` if it does not end within `limit`.
pub(crate) async fn within<T>(
    runtime: &dyn Runtime,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let timer = runtime.sleep(limit);
    future::or(async { Some(future.await) }, async {
        timer.await;
        None
    })
    .await
}

/// The time that is left until `deadline`.
pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_since(Instant::now())
}
