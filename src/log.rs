//! A process's own log, which it keeps from growing without end.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::local::rotate_own_output;
use tangelo_core::process::LogSpec;
use tangelo_core::runtime::Runtime;
use tracing::warn;

/// How often one looks whether the log has grown too large.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Rotates this process's output whenever it has grown too large, as long as the process lives.
pub(crate) fn keep_rotated(runtime: &Arc<dyn Runtime>, log: LogSpec) {
    let timer = Arc::clone(runtime);
    runtime.spawn(Box::pin(async move {
        loop {
            timer.sleep(LOOK_EVERY).await;
            if let Err(error) = rotate_own_output(&log) {
                warn!(%error, "cannot rotate {}", log.path);
            }
        }
    }));
}
