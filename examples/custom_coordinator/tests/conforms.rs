//! The suite that every coordinator passes, with a real table, on both runtimes.

use custom_coordinator::TableCoordinator;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tangelo::core::coordinator::{Candidate, Coordinator};
use tangelo::core::runtime::Runtime;
use tangelo::core::{BoxFuture, ErrorKind};
use tangelo_core::conformance::coordinator::Suite;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

// Every change waits for the disk, and the disk for whoever else is busy.
const LEASE: Duration = Duration::from_secs(4);

fn conforms(runtime: Arc<dyn Runtime>) {
    let dir = tempfile::tempdir().unwrap();
    let connect = || -> BoxFuture<'static, Arc<dyn Coordinator>> {
        let coordinator = TableCoordinator::at(runtime.clone(), dir.path().into(), LEASE);
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

#[test]
fn a_damaged_table_is_an_error_that_says_what_to_do() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("table.json"), "nonsense").unwrap();
    let coordinator = TableCoordinator::at(runtime.clone(), dir.path().into(), LEASE);
    runtime.block_on(Box::pin(async {
        let candidate = Candidate { id: "m".into(), host: "127.0.0.1".into(), port: 3005, priority: 0 };
        for error in
            [coordinator.campaign(candidate).await.unwrap_err(), coordinator.candidates().await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("table.json is damaged: remove it"), "{error}");
        }
    }));
}

/// Who held the lock when it was frozen keeps the others waiting, and they say so.
#[test]
fn a_lock_that_is_never_let_go_is_told() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let short = Duration::from_millis(200);
    let coordinator = TableCoordinator::at(runtime.clone(), dir.path().into(), short);
    runtime.block_on(Box::pin(async {
        let candidate = Candidate { id: "m".into(), host: "127.0.0.1".into(), port: 3005, priority: 0 };
        let leader = coordinator.campaign(candidate).await.unwrap();
        let lock = fs::File::options().write(true).open(dir.path().join("lock")).unwrap();
        // Whoever has it lets it go soon.
        lock.lock().unwrap();
        let error = leader.store(b"state").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("must have frozen"), "{error}");
        let over = leader.changed(tangelo::core::coordinator::LeadershipState::Suspended).await;
        assert_eq!(over, tangelo::core::coordinator::LeadershipState::Lost);
        lock.unlock().unwrap();
        assert_eq!(leader.store(b"state").await.unwrap_err().kind(), ErrorKind::Fenced);
    }));
}
