//! A channel manager of the application's own.

use super::ChannelManager;
use crate::Result;
use crate::config::GlobalChannelConfig;
use crate::runtime::Runtime;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use std::path::PathBuf;

/// What a manager of the application's own is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManagerContext {
    /// The runtime that this program has chosen, for timers, tasks and sockets.
    pub runtime: Arc<dyn Runtime>,
    /// The settings as they are, among them the timeout of a call.
    pub config: GlobalChannelConfig,
    /// The application's directory, which holds `config/` and `run/`.
    pub dir: PathBuf,
    /// The environment, such as `development`.
    pub env: String,
}

impl ManagerContext {
    /// What a manager is made of; tests use it too.
    #[must_use]
    pub fn new(
        runtime: Arc<dyn Runtime>,
        config: GlobalChannelConfig,
        dir: impl Into<PathBuf>,
        env: impl Into<String>,
    ) -> Self {
        Self { runtime, config, dir: dir.into(), env: env.into() }
    }
}

type Make = dyn Fn(&ManagerContext) -> Result<Arc<dyn ChannelManager>> + Send + Sync;

/// Makes managers of the application's own.
#[derive(Clone)]
pub struct CustomManager(Arc<Make>);

impl CustomManager {
    pub(crate) fn new<M: ChannelManager + 'static>(
        make: impl Fn(&ManagerContext) -> Result<M> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |context| Ok(Arc::new(make(context)?))))
    }

    /// Makes one.
    ///
    /// # Errors
    /// What the application's code says.
    pub fn make(&self, context: &ManagerContext) -> Result<Arc<dyn ChannelManager>> {
        (self.0)(context)
    }
}

impl fmt::Debug for CustomManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomManager(…)")
    }
}

/// The same one, not one that does the same.
impl PartialEq for CustomManager {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CustomManager {}
