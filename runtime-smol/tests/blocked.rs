//! A main future that keeps its thread busy.
#![allow(clippy::std_instead_of_alloc, reason = "a test")]

use core::time::Duration;
use std::sync::{Arc, mpsc};
use tangelo_core::runtime::Runtime;
use tangelo_runtime_smol::SmolRuntime;

#[test]
fn a_main_future_that_blocks_holds_no_task_up() {
    let runtime = Arc::new(SmolRuntime::with_threads(1).expect("a thread"));
    let own = Arc::clone(&runtime);
    runtime.block_on(Box::pin(async move {
        for round in 0..200 {
            // All threads have nothing to do, and the main one is woken for its own future.
            own.sleep(Duration::from_millis(1)).await;
            let (done, waiting) = mpsc::channel();
            own.spawn(Box::pin(async move { done.send(()).expect("somebody waits") }));
            let ran = waiting.recv_timeout(Duration::from_secs(10));
            assert!(ran.is_ok(), "the task of round {round} was not run");
        }
    }));
}
