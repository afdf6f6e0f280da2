//! Connectors and stores that die.

use super::app::{ENOUGH, HOLD, PROGRESS};
use super::{Server, Store, complete, parsed, prepared, push, started};
use crate::support::{Cluster, Look, Signal, signal, wait_until};
use serde_json::{Value, json};
use std::fs;
use tangelo::core::wire::ServerState;

pub(super) fn a_killed_connector_leaves_no_ghost_and_a_push_names_whom_it_missed(store: &impl Store) {
    let cluster = started(store);
    assert_eq!(cluster.order("chat-1", "join lobby c-1 ann,bob"), "joined");
    assert_eq!(cluster.order("chat-1", "join lobby c-2 cho"), "joined");
    // Its next life would clear away at once who was there.
    cluster.write(HOLD, "");
    signal(cluster.list().pid("c-1"), Signal::KILL);
    assert_eq!(
        push(&cluster, "lobby", "hello"),
        json!({"delivered": 1, "failed": [["c-1", ["ann", "bob"], 0]]})
    );
    assert_eq!(parsed(&cluster.order("c-2", "heard")), json!({"cho": ["onChat: hello"]}));

    fs::remove_file(cluster.dir().join(HOLD)).expect("it holds");
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

/// How many joins were acknowledged, and how many messages pushed.
fn progress(cluster: &Cluster) -> (u64, u64) {
    let text = cluster.read(PROGRESS);
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

pub(super) fn a_store_killed_in_the_middle_loses_no_acknowledged_member_and_pushes_go_on(
    store: &impl Server,
) {
    let cluster = started(store);
    cluster.begin_order("chat-1", "churn lobby c-1");
    wait_until("users join", || progress(&cluster).0 >= 30);
    for _ in 0..3 {
        store.kill();
        let (_, pushed) = progress(&cluster);
        wait_until("pushes go on without the store", || progress(&cluster).1 >= pushed + 30);
        store.start_again();
        let (joined, _) = progress(&cluster);
        wait_until("users join again", || progress(&cluster).0 >= joined + 30);
    }
    cluster.write(ENOUGH, "");
    let outcome = parsed(&cluster.answer("chat-1"));
    assert_eq!(outcome["failed"], json!([]), "every push reaches all who have joined");
    assert!(outcome["slowestMs"].as_u64().is_some_and(|ms| ms < 1000), "no push waits for it: {outcome}");

    let joined = outcome["joined"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut expected: Vec<String> = joined.map(|uid| format!("c-1 {uid}")).collect();
    expected.sort();
    assert!(expected.len() >= 120);
    // A join that failed is taken back as soon as the store hears of it.
    wait_until("the store has exactly those who were acknowledged", || store.members("lobby") == expected);
    assert_eq!(push(&cluster, "lobby", "bye"), complete(expected.len() as u64));
    cluster.end();
}

pub(super) fn a_cluster_starts_while_the_store_is_away_and_works_once_it_is_there(store: &impl Server) {
    store.kill();
    let cluster = prepared(&store.config());
    cluster.start();
    assert!(cluster.list().all_up());
    wait_until("chat-1 knows all", || cluster.has_note("chat-1 1 after-start-all"));
    let log = cluster.log("c-1");
    assert!(log.contains("starting without the store of global channels"), "{log}");
    let answer = cluster.order("chat-1", "join lobby c-1 ann");
    assert!(answer.starts_with("Unavailable: "), "{answer}");
    assert_eq!(push(&cluster, "lobby", "hello"), complete(0), "a push needs no store");

    store.start_again();
    wait_until("users join", || cluster.order("chat-1", "join lobby c-1 ann") == "joined");
    assert_eq!(store.members("lobby"), ["c-1 ann"]);
    assert_eq!(push(&cluster, "lobby", "hello"), complete(1));
    cluster.end();
}
