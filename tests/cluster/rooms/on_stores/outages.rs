//! Stores that die. They are servers, and lose nothing that they have acknowledged.

use super::super::app::{ENOUGH, PROGRESS};
use super::{Store, complete, parsed, prepared, push, started};
use crate::support::{Cluster, Look, wait_until};
use serde_json::{Value, json};

/// A store that can be killed.
pub(super) trait Server: Store {
    /// Kills it (SIGKILL).
    fn kill(&self);

    /// Starts it again with its data, and waits until it answers.
    fn start_again(&self);
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
