//! What every [`ChannelManager`] must do.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use tangelo_core::{BoxFuture, ChannelManager, runtime::Runtime};
//! # async fn conforms(runtime: Arc<dyn Runtime>, my_manager: fn() -> Arc<dyn ChannelManager>) {
//! use tangelo_core::conformance::channel_manager::test_all;
//!
//! // Each call makes a manager of its own, as another process would have it, all on one store.
//! let connect = || -> BoxFuture<'static, Arc<dyn ChannelManager>> { Box::pin(async move { my_manager() }) };
//! test_all(runtime, &connect).await;
//! # }
//! ```
//!
//! What the manager declares as its [`Capability`](crate::channel::Capability) decides how much of
//! it applies. The store is emptied by the case of [`clean`](ChannelManager::clean).

mod batches;
mod cancelling;
mod clean;
mod concurrency;
mod destroying;
mod incarnations;
mod membership;
mod model;
mod names;
mod outage;
mod paging;
mod purging;
mod reconnecting;
mod stores;

pub use outage::Outage;

use super::tools::{Named, within};
use crate::channel::Frontend;
use crate::config::Incarnation;
use crate::runtime::Runtime;
use crate::{BoxFuture, ChannelManager, Instant};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

/// Makes one more manager on the same store, independent of the others, as another process has it.
/// The suite starts it, and stops it at the end of a case.
///
/// If the managers are not [`shared`](crate::channel::Capability::shared), the one before is stopped first.
pub type Connect<'a> = dyn Fn() -> BoxFuture<'static, Arc<dyn ChannelManager>> + Send + Sync + 'a;

/// Runs every case with the default patience, inside the runtime.
///
/// # Panics
/// If a case fails.
pub async fn test_all(runtime: Arc<dyn Runtime>, connect: &Connect<'_>) {
    Suite::new(runtime, connect).test_all().await;
}

/// The suite, for one case at a time or with other settings. A case panics if the manager breaks its contract.
///
/// The cases run one after the other on one store, inside the runtime. Large channels are removed by the case that made
/// them.
#[allow(missing_debug_implementations, reason = "holds a closure")]
pub struct Suite<'a> {
    runtime: Arc<dyn Runtime>,
    connect: &'a Connect<'a>,
    neighbour: Option<&'a Connect<'a>>,
    outage: Option<(&'a dyn Outage, Duration)>,
    patience: Duration,
    members: usize,
    seeds: u64,
    /// Makes the names of this suite its own, also on a store that has seen one before.
    nonce: u64,
    names: AtomicU64,
}

impl<'a> Suite<'a> {
    /// The suite for what `connect` makes.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>, connect: &'a Connect<'a>) -> Self {
        let micros = Instant::now().since_boot().subsec_micros();
        let nonce = u64::from(std::process::id()) << 20 ^ u64::from(micros);
        Self {
            runtime,
            connect,
            neighbour: None,
            outage: None,
            patience: Duration::from_secs(60),
            members: 100_000,
            seeds: 4,
            nonce,
            names: AtomicU64::new(0),
        }
    }

    /// What makes managers with another prefix in the same database, to show that
    /// [`clean`](ChannelManager::clean) and all else leaves it alone. Default: none.
    #[must_use]
    pub fn neighbour(self, connect: &'a Connect<'a>) -> Self {
        Self { neighbour: Some(connect), ..self }
    }

    /// What takes the store away and brings it back, and how long a call of the manager may take at
    /// most (its timeout). Default: nothing, and the cases of outages are left out.
    #[must_use]
    pub fn outage(self, outage: &'a dyn Outage, timeout: Duration) -> Self {
        Self { outage: Some((outage, timeout)), ..self }
    }

    /// How long a case may take before it counts as hung. Default: 60 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many members the largest channel has. Default: 100 000.
    #[must_use]
    pub fn members(self, members: usize) -> Self {
        Self { members, ..self }
    }

    /// How many random histories are held against the model. Default: 4.
    #[must_use]
    pub fn seeds(self, seeds: u64) -> Self {
        Self { seeds, ..self }
    }

    /// Runs all cases.
    ///
    /// # Panics
    /// If one of them fails.
    pub async fn test_all(&self) {
        self.test_membership().await;
        self.test_incarnations().await;
        self.test_together().await;
        self.test_outages().await;
    }

    /// Runs the cases of [outages](Self::outage) alone.
    ///
    /// # Panics
    /// If one of them fails.
    pub async fn test_outages(&self) {
        self.test_away().await;
    }

    async fn case(&self, name: &str, case: impl Future<Output = ()>) {
        let _named = Named(name);
        let ended = within(&*self.runtime, self.patience, case).await;
        assert!(ended.is_some(), "conformance case `{name}` has not ended within {:?}", self.patience);
    }

    /// A name that nobody else has.
    fn name(&self, what: &str) -> String {
        format!("{what}-{:x}-{}", self.nonce, self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// A frontend that nobody else has, in its first life.
    fn frontend(&self) -> Frontend {
        Frontend { sid: self.name("connector"), incarnation: Incarnation(1) }
    }
}

macro_rules! cases {
    ($group:ident: $($case:ident)*) => {
        impl Suite<'_> {
            async fn $group(&self) {
                $(self.case(stringify!($case), self.$case()).await;)*
            }
        }
    };
}

