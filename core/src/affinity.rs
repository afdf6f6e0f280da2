//! Binding to CPUs.

use crate::{CpuSet, Result};
use core::fmt::Debug;

/// Which CPUs a thread or process runs on.
///
/// # Contract
///
/// - The mask belongs to a thread; threads and processes that it makes later inherit it. To bind
///   a whole process, pin the thread that spawns it, before the spawn.
/// - The kernel narrows a mask to what the process's cpuset allows without saying so:
///   [`pin_current`](Self::pin_current) therefore reads the mask back and returns what holds.
/// - A set that names no allowed CPU, or one CPU that is not allowed, is an error: a server that
///   silently runs elsewhere is worse than one that does not start.
pub trait Affinity: Debug + Send + Sync {
    /// The CPUs this process may use, as they were when it started.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where the platform has no affinity.
    fn allowed(&self) -> Result<CpuSet>;

    /// Binds the calling thread to `cpus` and returns the mask that then holds.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if `cpus` is empty or has a CPU outside
    /// [`allowed`](Self::allowed) (the message lists the allowed ones); the thread's mask is unchanged then.
    fn pin_current(&self, cpus: &CpuSet) -> Result<CpuSet>;

    /// The mask of the main thread of process `pid` on this host.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such process.
    fn of(&self, pid: u32) -> Result<CpuSet>;
}

/// The affinity of a platform or build that has none: it says so.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAffinity;

impl NoAffinity {
    fn unsupported<T>() -> Result<T> {
        Err(crate::Error::new(
            crate::ErrorKind::Unsupported,
            "this build cannot bind CPUs: add the feature `affinity` (Linux only), or remove `cpu` from servers.json",
        ))
    }
}

impl Affinity for NoAffinity {
    fn allowed(&self) -> Result<CpuSet> {
        Self::unsupported()
    }

    fn pin_current(&self, _: &CpuSet) -> Result<CpuSet> {
        Self::unsupported()
    }

    fn of(&self, _: u32) -> Result<CpuSet> {
        Self::unsupported()
    }
}
