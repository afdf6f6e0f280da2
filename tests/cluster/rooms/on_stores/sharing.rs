//! What users have of a channel that spans the cluster.

use super::{Store, complete, parsed, push, started};
use crate::support::wait_until;
use serde_json::json;

pub(super) fn users_at_different_connectors_share_a_channel(store: &impl Store) {
    let cluster = started(store);
    // Whoever asks, the connector of the user does it.
    assert_eq!(cluster.order("chat-1", "join lobby c-1 ann,bob"), "joined");
    assert_eq!(cluster.order("c-1", "join lobby c-2 cho"), "joined");
    assert_eq!(cluster.order("c-2", "join games c-2 cho,dee"), "joined");
    assert_eq!(store.members("lobby"), ["c-1 ann", "c-1 bob", "c-2 cho"]);
    assert_eq!(store.members("games"), ["c-2 cho", "c-2 dee"]);
    assert_eq!(cluster.order("c-2", "count lobby"), "3");

    assert_eq!(push(&cluster, "lobby", "hello"), complete(3));
    assert_eq!(push(&cluster, "games", "play"), complete(2));
    assert_eq!(cluster.order("c-2", "leave lobby c-1 bob"), "left");
    assert_eq!(push(&cluster, "lobby", "bye"), complete(2));
    assert_eq!(store.members("lobby"), ["c-1 ann", "c-2 cho"]);

    let heard = |id: &str| parsed(&cluster.order(id, "heard"));
    let (hello, bye, play) = ("onChat: hello", "onChat: bye", "onChat: play");
    assert_eq!(heard("c-1"), json!({"ann": [hello, bye], "bob": [hello]}));
    assert_eq!(heard("c-2"), json!({"cho": [hello, play, bye], "dee": [play]}));
    cluster.end();
    assert_eq!(store.members("lobby"), [""; 0], "a cluster that has ended leaves nobody");
}

pub(super) fn a_server_that_stops_takes_its_users_along(store: &impl Store) {
    let cluster = started(store);
    assert_eq!(cluster.order("chat-1", "join lobby c-1 ann"), "joined");
    assert_eq!(cluster.order("chat-1", "join lobby c-2 cho"), "joined");
    cluster.cli(&["stop", "c-1"]).ok();
    assert_eq!(store.members("lobby"), ["c-2 cho"]);
    wait_until("chat-1 has heard of the stop", || cluster.has_note("chat-1 1 removed c-1 1"));
    assert_eq!(push(&cluster, "lobby", "hello"), complete(1));
    let answer = cluster.order("chat-1", "join lobby c-1 ann");
    assert!(answer.starts_with("NotFound: there is no server c-1"), "{answer}");
    cluster.cli(&["start", "c-1"]).ok();
    wait_until("it is back", || cluster.order("chat-1", "join lobby c-1 ann") == "joined");
    assert_eq!(push(&cluster, "lobby", "again"), complete(2));
    cluster.end();
}
