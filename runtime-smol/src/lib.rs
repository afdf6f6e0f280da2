//! Tangelo on smol: the [`Runtime`] of the engine and the [`Supervisor`] of this host's processes.
//!
//! ```
//! use tangelo_core::runtime::Runtime;
//!
//! let runtime = tangelo_runtime_smol::SmolRuntime::new()?;
//! runtime.block_on(Box::pin(async { /* the engine runs in here */ }));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It is made of smol's parts (async-executor, async-io, async-net, blocking), so code of a server
//! may use them, and every library that is made for them.
//!
//! [`Supervisor`]: tangelo_core::Supervisor

extern crate alloc;

mod runtime;
mod signals;
mod tcp;
mod watch;

pub use runtime::SmolRuntime;

#[cfg(target_os = "linux")]
use alloc::sync::Arc;
#[cfg(target_os = "linux")]
pub use tangelo_core::local::LocalSupervisor;

/// The supervisor of this host's processes on smol; it binds them to CPUs by `affinity`.
#[cfg(target_os = "linux")]
#[must_use]
pub fn supervisor(runtime: Arc<SmolRuntime>, affinity: Arc<dyn tangelo_core::Affinity>) -> LocalSupervisor {
    LocalSupervisor::new(runtime, affinity)
}

#[cfg(doc)]
use tangelo_core::runtime::Runtime;
