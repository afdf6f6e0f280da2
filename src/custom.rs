//! Parts of the application's own: a coordinator, a supervisor, an affinity in the place of ours.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use std::path::PathBuf;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Affinity, Coordinator, Result, Supervisor};

/// Elects the leader: `app.set(CustomCoordinator::new(|context| MyCoordinator::new(context)))`, in every process.
///
/// It goes before `config/zookeeper.json`. Each process makes its own, some make several; nothing is to be asked
/// before it is used.
pub type CustomCoordinator = Custom<CoordinatorContext, dyn Coordinator>;

/// Launches and watches the processes of this host:
/// `app.set(CustomSupervisor::new(|context| MySupervisor::new(context)))`, in every process.
///
/// It launches servers and masters in the background; on another host the agent there makes one. Each process
/// makes its own, some make several.
pub type CustomSupervisor = Custom<SupervisorContext, dyn Supervisor>;

/// Binds servers to CPUs: `app.set(CustomAffinity::new(|context| MyAffinity::new(context)))`, in every process.
///
/// Supervisors bind by it, and masters read `"cpu"` of servers.json by what it allows. Each process makes its own,
/// some make several: those of a process agree about what is allowed.
pub type CustomAffinity = Custom<AffinityContext, dyn Affinity>;

/// What a coordinator of the application's own is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CoordinatorContext {
    /// The runtime that this program has chosen, for timers, tasks and sockets.
    pub runtime: Arc<dyn Runtime>,
    /// `lease` of master.json: a leader leads at most so long without proof of it. Commands wait twice as long
    /// for the successor of one that has frozen.
    pub lease: Duration,
    /// The application's directory, which holds `config/` and `run/`.
    pub dir: PathBuf,
    /// The environment, such as `development`.
    pub env: String,
}

/// What a supervisor of the application's own is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SupervisorContext {
    /// The runtime that this program has chosen, for timers, tasks and descriptors.
    pub runtime: Arc<dyn Runtime>,
    /// How processes are bound to CPUs.
    pub affinity: Arc<dyn Affinity>,
    /// The application's directory, which holds `config/` and `run/`.
    pub dir: PathBuf,
    /// The environment, such as `development`.
    pub env: String,
}

/// What an affinity of the application's own is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AffinityContext {
    /// The application's directory, which holds `config/` and `run/`.
    pub dir: PathBuf,
    /// The environment, such as `development`.
    pub env: String,
}

type Make<C, P> = dyn Fn(&C) -> Result<Arc<P>> + Send + Sync;

/// Makes a part of the application's own.
pub struct Custom<C, P: ?Sized>(Arc<Make<C, P>>);

impl<C, P: ?Sized> Custom<C, P> {
    /// Makes one.
    ///
    /// # Errors
    /// What the application's code says.
    pub(crate) fn make(&self, context: &C) -> Result<Arc<P>> {
        (self.0)(context)
    }
}

impl<C, P: ?Sized> Clone for Custom<C, P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C, P: ?Sized> fmt::Debug for Custom<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom(…)")
    }
}

/// A constructor for each kind of part: to say generically that an `M` is a `P` takes more than stable Rust has.
macro_rules! parts {
    ($($context:ident => $part:ident),*) => {$(
        impl Custom<$context, dyn $part> {
            /// `make` is called whenever a process needs one; its error ends the process or command.
            pub fn new<M: $part + 'static>(
                make: impl Fn(&$context) -> Result<M> + Send + Sync + 'static,
            ) -> Self {
                Self(Arc::new(move |context| Ok(Arc::new(make(context)?))))
            }
        }
    )*};
}

parts!(CoordinatorContext => Coordinator, SupervisorContext => Supervisor, AffinityContext => Affinity);
