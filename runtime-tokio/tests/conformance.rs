//! The conformance suites of the core, on tokio.
#![allow(missing_docs, reason = "tests")]

extern crate alloc;

use alloc::sync::Arc;
use tangelo_affinity::LinuxAffinity;
use tangelo_core::conformance::{runtime, supervisor};
use tangelo_core::runtime::Runtime;
use tangelo_runtime_tokio::{TokioRuntime, supervisor as new_supervisor};

fn new_runtime() -> Arc<TokioRuntime> {
    Arc::new(TokioRuntime::new().unwrap())
}

fn bench(runtime: &Arc<TokioRuntime>, dir: &tempfile::TempDir) -> supervisor::Bench {
    let supervisor = Arc::new(new_supervisor(runtime.clone(), Arc::new(LinuxAffinity::new())));
    supervisor::Bench { runtime: runtime.clone(), supervisor, dir: dir.path().into() }
}

#[test]
fn runtime_conforms() {
    let runtime = new_runtime();
    runtime.block_on(Box::pin(runtime::test_all(runtime.clone())));
}

#[test]
fn a_runtime_with_one_thread_conforms() {
    let runtime = Arc::new(TokioRuntime::with_threads(1).unwrap());
    runtime.block_on(Box::pin(runtime::test_all(runtime.clone())));
}

#[test]
fn supervisor_conforms() {
    let (runtime, dir) = (new_runtime(), tempfile::tempdir().unwrap());
    let bench = bench(&runtime, &dir);
    runtime.block_on(Box::pin(supervisor::test_all(runtime.clone(), bench.supervisor, dir.path())));
}

#[test]
fn a_process_outlives_its_supervisor() {
    let (runtime, dir) = (new_runtime(), tempfile::tempdir().unwrap());
    let (bench, successor) = (bench(&runtime, &dir), bench(&runtime, &dir).supervisor);
    runtime.block_on(Box::pin(supervisor::a_process_outlives_its_supervisor(bench, successor)));
}

#[test]
fn every_thread_has_the_mask() {
    let (runtime, dir) = (new_runtime(), tempfile::tempdir().unwrap());
    let bench = bench(&runtime, &dir);
    let program = std::env::current_exe().unwrap();
    let args = ["--exact", "child_with_threads", "--nocapture"];
    runtime.block_on(Box::pin(supervisor::every_thread_has_the_mask(
        &bench,
        program.to_str().unwrap(),
        &args,
    )));
}

/// The child of the test above; it does nothing where it is not.
#[test]
fn child_with_threads() {
    supervisor::wait_with_threads();
}
