//! Deadlines for futures, on whatever runtime.

use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::Instant;
use tangelo_core::runtime::Runtime;

/// The time was over first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// Drops `future` if it has not ended within `limit`.
pub(crate) async fn timeout<T>(
    runtime: &Arc<dyn Runtime>,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let elapsed = async {
        runtime.sleep(limit).await;
        Err(Elapsed)
    };
    future::or(async { Ok(future.await) }, elapsed).await
}

/// Ends at `deadline`; never without one.
pub(crate) async fn until(runtime: &Arc<dyn Runtime>, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => runtime.sleep(deadline.saturating_since(Instant::now())).await,
        None => future::pending().await,
    }
}
