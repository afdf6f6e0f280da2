//! The suite that every supervisor passes, on both runtimes.

use custom_supervisor::ThroughCommand;
use std::sync::Arc;
use tangelo::core::runtime::Runtime;
use tangelo::core::{ErrorKind, Supervisor};
use tangelo_affinity::LinuxAffinity;
use tangelo_core::conformance::supervisor::{Bench, a_process_outlives_its_supervisor, test_all};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

fn supervisor(runtime: &Arc<dyn Runtime>) -> Arc<dyn Supervisor> {
    let affinity = Arc::new(LinuxAffinity::new());
    Arc::new(
        ThroughCommand::on(runtime.clone(), affinity, &["prlimit", "--core=0", "--data=1073741824"]).unwrap(),
    )
}

fn conforms(runtime: Arc<dyn Runtime>) {
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(Box::pin(test_all(runtime.clone(), supervisor(&runtime), dir.path())));
    let (one, successor) = (supervisor(&runtime), supervisor(&runtime));
    let bench = Bench { runtime: runtime.clone(), supervisor: one, dir: dir.path().into() };
    runtime.block_on(Box::pin(a_process_outlives_its_supervisor(bench, successor)));
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
fn a_command_that_is_not_installed_is_an_error() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let error =
        ThroughCommand::on(runtime, Arc::new(LinuxAffinity::new()), &["no-such-command"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no no-such-command in PATH"), "{error}");
}
