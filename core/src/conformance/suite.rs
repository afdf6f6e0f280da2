//! All tests of a runtime and its supervisor, for a crate's `tests/` directory.

/// Makes a `#[test]` of each suite that a runtime crate passes: its runtime with many threads and
/// with one, and the supervisor that it exports.
///
/// `$runtime` has `new()` and `with_threads(usize)`, both returning `io::Result<Self>`;
/// `$supervisor` takes `Arc<$runtime>` and `Arc<dyn Affinity>`; `$affinity` makes the affinity of
/// this host. The calling crate needs `tempfile` among its dev-dependencies.
#[macro_export]
macro_rules! runtime_conformance {
    ($runtime:ty, $supervisor:path, $affinity:expr) => {
        use std::sync::Arc;
        use $crate::conformance::{runtime, supervisor};
        use $crate::runtime::Runtime as _;

        fn new_runtime() -> Arc<$runtime> {
            Arc::new(<$runtime>::new().unwrap())
        }

        fn bench(runtime: &Arc<$runtime>, dir: &tempfile::TempDir) -> supervisor::Bench {
            let supervisor = Arc::new($supervisor(runtime.clone(), Arc::new($affinity)));
            supervisor::Bench { runtime: runtime.clone(), supervisor, dir: dir.path().into() }
        }

        #[test]
        fn runtime_conforms() {
            let runtime = new_runtime();
            runtime.block_on(Box::pin(runtime::test_all(runtime.clone())));
        }

        #[test]
        fn a_runtime_with_one_thread_conforms() {
            let runtime = Arc::new(<$runtime>::with_threads(1).unwrap());
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
            if supervisor::wait_with_threads() {
                return; // This is the child of the test itself.
            }
            let (runtime, dir) = (new_runtime(), tempfile::tempdir().unwrap());
            let bench = bench(&runtime, &dir);
            let program = std::env::current_exe().unwrap();
            let args = ["--exact", "every_thread_has_the_mask", "--nocapture"];
            runtime.block_on(Box::pin(supervisor::every_thread_has_the_mask(
                &bench,
                program.to_str().unwrap(),
                &args,
            )));
        }
    };
}
