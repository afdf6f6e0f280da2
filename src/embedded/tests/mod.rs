//! The embedded coordinator with real locks, files, processes and signals.

mod child;
mod conformance;
mod faults;
mod masters;
mod observers;

use super::EmbeddedCoordinator;
use super::dir::LEASE;
use super::lease::{Lease, Reading, read};
use alloc::sync::Arc;
use core::time::Duration;
use std::path::{Path, PathBuf};
use tangelo_core::Instant;
use tangelo_core::coordinator::Candidate;
use tangelo_core::runtime::Runtime;

/// What hangs has hung after this long.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(feature = "runtime-tokio")]
fn runtime() -> Arc<dyn Runtime> {
    Arc::new(tangelo_runtime_tokio::TokioRuntime::with_threads(2).unwrap())
}

#[cfg(all(feature = "runtime-smol", not(feature = "runtime-tokio")))]
fn runtime() -> Arc<dyn Runtime> {
    Arc::new(tangelo_runtime_smol::SmolRuntime::with_threads(2).unwrap())
}

/// Runs a test inside the runtime, in a directory of its own.
fn run<F: Future<Output = ()> + Send>(test: impl FnOnce(Fixture) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let run_dir = dir.path().join("run");
    runtime.block_on(Box::pin(test(Fixture { runtime: Arc::clone(&runtime), run_dir })));
}

#[derive(Clone)]
struct Fixture {
    runtime: Arc<dyn Runtime>,
    run_dir: PathBuf,
}

impl Fixture {
    /// One more coordinator, as another master has it.
    fn coordinator(&self, lease_ms: u64) -> EmbeddedCoordinator {
        let lease = Duration::from_millis(lease_ms);
        EmbeddedCoordinator::new(Arc::clone(&self.runtime), self.run_dir.clone(), lease).unwrap()
    }

    async fn within<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let value = self.at_most(PATIENCE, future).await;
        value.unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
    }

    async fn at_most<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let timer = async {
            self.runtime.sleep(limit).await;
            None
        };
        futures_lite::future::or(async { Some(future.await) }, timer).await
    }

    async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(Instant::now().saturating_since(start) < PATIENCE, "waited {PATIENCE:?} until {what}");
            self.runtime.sleep(Duration::from_millis(1)).await;
        }
    }
}

fn candidate(id: &str) -> Candidate {
    Candidate { id: id.into(), host: "127.0.0.1".into(), port: 3005, priority: 0 }
}

fn lease_in(run_dir: &Path) -> Lease {
    match read(&run_dir.join(LEASE)).unwrap() {
        Reading::Known(lease) => lease,
        other => panic!("no lease: {other:?}"),
    }
}
