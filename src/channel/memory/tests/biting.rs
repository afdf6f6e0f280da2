//! For each thing that may be wrong with a manager, a case of the suite that notices.

use super::faulty::{Fault, Faulty, World};
use super::runtime;
use crate::time::timeout;
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use futures_lite::FutureExt;
use tangelo_core::conformance::channel_manager::Suite;
use tangelo_core::{BoxFuture, ChannelManager};

/// Runs one case; `false`: it has failed, or hangs.
fn passes(fault: Fault, case: impl for<'a> FnOnce(&'a Suite<'_>) -> BoxFuture<'a, ()> + Send) -> bool {
    let (runtime, world) = (runtime(2), World::default());
    let connect = || -> BoxFuture<'static, Arc<dyn ChannelManager>> {
        let manager = Faulty::new(fault, world.clone());
        Box::pin(async move { Arc::new(manager) as _ })
    };
    let neighbour = || -> BoxFuture<'static, Arc<dyn ChannelManager>> {
        let manager = world.neighbour.clone();
        Box::pin(async move { Arc::new(manager) as _ })
    };
    let suite = Suite::new(runtime.clone(), &connect)
        .neighbour(&neighbour)
        .outage(&world, Duration::from_millis(100))
        .members(5000)
        .seeds(10);
    let mut passed = false;
    runtime.clone().block_on(Box::pin(async {
        let case = AssertUnwindSafe(case(&suite)).catch_unwind();
        passed = matches!(timeout(&runtime, Duration::from_secs(10), case).await, Ok(Ok(())));
    }));
    passed
}

macro_rules! bites {
    ($($test:ident: $fault:ident is noticed by $case:ident;)*) => {
        $(
            #[test]
            fn $test() {
                assert!(passes(Fault::None, |suite| Box::pin(suite.$case())), "nothing is wrong");
                assert!(!passes(Fault::$fault, |suite| Box::pin(suite.$case())), "{:?} passes", Fault::$fault);
            }
        )*
    };
}

bites! {
    leaves: LeavesDoNothing is noticed by leaving_removes_and_may_be_repeated;
    batches: BatchesComeInTwo is noticed by a_batch_is_seen_whole;
    dropped_batches: BatchesComeInTwo is noticed by dropped_changes_happen_whole_or_not_at_all;
    lives: LivesDoNotMatter is noticed by an_incarnation_older_than_the_purged_is_refused;
    late_leaves: LivesDoNotMatter is noticed by a_late_leave_does_not_touch_the_successor;
    predecessors: PredecessorsStay is noticed by a_successor_takes_the_place_of_its_predecessor;
    purged_lives: PurgesForgetTheLife is noticed by a_purged_incarnation_is_refused;
    early_purges: PurgesForgetTheLife is noticed by a_purge_before_any_member_counts;
    late_adds: PurgesForgetTheLife is noticed by late_adds_beside_a_purge_leave_no_ghost;
    late_purges: PurgesTakeSuccessors is noticed by a_late_purge_spares_the_successor;
    purges_beside_successors: PurgesTakeSuccessors is noticed by a_purge_beside_the_successor_takes_nothing_of_it;
    purges_elsewhere: PurgesAreRememberedByOneManager is noticed by another_manager_refuses_what_was_purged;
    purges_after_reconnects: PurgesAreRememberedByOneManager is noticed by what_was_purged_stays_so_after_a_reconnect;
    half_purges: PurgesTakeOneChannel is noticed by purging_removes_from_every_channel;
    purges_in_steps: PurgesChannelByChannel is noticed by a_purge_is_seen_in_one_step;
    destroying: DestroysWhereItHasWritten is noticed by destroying_removes_at_every_frontend;
    cases: CaseDoesNotMatter is noticed by names_are_compared_byte_by_byte;
    spaces: SpacesAreTrimmed is noticed by names_are_compared_byte_by_byte;
    opaque: SpacesAreTrimmed is noticed by names_are_opaque;
    joined_names: NamesAreJoined is noticed by names_do_not_run_together;
    checks: NamesAreNotChecked is noticed by names_out_of_bounds_are_refused;
    huge_pages: PagesAreHuge is noticed by a_large_channel_is_read_in_pages;
    first_pages: OnlyTheFirstPage is noticed by a_channel_at_many_frontends_is_read_whole;
    missed_pages: OnlyTheFirstPage is noticed by members_that_stay_are_read_while_others_change;
    readers: ReadersHoldALock is noticed by a_slow_reader_holds_nobody_up;
    repetitions: UsersAreRepeated is noticed by adding_twice_is_adding_once;
    counts: CountsChannelsTwice is noticed by contains_and_count_agree_with_the_members;
    empty_channels: EmptyChannelsAreListed is noticed by channels_of_a_server_follow_its_members;
    cleaning: CleanDoesNothing is noticed by cleaning_leaves_nothing;
    kept_purges: CleanKeepsPurges is noticed by cleaning_leaves_nothing;
    neighbours: CleanTakesTheNeighbour is noticed by cleaning_spares_the_neighbour;
    empty_answers: DownIsEmpty is noticed by a_store_that_is_down_is_an_error;
    promises: DownIsFine is noticed by no_acknowledged_change_is_lost_in_an_outage;
    wrong_errors: DownIsInvalid is noticed by a_store_that_is_down_is_an_error;
    early_starts: DownIsEmpty is noticed by a_start_without_the_store_fails_and_may_be_repeated;
    purges_without_a_store: DownIsEmpty is noticed by a_purge_is_finished_after_an_outage;
    histories_of_lives: PredecessorsStay is noticed by random_operations_follow_the_model;
    histories_of_purges: PurgesForgetTheLife is noticed by random_operations_follow_the_model;
    histories_of_destroying: DestroysWhereItHasWritten is noticed by random_operations_follow_the_model;
}
