//! The executor.

use crate::{signals, tcp, watch};
use async_trait::async_trait;
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;
use tangelo_core::runtime::{Interrupt, Listener, Readiness, Runtime, Stream};
use tangelo_core::{BoxFuture, BoxStream};
use tokio::runtime::{Builder, Handle};

/// A multi-threaded tokio.
#[derive(Debug)]
pub struct TokioRuntime {
    handle: Handle,
    /// Always there until the drop.
    tokio: Option<tokio::runtime::Runtime>,
}

impl TokioRuntime {
    /// A tokio with one worker thread for each CPU that this thread may use.
    ///
    /// # Errors
    /// If the system gives no thread or descriptor.
    pub fn new() -> io::Result<Self> {
        Self::build(&mut Builder::new_multi_thread())
    }

    /// A tokio with `threads` worker threads (at least 1).
    ///
    /// # Errors
    /// If the system gives no thread or descriptor.
    pub fn with_threads(threads: usize) -> io::Result<Self> {
        Self::build(Builder::new_multi_thread().worker_threads(threads.max(1)))
    }

    fn build(builder: &mut Builder) -> io::Result<Self> {
        let tokio = builder.thread_name("tangelo").enable_io().enable_time().build()?;
        Ok(Self { handle: tokio.handle().clone(), tokio: Some(tokio) })
    }
}

impl Drop for TokioRuntime {
    /// Does not wait for tasks: the last owner may be one of them, where tokio must not block.
    fn drop(&mut self) {
        if let Some(tokio) = self.tokio.take() {
            tokio.shutdown_background();
        }
    }
}

#[async_trait]
impl Runtime for TokioRuntime {
    fn block_on(&self, future: BoxFuture<'_, ()>) {
        self.handle.block_on(future);
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.handle.spawn(future);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) {
        self.handle.spawn_blocking(work);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(duration).await })
    }

    async fn listen(&self, host: &str, port: u16) -> io::Result<Box<dyn Listener>> {
        tcp::listen(host, port).await
    }

    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        tcp::connect(host, port).await
    }

    fn watch(&self, fd: OwnedFd) -> io::Result<Box<dyn Readiness>> {
        let _inside = self.handle.enter();
        watch::watch(fd)
    }

    fn signals(&self) -> io::Result<BoxStream<'static, Interrupt>> {
        let _inside = self.handle.enter();
        signals::signals()
    }
}
