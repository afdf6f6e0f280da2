//! The same tests on every store that this build has.

mod faults;
#[cfg(any(feature = "channel-redis", feature = "channel-postgres", feature = "channel-mysql"))]
mod outages;
mod sharing;
mod stores;

use super::prepared;
use crate::support::{Cluster, wait_until};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use stores::Store;

/// The trials of functions that take a store, under the name of that store.
macro_rules! on {
    ($store:ident: $($module:ident::$name:ident),* $(,)?) => {
        vec![$(Trial::test(
            concat!("rooms::", stringify!($store), "::", stringify!($name)),
            || {
                $module::$name(&stores::$store());
                Ok(())
            },
        )),*]
    };
}

/// What holds on every store.
macro_rules! every_test {
    ($store:ident) => {
        on![$store:
            sharing::users_at_different_connectors_share_a_channel,
            sharing::a_server_that_stops_takes_its_users_along,
            faults::a_killed_connector_leaves_no_ghost_and_a_push_names_whom_it_missed,
        ]
    };
}

/// What holds on a store that is a server.
#[cfg(any(feature = "channel-redis", feature = "channel-postgres", feature = "channel-mysql"))]
macro_rules! every_outage {
    ($store:ident) => {
        on![$store:
            outages::a_store_killed_in_the_middle_loses_no_acknowledged_member_and_pushes_go_on,
            outages::a_cluster_starts_while_the_store_is_away_and_works_once_it_is_there,
        ]
    };
}

pub(super) fn trials() -> Vec<Trial> {
    let groups: &[fn() -> Vec<Trial>] = &[
        #[cfg(feature = "channel-redis")]
        || every_test!(redis),
        #[cfg(feature = "channel-redis")]
        || every_outage!(redis),
        #[cfg(feature = "channel-postgres")]
        || every_test!(postgres),
        #[cfg(feature = "channel-postgres")]
        || every_outage!(postgres),
        #[cfg(feature = "channel-mysql")]
        || every_test!(mariadb),
        #[cfg(feature = "channel-mysql")]
        || every_outage!(mariadb),
        #[cfg(feature = "channel-sqlite")]
        || every_test!(sqlite),
    ];
    groups.iter().flat_map(|group| group()).collect()
}

/// The same, up, with servers that know each other.
fn started(store: &dyn Store) -> Cluster {
    let cluster = prepared(&store.config());
    cluster.start();
    let told = |id: &str| cluster.has_note(&format!("{id} 1 after-start-all"));
    wait_until("all know that all are up", || ["c-1", "c-2", "chat-1"].into_iter().all(told));
    cluster
}

/// Pushes from chat-1; what the report says.
fn push(cluster: &Cluster, channel: &str, text: &str) -> Value {
    parsed(&cluster.order("chat-1", &format!("push {channel} {text}")))
}

fn complete(delivered: u64) -> Value {
    json!({"delivered": delivered, "failed": []})
}

#[track_caller]
fn parsed(answer: &str) -> Value {
    serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
