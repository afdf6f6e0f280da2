//! What every [`Coordinator`] must do.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use tangelo_core::{BoxFuture, Coordinator, runtime::Runtime};
//! # async fn conforms(runtime: Arc<dyn Runtime>, my_coordinator: fn() -> Arc<dyn Coordinator>) {
//! use tangelo_core::conformance::coordinator::test_all;
//!
//! // Each call makes a coordinator of its own, as another master would have it, on one fresh cluster.
//! let connect = || -> BoxFuture<'static, Arc<dyn Coordinator>> { Box::pin(async move { my_coordinator() }) };
//! test_all(runtime, &connect).await;
//! # }
//! ```

mod choice;
mod election;
mod futures;
mod observing;
mod state;

use super::tools::case;
use crate::coordinator::LeaderInfo;
use crate::runtime::Runtime;
use crate::{BoxFuture, BoxStream, Coordinator, Leadership, Result};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::time::Duration;
use futures::{Either, campaign, either};

/// Makes one more coordinator on the same cluster, independent of the others, as another master has it.
pub type Connect<'a> = dyn Fn() -> BoxFuture<'static, Arc<dyn Coordinator>> + Send + Sync + 'a;

type Observed = BoxStream<'static, Result<Option<LeaderInfo>>>;

/// Runs every case with the default patience, inside the runtime.
///
/// # Panics
/// If a case fails.
pub async fn test_all(runtime: Arc<dyn Runtime>, connect: &Connect<'_>) {
    Suite::new(runtime, connect).test_all().await;
}

/// The suite, for one case at a time or with other patience. A case panics if the coordinator breaks its contract.
///
/// The cases run one after the other on one cluster, inside the runtime.
#[allow(missing_debug_implementations, reason = "holds a closure")]
pub struct Suite<'a> {
    runtime: Arc<dyn Runtime>,
    connect: &'a Connect<'a>,
    patience: Duration,
    settle: Duration,
}

impl<'a> Suite<'a> {
    /// The suite for what `connect` makes.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>, connect: &'a Connect<'a>) -> Self {
        Self { runtime, connect, patience: Duration::from_secs(20), settle: Duration::from_millis(300) }
    }

    /// How long any one thing may take before it counts as hung. Default: 20 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How long a candidate needs until the others know of it. Default: 300 ms.
    #[must_use]
    pub fn settle(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }

    /// Runs all cases.
    ///
    /// # Panics
    /// If one of them fails.
    pub async fn test_all(&self) {
        let r = &*self.runtime;
        case(
            r,
            "a_fresh_cluster_has_no_leader_and_no_state",
            self.a_fresh_cluster_has_no_leader_and_no_state(),
        )
        .await;
        case(r, "one_leads_at_a_time_and_epochs_grow", self.one_leads_at_a_time_and_epochs_grow()).await;
        case(r, "leading_lasts_and_the_deadline_moves_on", self.leading_lasts_and_the_deadline_moves_on())
            .await;
        case(r, "observers_see_the_present_then_changes", self.observers_see_the_present_then_changes())
            .await;
        case(r, "a_late_observer_gets_the_latest", self.a_late_observer_gets_the_latest()).await;
        case(r, "resigning_passes_on", self.resigning_passes_on()).await;
        case(r, "a_dropped_leadership_passes_on", self.a_dropped_leadership_passes_on()).await;
        case(r, "a_dropped_campaign_is_withdrawn", self.a_dropped_campaign_is_withdrawn()).await;
        case(r, "state_survives_a_change_of_leader", self.state_survives_a_change_of_leader()).await;
        case(r, "concurrent_stores_do_not_mix", self.concurrent_stores_do_not_mix()).await;
        case(r, "a_deposed_leader_is_fenced", self.a_deposed_leader_is_fenced()).await;
        case(r, "two_candidates_may_bear_one_id", self.two_candidates_may_bear_one_id()).await;
        case(r, "a_higher_priority_goes_first", self.a_higher_priority_goes_first()).await;
        case(r, "a_leader_hands_over", self.a_leader_hands_over()).await;
        case(r, "a_leader_hands_over_by_address", self.a_leader_hands_over_by_address()).await;
        case(r, "candidates_are_told_in_their_order", self.candidates_are_told_in_their_order()).await;
        case(r, "campaigns_churn", self.campaigns_churn()).await;
    }

    async fn connect(&self) -> Arc<dyn Coordinator> {
        self.within("a connection", (self.connect)()).await
    }

    async fn lead(&self, coordinator: &Arc<dyn Coordinator>, id: &str) -> Box<dyn Leadership> {
        let leader = self.within("a leader", campaign(coordinator, id, 0)).await;
        leader.unwrap_or_else(|e| panic!("{id} does not lead: {e}"))
    }

    /// The next item that is no error.
    async fn next(&self, observed: &mut Observed) -> Option<LeaderInfo> {
        self.until(observed, |_| true).await
    }

    /// The next item that fits, past errors and others.
    async fn until(
        &self,
        observed: &mut Observed,
        fits: impl Fn(Option<&LeaderInfo>) -> bool,
    ) -> Option<LeaderInfo> {
        let search = async {
            loop {
                let item = poll_fn(|cx| observed.as_mut().poll_next(cx)).await;
                if let Ok(item) = item.expect("the stream of leaders has ended")
                    && fits(item.as_ref())
                {
                    return item;
                }
            }
        };
        self.within("what an observer should see", search).await
    }

    async fn within<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        match either(future, self.runtime.sleep(self.patience)).await {
            Either::One(value) => value,
            Either::Other(()) => panic!("waited {:?} for {what}", self.patience),
        }
    }

    async fn for_a_while<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        match either(future, self.runtime.sleep(self.settle)).await {
            Either::One(value) => Some(value),
            Either::Other(()) => None,
        }
    }
}
