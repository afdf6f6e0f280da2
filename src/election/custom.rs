//! By a coordinator of the application's own.

use super::look::{self, Looking};
use super::{Election, Part};
use crate::app::App;
use crate::config::load_master;
use crate::custom::{CoordinatorContext, CustomCoordinator};
use crate::time::Elapsed;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use std::path::PathBuf;
use tangelo_core::config::Timing;
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Coordinator, Error, ErrorKind, Result};

/// How to make one, and the one that is only looked at.
pub(super) struct Custom {
    make: CustomCoordinator,
    dir: PathBuf,
    env: String,
    looking: Looking,
}

impl Custom {
    pub(super) fn new(make: CustomCoordinator, app: &App) -> Self {
        Self { make, dir: app.dir().into(), env: app.env().into(), looking: Looking::default() }
    }

    fn looking(&self, runtime: &Arc<dyn Runtime>) -> Result<&Arc<dyn Coordinator>> {
        self.looking.by(|| {
            // What is wrong with master.json is told by whoever needs more of it.
            let lease = load_master(&self.dir, &self.env)
                .map_or_else(|_| Timing::default().lease, |config| config.master.timing.lease);
            self.coordinator(runtime, Part::Observer, lease)
        })
    }
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Timeout, "the application's own coordinator (CustomCoordinator) does not answer")
}

#[async_trait]
impl Election for Custom {
    fn coordinator(
        &self,
        runtime: &Arc<dyn Runtime>,
        _: Part,
        lease: Duration,
    ) -> Result<Arc<dyn Coordinator>> {
        let runtime = Arc::clone(runtime);
        self.make.make(&CoordinatorContext { runtime, lease, dir: self.dir.clone(), env: self.env.clone() })
    }

    fn patience(&self, lease: Duration) -> Duration {
        lease * 2
    }

    async fn leader(&self, runtime: &Arc<dyn Runtime>) -> Result<Option<LeaderInfo>> {
        look::leader(runtime, &**self.looking(runtime)?).await.unwrap_or_else(|Elapsed| Err(no_answer()))
    }

    async fn standbys(&self, runtime: &Arc<dyn Runtime>) -> Result<Vec<Candidate>> {
        look::standbys(runtime, &**self.looking(runtime)?).await.unwrap_or_else(|Elapsed| Err(no_answer()))
    }
}
