//! SIGINT and SIGTERM.

use futures_lite::stream;
use std::io;
use tangelo_core::BoxStream;
use tangelo_core::runtime::Interrupt;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) fn signals() -> io::Result<BoxStream<'static, Interrupt>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(Box::pin(stream::poll_fn(move |cx| {
        let interrupted = interrupt.poll_recv(cx).map(|got| got.map(|()| Interrupt::Interrupt));
        if interrupted.is_ready() {
            return interrupted;
        }
        terminate.poll_recv(cx).map(|got| got.map(|()| Interrupt::Terminate))
    })))
}
