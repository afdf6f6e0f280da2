//! The coordinator as the engine sees it.

use crate::GuardCommand;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_trait::async_trait;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Candidate, Coordinator, LeaderInfo, Leadership};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxStream, Error, ErrorKind, Result};

/// Elects one leader among masters on several hosts, by way of ZooKeeper.
#[derive(Debug)]
pub struct ZooKeeperCoordinator {
    runtime: Arc<dyn Runtime>,
    config: ZooKeeperConfig,
    guard: Option<GuardCommand>,
}

impl ZooKeeperCoordinator {
    /// A coordinator that uses what `config` names. Nothing is connected before it is needed.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the configuration makes no sense.
    pub fn new(runtime: Arc<dyn Runtime>, config: ZooKeeperConfig) -> Result<Self> {
        config.check().map_err(|what| Error::new(ErrorKind::Invalid, what))?;
        Ok(Self { runtime, config, guard: None })
    }

    /// For masters: keeps a guard process, started by `command`, while standing for election or leading.
    #[must_use]
    pub fn with_guard(self, command: GuardCommand) -> Self {
        Self { guard: Some(command), ..self }
    }

    fn unsupported(&self) -> Error {
        let at = format!("{} of {} ({:?})", self.config.path, self.config.server, self.runtime);
        let guard = if self.guard.is_some() { "guarded" } else { "unguarded" };
        Error::new(
            ErrorKind::Unsupported,
            format!("this build has no election on ZooKeeper yet: {guard} {at}"),
        )
    }
}

#[async_trait]
impl Coordinator for ZooKeeperCoordinator {
    async fn campaign(&self, _candidate: Candidate) -> Result<Box<dyn Leadership>> {
        Err(self.unsupported())
    }

    fn observe(&self) -> BoxStream<'static, Result<Option<LeaderInfo>>> {
        Box::pin(futures_lite::stream::once(Err(self.unsupported())))
    }

    async fn candidates(&self) -> Result<Vec<Candidate>> {
        Err(self.unsupported())
    }
}
