//! The parts that this build has chosen by its features.

use alloc::sync::Arc;
use tangelo_core::local::LocalSupervisor;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Affinity, Error, Result, Supervisor};

#[cfg(not(any(feature = "runtime-tokio", feature = "runtime-smol")))]
compile_error!("tangelo needs a runtime: choose the feature `runtime-tokio` or `runtime-smol` in Cargo.toml");

/// The runtime: tokio where both are compiled in.
pub(crate) fn runtime() -> Result<Arc<dyn Runtime>> {
    #[cfg(feature = "runtime-tokio")]
    let runtime = tangelo_runtime_tokio::TokioRuntime::new();
    #[cfg(all(feature = "runtime-smol", not(feature = "runtime-tokio")))]
    let runtime = tangelo_runtime_smol::SmolRuntime::new();
    match runtime {
        Ok(runtime) => Ok(Arc::new(runtime)),
        Err(error) => Err(Error::io("start the runtime", error)),
    }
}

/// How servers are bound to CPUs.
pub(crate) fn affinity() -> Arc<dyn Affinity> {
    #[cfg(feature = "affinity")]
    return Arc::new(tangelo_affinity::LinuxAffinity::new());
    #[cfg(not(feature = "affinity"))]
    Arc::new(tangelo_core::affinity::NoAffinity)
}

/// What launches and watches this host's processes.
pub(crate) fn supervisor(runtime: Arc<dyn Runtime>) -> Arc<dyn Supervisor> {
    Arc::new(LocalSupervisor::new(runtime, affinity()))
}
