//! Among the masters that share a run directory.

use super::{Election, Part};
use crate::embedded::{self, EmbeddedCoordinator};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use std::path::PathBuf;
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Coordinator, Result};

/// The run directory.
pub(super) struct OneMachine(pub(super) PathBuf);

#[async_trait]
impl Election for OneMachine {
    fn coordinator(
        &self,
        runtime: &Arc<dyn Runtime>,
        _: Part,
        lease: Duration,
    ) -> Result<Arc<dyn Coordinator>> {
        Ok(Arc::new(EmbeddedCoordinator::new(Arc::clone(runtime), self.0.clone(), lease)?))
    }

    fn patience(&self, lease: Duration) -> Duration {
        lease * 2
    }

    async fn leader(&self, _: &Arc<dyn Runtime>) -> Result<Option<LeaderInfo>> {
        embedded::current_leader(&self.0)
    }

    async fn standbys(&self, _: &Arc<dyn Runtime>) -> Result<Vec<Candidate>> {
        Ok(embedded::standbys(&self.0)?.into_iter().map(|standing| standing.candidate).collect())
    }
}
