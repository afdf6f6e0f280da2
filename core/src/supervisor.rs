//! Starting, watching and ending processes.

use crate::Result;
use crate::process::{Exit, LaunchSpec, ProcessRef, Signal};
use alloc::boxed::Box;
use async_trait::async_trait;
use core::fmt::Debug;

/// Starts processes, and watches processes whoever started them.
///
/// # Contract
///
/// - A launched process has a session and process group of its own, so that a Ctrl-C on the
///   supervisor's terminal does not reach it and a kill reaches its descendants.
/// - When it ends, however it ends, what is left of its process group is killed, so that no
///   descendant holds a port or a file against its successor.
/// - It outlives its supervisor: no pipe or parent-death signal ties it to the one that started it.
/// - Every method that takes a [`ProcessRef`] acts on exactly that process, and never on another
///   one that got the same pid later.
/// - [`launch`](Self::launch) has put the process under watch when it returns; a process of an
///   earlier supervisor comes under watch by [`adopt`](Self::adopt).
#[async_trait]
pub trait Supervisor: Debug + Send + Sync {
    /// Starts a process, bound to `spec.cpus` before its first instruction.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for CPUs that are not allowed,
    /// [`NotFound`](crate::ErrorKind::NotFound) or [`Io`](crate::ErrorKind::Io) if the program or its log cannot be opened.
    ///
    /// # Cancel safety
    /// Not cancel safe: the process may have been started. Run it to its end.
    async fn launch(&self, spec: LaunchSpec) -> Result<ProcessRef>;

    /// Takes a running process that somebody else started under watch.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if exactly this process no longer runs.
    ///
    /// # Cancel safety
    /// Cancel safe; adopting twice is the same as adopting once.
    async fn adopt(&self, process: &ProcessRef) -> Result<()>;

    /// Sends a signal; a stopped (SIGSTOP) process is not woken by [`Signal::Terminate`].
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if it is gone, which a caller that wants it gone may ignore.
    ///
    /// # Cancel safety
    /// Cancel safe, but the signal may have been sent.
    async fn signal(&self, process: &ProcessRef, signal: Signal) -> Result<()>;

    /// Waits until the process has ended; answers at once if it has.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if it cannot be watched.
    ///
    /// # Cancel safety
    /// Cancel safe: another call waits for the same end.
    async fn wait(&self, process: &ProcessRef) -> Result<Exit>;
}
