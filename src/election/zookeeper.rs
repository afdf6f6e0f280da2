//! Among all masters that meet in a ZooKeeper.

use super::look::{self, Looking};
use super::{Election, Part};
use crate::parts;
use crate::program::own_file;
use crate::time::Elapsed;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use std::path::Path;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Coordinator, Error, ErrorKind, Result};
use tangelo_zookeeper::{GuardCommand, ZooKeeperCoordinator, run_guard};

/// The first argument of the child that watches over a master.
pub(crate) const GUARD: &str = "guard";

/// Is that child, until its master has gone.
pub(crate) fn guard() -> Result<()> {
    let runtime = parts::runtime()?;
    let mut done = Ok(());
    let guarding = run_guard(Arc::clone(&runtime));
    runtime.block_on(Box::pin(async { done = guarding.await }));
    done
}

/// A ZooKeeper, and the session of whoever only looks.
pub(super) struct ZooKeeper {
    config: ZooKeeperConfig,
    /// The application's, to be seen in `ps`.
    dir: String,
    looking: Looking,
}

impl ZooKeeper {
    pub(super) fn new(config: ZooKeeperConfig, dir: &Path) -> Self {
        Self { config, dir: dir.to_string_lossy().into_owned(), looking: Looking::default() }
    }

    fn looking(&self, runtime: &Arc<dyn Runtime>) -> Result<&Arc<dyn Coordinator>> {
        self.looking.by(|| self.coordinator(runtime, Part::Observer, Duration::ZERO))
    }

    fn no_answer(&self) -> Error {
        let server = &self.config.server;
        let message =
            format!("no ZooKeeper answers at {server}: is it up, and \"server\" in zookeeper.json right?");
        Error::new(ErrorKind::Timeout, message)
    }
}

#[async_trait]
impl Election for ZooKeeper {
    fn coordinator(
        &self,
        runtime: &Arc<dyn Runtime>,
        part: Part,
        _: Duration,
    ) -> Result<Arc<dyn Coordinator>> {
        let coordinator = ZooKeeperCoordinator::new(Arc::clone(runtime), self.config.clone())?;
        Ok(match part {
            Part::Observer => Arc::new(coordinator),
            Part::Master => {
                let command = GuardCommand {
                    program: own_file()?,
                    args: vec![GUARD.into(), "--dir".into(), self.dir.clone()],
                };
                Arc::new(coordinator.with_guard(command))
            }
        })
    }

    fn patience(&self, _: Duration) -> Duration {
        // A session ends with the tick after its timeout.
        self.config.timeout * 2
    }

    async fn leader(&self, runtime: &Arc<dyn Runtime>) -> Result<Option<LeaderInfo>> {
        look::leader(runtime, &**self.looking(runtime)?).await.unwrap_or_else(|Elapsed| Err(self.no_answer()))
    }

    async fn standbys(&self, runtime: &Arc<dyn Runtime>) -> Result<Vec<Candidate>> {
        look::standbys(runtime, &**self.looking(runtime)?)
            .await
            .unwrap_or_else(|Elapsed| Err(self.no_answer()))
    }
}
