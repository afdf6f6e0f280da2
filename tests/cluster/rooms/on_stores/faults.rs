//! Connectors that die.

use super::{Store, complete, parsed, push, started};
use crate::support::{Look, Signal, signal, wait_until};
use serde_json::json;
use tangelo::core::wire::ServerState;

pub(super) fn a_killed_connector_leaves_no_ghost_and_a_push_names_whom_it_missed(store: &impl Store) {
    let cluster = started(store);
    assert_eq!(cluster.order("chat-1", "join lobby c-1 ann,bob"), "joined");
    assert_eq!(cluster.order("chat-1", "join lobby c-2 cho"), "joined");
    // Right after the kill: the master has not heard of it yet, and nobody has cleared anything away.
    let list = cluster.list();
    signal(list.leader().pid, Signal::STOP);
    signal(list.pid("c-1"), Signal::KILL);
    assert_eq!(
        push(&cluster, "lobby", "hello"),
        json!({"delivered": 1, "failed": [["c-1", ["ann", "bob"], 0]]})
    );
    assert_eq!(parsed(&cluster.order("c-2", "heard")), json!({"cho": ["onChat: hello"]}));

    signal(list.leader().pid, Signal::CONT);
    cluster.wait_for("the connector is back", |list| {
        list.is("c-1", ServerState::Up) && list.incarnation("c-1") == 2
    });
    assert_eq!(store.members("lobby"), ["c-2 cho"], "no ghosts");
    wait_until("chat-1 knows its new life", || cluster.has_note("chat-1 1 added c-1 2"));
    assert_eq!(push(&cluster, "lobby", "again"), complete(1), "nobody is missed");
    assert_eq!(cluster.order("chat-1", "join lobby c-1 ann"), "joined");
    assert_eq!(push(&cluster, "lobby", "third"), complete(2));
    assert_eq!(store.members("lobby"), ["c-1 ann", "c-2 cho"]);
    cluster.end();
}