cases! { test_membership:
    a_fresh_channel_is_empty
    adding_twice_is_adding_once
    leaving_removes_and_may_be_repeated
    a_user_may_be_at_several_frontends
    a_user_may_be_in_several_channels
    channels_of_a_server_follow_its_members
    single_changes_do_what_batches_do
    contains_and_count_agree_with_the_members
    a_batch_with_repetitions_is_a_set
    a_batch_of_nobody_changes_nothing
    a_batch_is_seen_whole
    batches_of_every_size
    a_large_channel_is_read_in_pages
    a_channel_at_many_frontends_is_read_whole
    members_that_stay_are_read_while_others_change
    a_slow_reader_holds_nobody_up
    dropped_readers_leave_nothing_behind
    a_server_with_many_channels
    names_are_opaque
    names_are_compared_byte_by_byte
    names_do_not_run_together
    names_may_have_255_bytes
    names_out_of_bounds_are_refused
    destroying_removes_at_every_frontend
    destroying_spares_other_channels
    a_destroyed_channel_can_be_filled_again
    destroying_beside_adders_leaves_no_contradiction
}

cases! { test_incarnations:
    purging_removes_from_every_channel
    purging_spares_other_frontends
    a_purged_incarnation_is_refused
    an_incarnation_older_than_the_purged_is_refused
    a_purge_before_any_member_counts
    purging_twice_is_purging_once
    an_earlier_purge_does_not_lower_the_bar
    a_late_purge_spares_the_successor
    a_successor_takes_the_place_of_its_predecessor
    a_successor_that_only_leaves_takes_the_place_too
    a_late_leave_does_not_touch_the_successor
    incarnations_may_be_large
    a_large_server_is_purged
    a_purge_is_seen_in_one_step
    an_interrupted_purge_is_finished
}

cases! { test_together:
    managers_see_each_other
    managers_start_at_once
    another_manager_refuses_what_was_purged
    concurrent_adders_lose_nothing
    concurrent_changes_do_not_mix
    a_thousand_calls_at_once
    late_adds_beside_a_purge_leave_no_ghost
    a_purge_beside_the_successor_takes_nothing_of_it
    successors_race_their_predecessors
    managers_purge_at_once
    everything_at_once_ends
    dropped_changes_happen_whole_or_not_at_all
    a_manager_may_be_dropped_amid_changes
    members_outlive_their_manager
    what_was_purged_stays_so_after_a_reconnect
    random_operations_follow_the_model
    cleaning_leaves_nothing
    cleaning_spares_the_neighbour
}

cases! { test_away:
    a_store_that_is_down_is_an_error
    a_start_without_the_store_fails_and_may_be_repeated
    no_acknowledged_change_is_lost_in_an_outage
    a_purge_is_finished_after_an_outage
}
