//! SIGINT and SIGTERM.

use async_signal::{Signal, Signals};
use futures_lite::StreamExt;
use std::io;
use tangelo_core::BoxStream;
use tangelo_core::runtime::Interrupt;

pub(crate) fn signals() -> io::Result<BoxStream<'static, Interrupt>> {
    let signals = Signals::new([Signal::Int, Signal::Term])?;
    Ok(Box::pin(signals.filter_map(|signal| match signal {
        Ok(Signal::Int) => Some(Interrupt::Interrupt),
        Ok(Signal::Term) => Some(Interrupt::Terminate),
        _ => None,
    })))
}
