//! A process of another host is supervised as one of this host.

use super::super::host::Host;
use super::{Reign, agent_command, reach, supervisor};
use crate::parts;
use alloc::boxed::Box;
use alloc::sync::Arc;
use tangelo_core::conformance::supervisor::{Bench, a_process_outlives_its_supervisor, test_all};
use tangelo_core::runtime::Runtime;

/// The suite's processes are on 127.0.0.1: here that is another host.
fn bench(runtime: &Arc<dyn Runtime>, dir: &tempfile::TempDir) -> Bench {
    let at = dir.path().to_owned();
    let supervisor = supervisor(runtime, &Reign::new(), Box::new(|| unreachable!("nobody asks for it")));
    let host = Host::by_command(runtime, &reach(), "127.0.0.1", Box::new(move || agent_command(&at, "well")));
    supervisor.know("127.0.0.1", host);
    Bench { runtime: Arc::clone(runtime), supervisor, dir: dir.path().into() }
}

#[test]
fn a_supervisor_of_another_host_conforms() {
    let (runtime, dir) = (parts::runtime().unwrap(), tempfile::tempdir().unwrap());
    let on = Arc::clone(&runtime);
    runtime.block_on(Box::pin(async move {
        let bench = bench(&on, &dir);
        test_all(Arc::clone(&on), bench.supervisor, dir.path()).await;
    }));
}

#[test]
fn a_process_of_another_host_outlives_its_supervisor() {
    let (runtime, dir) = (parts::runtime().unwrap(), tempfile::tempdir().unwrap());
    let on = Arc::clone(&runtime);
    runtime.block_on(Box::pin(async move {
        let successor = bench(&on, &dir).supervisor;
        a_process_outlives_its_supervisor(bench(&on, &dir), successor).await;
    }));
}
