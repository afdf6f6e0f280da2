//! Whoever only looks at a coordinator: a command, mostly.

use crate::time::{Elapsed, timeout};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::{StreamExt, future};
use std::sync::OnceLock;
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Coordinator, Result};

/// How long it waits for an answer.
const LOOK: Duration = Duration::from_secs(3);

/// The coordinator that it asks; made at the first look.
#[derive(Default)]
pub(super) struct Looking(OnceLock<Arc<dyn Coordinator>>);

impl Looking {
    pub(super) fn by(
        &self,
        make: impl FnOnce() -> Result<Arc<dyn Coordinator>>,
    ) -> Result<&Arc<dyn Coordinator>> {
        if let Some(coordinator) = self.0.get() {
            return Ok(coordinator);
        }
        let made = make()?;
        Ok(self.0.get_or_init(|| made))
    }
}

/// Who leads now.
pub(super) async fn leader(
    runtime: &Arc<dyn Runtime>,
    coordinator: &dyn Coordinator,
) -> Result<Result<Option<LeaderInfo>>, Elapsed> {
    let mut leaders = coordinator.observe();
    let first = async {
        match leaders.next().await {
            Some(first) => first,
            // The stream is not to end; one that does has no answer.
            None => future::pending().await,
        }
    };
    timeout(runtime, LOOK, first).await
}

/// Who stands by.
pub(super) async fn standbys(
    runtime: &Arc<dyn Runtime>,
    coordinator: &dyn Coordinator,
) -> Result<Result<Vec<Candidate>>, Elapsed> {
    timeout(runtime, LOOK, coordinator.candidates()).await
}
