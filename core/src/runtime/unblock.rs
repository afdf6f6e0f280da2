//! Work that takes a while, off the executor.

use super::Runtime;
use crate::{Error, ErrorKind, Result};
use alloc::boxed::Box;

/// What `work` returns, which runs on a thread that may block.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) if it panicked, or the runtime is shutting down.
///
/// # Cancel safety
/// If this future is dropped `work` still runs to its end, and what it returned is dropped there.
pub async fn unblock<T: Send + 'static>(
    runtime: &dyn Runtime,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = async_channel::bounded(1);
    runtime.spawn_blocking(Box::new(move || {
        let _ = sender.try_send(work());
    }));
    receiver.recv().await.map_err(|_| {
        let message = "work that may block was given up: it panicked, or the runtime is shutting down";
        Error::new(ErrorKind::Unavailable, message)
    })
}
