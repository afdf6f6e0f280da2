//! The parts that this build has chosen by its features, or the application by its settings.

use crate::app::App;
use crate::custom::{AffinityContext, CustomAffinity, CustomSupervisor, SupervisorContext};
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
///
/// # Errors
/// What the application's own says.
pub(crate) fn affinity(app: &App) -> Result<Arc<dyn Affinity>> {
    match app.get::<CustomAffinity>() {
        Some(custom) => custom.make(&AffinityContext { dir: app.dir().into(), env: app.env().into() }),
        None => Ok(built_in_affinity()),
    }
}

/// The one of this build.
pub(crate) fn built_in_affinity() -> Arc<dyn Affinity> {
    #[cfg(feature = "affinity")]
    return Arc::new(tangelo_affinity::LinuxAffinity::new());
    #[cfg(not(feature = "affinity"))]
    Arc::new(tangelo_core::affinity::NoAffinity)
}

/// What launches and watches this host's processes.
///
/// # Errors
/// What the application's own, or its affinity, says.
pub(crate) fn supervisor(app: &App) -> Result<Arc<dyn Supervisor>> {
    let (runtime, affinity) = (Arc::clone(app.runtime()), affinity(app)?);
    match app.get::<CustomSupervisor>() {
        Some(custom) => {
            let (dir, env) = (app.dir().into(), app.env().into());
            custom.make(&SupervisorContext { runtime, affinity, dir, env })
        }
        None => Ok(Arc::new(LocalSupervisor::new(runtime, affinity))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tangelo_core::affinity::NoAffinity;
    use tangelo_core::{CpuSet, ErrorKind};

    /// Allows a CPU that no machine has.
    #[derive(Debug)]
    struct Far;

    const FAR: u32 = 8000;

    impl Affinity for Far {
        fn allowed(&self) -> Result<CpuSet> {
            Ok(CpuSet::one(FAR))
        }

        fn pin_current(&self, _: &CpuSet) -> Result<CpuSet> {
            NoAffinity.pin_current(&CpuSet::default())
        }

        fn of(&self, pid: u32) -> Result<CpuSet> {
            NoAffinity.of(pid)
        }
    }

    #[cfg(all(feature = "runtime-tokio", feature = "runtime-smol"))]
    #[test]
    fn with_both_runtimes_tokio_is_used() {
        let runtime = runtime().unwrap();
        assert!(format!("{runtime:?}").starts_with("TokioRuntime"), "{runtime:?}");
    }

    #[test]
    fn parts_of_the_applications_own_go_before_those_of_this_build() {
        let app = App::for_tests();
        app.set(CustomAffinity::new(|context| {
            assert_eq!((&*context.env, context.dir.to_str()), ("test", Some("/nowhere")));
            Ok(Far)
        }));
        assert_eq!(affinity(&app).unwrap().allowed().unwrap(), CpuSet::one(FAR));
        supervisor(&app).unwrap();
        app.set(CustomSupervisor::new(|context| {
            let allowed = context.affinity.allowed().unwrap();
            Err::<LocalSupervisor, _>(Error::new(ErrorKind::Invalid, format!("bound to {allowed}")))
        }));
        assert_eq!(supervisor(&app).unwrap_err().to_string(), "bound to 8000");
    }
}
