//! The suite that every coordinator passes, with a real file, on both runtimes.

use custom_coordinator::FileRegister;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tangelo::core::coordinator::{Candidate, Coordinator, LeadershipState, Register, RegisterCoordinator};
use tangelo::core::runtime::Runtime;
use tangelo::core::{BoxFuture, ErrorKind};
use tangelo_core::conformance::coordinator::Suite;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

fn at(runtime: &Arc<dyn Runtime>, dir: &Path, lease: Duration) -> RegisterCoordinator {
    RegisterCoordinator::new(runtime.clone(), FileRegister::new(runtime.clone(), dir.into()), lease)
}

fn conforms(runtime: Arc<dyn Runtime>) {
    let dir = tempfile::tempdir().unwrap();
    let connect = || -> BoxFuture<'static, Arc<dyn Coordinator>> {
        let coordinator = at(&runtime, dir.path(), Duration::from_secs(4));
        Box::pin(async move { Arc::new(coordinator) as _ })
    };
    let suite = Suite::new(runtime.clone(), &connect).settle(Duration::from_millis(500));
    runtime.block_on(Box::pin(suite.test_all()));
}

#[test]
fn conforms_on_tokio() {
    conforms(Arc::new(TokioRuntime::new().unwrap()));
}

#[test]
fn conforms_on_smol() {
    conforms(Arc::new(SmolRuntime::new().unwrap()));
}

fn candidate() -> Candidate {
    Candidate { id: "m".into(), host: "127.0.0.1".into(), port: 3005, priority: 0 }
}

#[test]
fn a_damaged_file_is_an_error_that_says_what_to_do() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("table"), "nonsense").unwrap();
    let coordinator = at(&runtime, dir.path(), Duration::from_secs(4));
    runtime.block_on(Box::pin(async {
        let campaign = coordinator.campaign(candidate()).await.unwrap_err();
        for error in [campaign, coordinator.candidates().await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("empty it while no master runs"), "{error}");
        }
    }));
}

/// Whoever was frozen with the lock keeps the others waiting. They say so, their reigns end by their own clocks, and
/// what they gave up is not done behind their backs.
#[test]
fn a_lock_that_is_never_let_go_ends_the_reign() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let coordinator = at(&runtime, dir.path(), Duration::from_millis(400));
    let register = FileRegister::new(runtime.clone(), dir.path().into());
    runtime.block_on(Box::pin(async {
        let leader = coordinator.campaign(candidate()).await.unwrap();
        let lock = fs::File::options().write(true).open(dir.path().join("lock")).unwrap();
        // Whoever has it lets it go soon.
        lock.lock().unwrap();
        assert_eq!(leader.store(b"state").await.unwrap_err().kind(), ErrorKind::Timeout);
        while leader.changed(LeadershipState::Leading).await != LeadershipState::Lost {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        let before = register.read().await.unwrap();
        lock.unlock().unwrap();
        assert_eq!(leader.store(b"state").await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(register.read().await.unwrap(), before, "a swap that was given up has happened");
    }));
}
