//! Running, and waiting with an end to it.

use alloc::sync::Arc;
use core::fmt::Debug;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::Instant;
use tangelo_core::runtime::Runtime;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

/// How long anything may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` inside tokio.
pub(crate) fn tokio<F: Future<Output = ()> + Send>(test: impl FnOnce(Arc<dyn Runtime>) -> F) {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    runtime.block_on(Box::pin(test(Arc::clone(&runtime))));
}

/// Runs `test` inside smol.
pub(crate) fn smol<F: Future<Output = ()> + Send>(test: impl FnOnce(Arc<dyn Runtime>) -> F) {
    let runtime: Arc<dyn Runtime> = Arc::new(SmolRuntime::new().unwrap());
    runtime.block_on(Box::pin(test(Arc::clone(&runtime))));
}

/// The outcome of `future`, which must not take for ever.
pub(crate) async fn within<T>(runtime: &Arc<dyn Runtime>, what: &str, future: impl Future<Output = T>) -> T {
    let late = async {
        runtime.sleep(PATIENCE).await;
        None
    };
    let outcome = future::or(async { Some(future.await) }, late).await;
    outcome.unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}

/// `future` must not end within `time`.
pub(crate) async fn for_a_while<T: Debug>(
    runtime: &Arc<dyn Runtime>,
    time: Duration,
    what: &str,
    future: impl Future<Output = T>,
) {
    let while_ = async {
        runtime.sleep(time).await;
        None
    };
    let outcome = future::or(async { Some(future.await) }, while_).await;
    assert!(outcome.is_none(), "{what}: {outcome:?}");
}

/// Looks again and again until `look` sees something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    runtime: &Arc<dyn Runtime>,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now().saturating_since(start) < PATIENCE, "waited {PATIENCE:?} for {what}");
        runtime.sleep(Duration::from_millis(2)).await;
    }
}

/// `work`, which blocks, away from the executor.
pub(crate) async fn blocking<T: Send + 'static>(
    runtime: &Arc<dyn Runtime>,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, doing) = async_channel::bounded(1);
    runtime.spawn_blocking(Box::new(move || {
        let _ = done.try_send(work());
    }));
    doing.recv().await.expect("it has panicked")
}
