//! What the engine needs of an async executor.

mod unblock;

pub use unblock::unblock;

use crate::{BoxFuture, BoxStream};
use alloc::boxed::Box;
use async_trait::async_trait;
use core::fmt::Debug;
use core::net::SocketAddr;
use core::time::Duration;
use futures_io::{AsyncRead, AsyncWrite};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Stream for T {}

/// A bound TCP port that takes connections.
#[async_trait]
pub trait Listener: Debug + Send + Sync {
    /// The address that is bound, with the port that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// Whatever the system says.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Waits for the next connection. `TCP_NODELAY` is set on it.
    ///
    /// # Errors
    /// Whatever the system says; some (too many open files, a peer that has gone) are passing, so
    /// the caller pauses and goes on.
    ///
    /// # Cancel safety
    /// Cancel safe: no connection is lost.
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)>;
}

/// How many connections may wait to be accepted, as far as the system allows it (`net.core.somaxconn`).
///
/// All servers of a cluster come at once to a leader that has just begun. Libraries ask for 128; who finds
/// the queue full is ignored, and comes again only after a second (the first retransmission of TCP).
const BACKLOG: i32 = 4096;

/// Lets a port that listens already take a crowd. For implementations of [`Runtime::listen`].
///
/// # Errors
/// Whatever the system says.
pub fn widen_backlog(listener: impl AsFd) -> io::Result<()> {
    // listen(2) on a socket that listens sets its queue anew, and nothing else.
    Ok(rustix::net::listen(listener, BACKLOG)?)
}

/// A file descriptor that is waited for, such as a pidfd or an inotify queue.
#[async_trait]
pub trait Readiness: Debug + Send + Sync {
    /// Waits until the descriptor is readable. Readiness is a level, not an edge: it answers at
    /// once, each time, for as long as there is something to read.
    ///
    /// # Errors
    /// Whatever the system says.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn readable(&self) -> io::Result<()>;
}

/// An async executor with timers and sockets.
///
/// # Contract
///
/// - All methods but [`block_on`](Self::block_on) are called from inside it.
/// - A task that panics ends alone; the others go on.
/// - Tasks are detached: they run until they end or the process does.
#[async_trait]
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Runs `future` to its end on the calling thread, with the executor around it.
    fn block_on(&self, future: BoxFuture<'_, ()>);

    /// Starts a task and lets it go.
    fn spawn(&self, future: BoxFuture<'static, ()>);

    /// Runs a closure that may block on a thread for such closures.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>);

    /// Ends after `duration` at the earliest.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Binds a TCP port on `host` (a name or an address; the first address that can be bound), with `SO_REUSEADDR`.
    ///
    /// # Errors
    /// Whatever the system says, among it that the port is taken.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn listen(&self, host: &str, port: u16) -> io::Result<Box<dyn Listener>>;

    /// Connects to `host` (a name or an address; each address in turn) with `TCP_NODELAY` set.
    /// There is no timeout in here: the caller sets it.
    ///
    /// # Errors
    /// Whatever the system says, that of the last address tried.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>>;

    /// Registers a descriptor to be waited for. It is set to non-blocking.
    ///
    /// # Errors
    /// Whatever the system says.
    fn watch(&self, fd: OwnedFd) -> io::Result<Box<dyn Readiness>>;

    /// From now on SIGTERM and SIGINT do not end the process but come out of this stream.
    ///
    /// # Errors
    /// Whatever the system says.
    fn signals(&self) -> io::Result<BoxStream<'static, Interrupt>>;
}

/// A signal by which somebody asks this process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interrupt {
    /// SIGINT: Ctrl-C on the terminal.
    Interrupt,
    /// SIGTERM, as [`Signal::Terminate`](crate::process::Signal::Terminate) sends it.
    Terminate,
}
