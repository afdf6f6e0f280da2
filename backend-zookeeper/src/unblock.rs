//! Work that takes a while, off the executor.

use alloc::boxed::Box;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Result};

/// Runs `work` on a thread that may block. If this future is dropped, `work` still runs to its end.
pub(crate) async fn unblock<T: Send + 'static>(
    runtime: &dyn Runtime,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = async_channel::bounded(1);
    runtime.spawn_blocking(Box::new(move || {
        let _ = sender.try_send(work());
    }));
    receiver.recv().await.map_err(|_| {
        let message = "a computation was given up: it panicked, or the runtime is shutting down";
        Error::new(ErrorKind::Unavailable, message)
    })
}
