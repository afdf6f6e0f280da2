//! The executor.

use crate::{signals, tcp, watch};
use alloc::sync::Arc;
use async_channel::{Receiver, Sender};
use async_executor::Executor;
use async_trait::async_trait;
use core::convert::Infallible;
use core::fmt;
use core::time::Duration;
use futures_lite::future;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use tangelo_core::runtime::{Interrupt, Listener, Readiness, Runtime, Stream};
use tangelo_core::{BoxFuture, BoxStream};

/// An async-executor with a few threads; async-io's own thread waits for sockets and timers.
pub struct SmolRuntime {
    executor: Arc<Executor<'static>>,
    threads: usize,
    /// Dropping it ends the threads.
    _alive: Sender<Infallible>,
}

impl SmolRuntime {
    /// An executor with one thread for each CPU that this thread may use.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new() -> io::Result<Self> {
        Self::with_threads(thread::available_parallelism().map_or(1, usize::from))
    }

    /// An executor with `threads` threads (at least 1).
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn with_threads(threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let executor = Arc::new(Executor::new());
        let (alive, ended) = async_channel::bounded(1);
        for _ in 0..threads {
            let (executor, ended) = (Arc::clone(&executor), ended.clone());
            thread::Builder::new().name("tangelo".into()).spawn(move || run(&executor, &ended))?;
        }
        Ok(Self { executor, threads, _alive: alive })
    }
}

/// Runs tasks until the runtime is dropped. A task that panics keeps its panic to itself
/// (async-executor catches it for whoever awaits the task), so this thread goes on.
///
/// It parks when idle instead of waiting for I/O as `async_io::block_on` does. With that, async-io's own thread
/// looks in about ten times after each event: twice the CPU of an idle server for the same latency.
fn run(executor: &Executor<'_>, ended: &Receiver<Infallible>) {
    let _ = future::block_on(executor.run(ended.recv()));
}

impl fmt::Debug for SmolRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmolRuntime").field("threads", &self.threads).finish_non_exhaustive()
    }
}

#[async_trait]
impl Runtime for SmolRuntime {
    /// This thread runs no tasks: while `future` keeps it busy, one that it was woken for would wait for ever.
    fn block_on(&self, future: BoxFuture<'_, ()>) {
        future::block_on(future);
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.executor.spawn(future).detach();
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) {
        blocking::unblock(work).detach();
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            async_io::Timer::after(duration).await;
        })
    }

    async fn listen(&self, host: &str, port: u16) -> io::Result<Box<dyn Listener>> {
        tcp::listen(host, port).await
    }

    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        tcp::connect(host, port).await
    }

    fn watch(&self, fd: OwnedFd) -> io::Result<Box<dyn Readiness>> {
        watch::watch(fd)
    }

    fn signals(&self) -> io::Result<BoxStream<'static, Interrupt>> {
        signals::signals()
    }
}
