//! The public suite, on the runtime of this build, with many threads and with one; and whether it bites.

mod biting;
mod faulty;

use super::MemoryChannelManager;
use alloc::sync::Arc;
use tangelo_core::conformance::channel_manager::{Connect, Suite};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, ChannelManager};

#[cfg(feature = "runtime-tokio")]
fn runtime(threads: usize) -> Arc<dyn Runtime> {
    Arc::new(tangelo_runtime_tokio::TokioRuntime::with_threads(threads).unwrap())
}

#[cfg(all(feature = "runtime-smol", not(feature = "runtime-tokio")))]
fn runtime(threads: usize) -> Arc<dyn Runtime> {
    Arc::new(tangelo_runtime_smol::SmolRuntime::with_threads(threads).unwrap())
}

#[test]
fn conforms() {
    for threads in [1, 4] {
        let runtime = runtime(threads);
        let (own, other) = (MemoryChannelManager::new(), MemoryChannelManager::new());
        let connect = || -> BoxFuture<'static, Arc<dyn ChannelManager>> {
            let manager = own.clone();
            Box::pin(async move { Arc::new(manager) as _ })
        };
        let neighbour = || -> BoxFuture<'static, Arc<dyn ChannelManager>> {
            let manager = other.clone();
            Box::pin(async move { Arc::new(manager) as _ })
        };
        let (connect, neighbour): (&Connect<'_>, &Connect<'_>) = (&connect, &neighbour);
        let suite = Suite::new(Arc::clone(&runtime), connect).neighbour(neighbour).seeds(50);
        runtime.block_on(Box::pin(suite.test_all()));
    }
}
