//! Masters on a real ZooKeeper: what holds on one machine holds there too, and the faults of its own.

mod faults;
mod hosts;
mod mistakes;

use crate::support::zookeeper as on;
use crate::{application, handover, masters};
use libtest_mimic::Trial;

/// Tests of other modules, once more with their masters on ZooKeeper.
macro_rules! again {
    ($($module:ident::$name:ident),* $(,)?) => {
        fn again() -> Vec<Trial> {
            vec![$(Trial::test(concat!("zookeeper::", stringify!($module), "::", stringify!($name)), || {
                on::shared($module::$name);
                Ok(())
            })),*]
        }
    };
}

again![
    application::servers_keep_their_view_across_a_leader_change,
    handover::a_leader_hands_over_and_becomes_a_standby,
    handover::a_hand_over_to_nobody_is_refused_and_the_leader_goes_on,
    handover::the_standby_with_the_highest_priority_leads_next,
    handover::masterha_starts_the_masters_of_its_file_once,
    masters::a_second_start_becomes_a_standby_and_launches_nothing,
    masters::the_leader_killed_the_standby_leads_and_no_server_is_restarted,
    masters::leader_and_server_killed_together_the_successor_restarts_it,
    masters::a_server_without_auto_restart_that_dies_while_no_master_lives_stays_failed,
    masters::servers_outlive_the_only_master_and_a_new_start_adopts_them,
    masters::a_stopped_server_stays_stopped_across_a_leader_change_until_it_is_started,
    masters::an_added_server_survives_a_leader_change,
    masters::failed_servers_are_not_started_by_a_leader_change,
    masters::a_standby_on_a_port_of_its_own_forwards_what_it_is_asked,
    masters::a_standby_that_leaves_changes_nothing,
    masters::the_leader_of_master_leaves_and_the_cluster_goes_on,
    masters::several_masters_in_one_directory_started_at_once_elect_one,
    masters::a_master_that_comes_first_begins_the_cluster_before_and_after_a_stop,
    masters::ctrl_c_on_a_standby_leaves_the_cluster_alone,
    masters::a_second_start_in_the_background_becomes_a_standby,
];

pub(crate) fn trials() -> Vec<Trial> {
    [again(), faults::trials(), hosts::trials(), mistakes::trials()].into_iter().flatten().collect()
}
