//! Tangelo on tokio: the [`Runtime`] of the engine and the [`Supervisor`] of this host's processes.
//!
//! ```
//! use tangelo_core::runtime::Runtime;
//!
//! let runtime = tangelo_runtime_tokio::TokioRuntime::new()?;
//! runtime.block_on(Box::pin(async { /* the engine runs in here */ }));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Tasks run inside an ordinary multi-threaded tokio, so code of a server may use tokio's own
//! types and every library that is made for it.
//!
//! [`Supervisor`]: tangelo_core::Supervisor

extern crate alloc;

mod runtime;
mod signals;
mod stream;
mod tcp;
mod watch;

pub use runtime::TokioRuntime;

#[cfg(target_os = "linux")]
use alloc::sync::Arc;
#[cfg(target_os = "linux")]
pub use tangelo_core::local::LocalSupervisor;

/// The supervisor of this host's processes on tokio; it binds them to CPUs by `affinity`.
#[cfg(target_os = "linux")]
#[must_use]
pub fn supervisor(runtime: Arc<TokioRuntime>, affinity: Arc<dyn tangelo_core::Affinity>) -> LocalSupervisor {
    LocalSupervisor::new(runtime, affinity)
}

#[cfg(doc)]
use tangelo_core::runtime::Runtime;
