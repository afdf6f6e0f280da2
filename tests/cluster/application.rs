//! The application's turns, its view of the others, and calls between servers.

use crate::support::{Cluster, Look, Signal, signal, trials, wait_until};
use serde_json::json;
use tangelo::core::Instant;

trials![
    hooks_and_components_have_their_turns_in_order,
    after_start_all_runs_once_in_every_server_when_all_are_up,
    servers_know_who_is_up_and_hear_of_changes,
    a_server_calls_another_and_has_its_answer,
    a_call_to_a_killed_server_fails_at_once,
    calls_that_cannot_be_answered_say_why,
    calls_go_on_while_no_master_lives,
    servers_keep_their_view_across_a_leader_change,
    the_server_s_own_args_reach_it,
];

fn hooks_and_components_have_their_turns_in_order() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "components": 2}]}));
    cluster.start();
    wait_until("it has had all its turns", || cluster.has_note("chat-1 1 after-start-all"));
    let turns = [
        "main ",
        "is chat",
        "before-start",
        "c1 start",
        "c2 start",
        "c1 after-start",
        "c2 after-start",
        "after-start-all",
    ];
    let places: Vec<usize> = turns.iter().map(|turn| cluster.place_of(&format!("chat-1 1 {turn}"))).collect();
    assert!(places.is_sorted(), "{:#?}", cluster.notes());
    cluster.end();
    let turns = ["after-start-all", "c2 stop", "c1 stop"];
    let places: Vec<usize> = turns.iter().map(|turn| cluster.place_of(&format!("chat-1 1 {turn}"))).collect();
    assert!(places.is_sorted(), "{:#?}", cluster.notes());
}

fn after_start_all_runs_once_in_every_server_when_all_are_up() {
    let cluster = Cluster::new(json!({
        "chat": [{"id": "chat-1", "components": 1, "auto-restart": true}, {"id": "chat-2", "components": 1}],
        "gate": [{"id": "gate-1", "components": 1}],
    }));
    let leader = cluster.start();
    let ids = ["chat-1", "chat-2", "gate-1"];
    wait_until("all were told", || ids.iter().all(|id| cluster.has_note(&format!("{id} 1 after-start-all"))));
    let last_start = ids.iter().map(|id| cluster.place_of(&format!("{id} 1 c1 after-start"))).max();
    let first_told = ids.iter().map(|id| cluster.place_of(&format!("{id} 1 after-start-all"))).min();
    assert!(last_start < first_told, "{:#?}", cluster.notes());
    for (id, other) in ids.iter().flat_map(|id| ids.iter().map(move |other| (id, other))) {
        let known = cluster.place_of(&format!("{id} 1 added {other} 1"));
        assert!(known < cluster.place_of(&format!("{id} 1 after-start-all")), "{:#?}", cluster.notes());
    }
    assert!(!cluster.has_note("gate-1 1 is chat") && !cluster.has_note("chat-1 1 production"));

    // Neither a restart nor a new leader tells the others again; the restarted one is told for itself.
    signal(cluster.list().pid("chat-1"), Signal::KILL);
    wait_until("the restarted one is told", || cluster.has_note("chat-1 2 after-start-all"));
    let standby = cluster.standby();
    signal(leader.pid(), Signal::KILL);
    standby.says("all 3 servers are up");
    cluster.end();
    let told = cluster.notes().iter().filter(|note| note.ends_with(" after-start-all")).count();
    assert_eq!(told, 4, "{:#?}", cluster.notes());
}

fn servers_know_who_is_up_and_hear_of_changes() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "puppet": true}, {"id": "chat-2", "auto-restart": true}, {"id": "chat-3"},
    ]}));
    cluster.start();
    wait_until("chat-1 knows all three", || {
        cluster.order("chat-1", "servers") == "chat-1#1 chat-2#1 chat-3#1 "
    });
    signal(cluster.list().pid("chat-2"), Signal::KILL);
    wait_until("chat-1 has heard of its return", || cluster.has_note("chat-1 1 added chat-2 2"));
    assert!(cluster.place_of("chat-1 1 removed chat-2 1") < cluster.place_of("chat-1 1 added chat-2 2"));
    assert_eq!(cluster.order("chat-1", "servers"), "chat-1#1 chat-2#2 chat-3#1 ");
    cluster.cli(&["stop", "chat-3"]).ok();
    wait_until("chat-1 has heard of the stop", || cluster.has_note("chat-1 1 removed chat-3 1"));
    assert_eq!(cluster.order("chat-1", "servers"), "chat-1#1 chat-2#2 ");
    cluster.end();
}

/// Waits until chat-1 knows that all are up: the master knows it a moment before.
#[track_caller]
fn knows_all(cluster: &Cluster) {
    wait_until("chat-1 knows that all are up", || cluster.has_note("chat-1 1 after-start-all"));
}

fn a_server_calls_another_and_has_its_answer() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}, {"id": "chat-2"}]}));
    cluster.start();
    knows_all(&cluster);
    assert_eq!(cluster.order("chat-1", "call chat-2 echo 5000"), "chat-1: hello");
    assert_eq!(cluster.order("chat-1", "call chat-1 echo 5000"), "chat-1: hello", "itself too");
    cluster.end();
}

fn a_call_to_a_killed_server_fails_at_once() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}, {"id": "chat-2"}]}));
    cluster.start();
    knows_all(&cluster);
    cluster.begin_order("chat-1", "call chat-2 sleep 60000");
    wait_until("the call is under way", || cluster.has_note("chat-2 1 asked to sleep"));
    let killed = Instant::now();
    signal(cluster.list().pid("chat-2"), Signal::KILL);
    let answer = cluster.answer("chat-1");
    assert!(answer.starts_with("Unavailable: the link to chat-2 is gone"), "{answer}");
    let took = Instant::now().saturating_since(killed);
    assert!(took.as_secs() < 5, "at once: {took:?}");
    wait_until("chat-1 knows", || cluster.has_note("chat-1 1 removed chat-2 1"));
    let answer = cluster.order("chat-1", "call chat-2 echo 60000");
    assert!(answer.starts_with("NotFound: there is no server chat-2"), "{answer}");
    cluster.end();
}

fn calls_that_cannot_be_answered_say_why() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "puppet": true}, {"id": "chat-2"}, {"id": "chat-3", "port": null},
    ]}));
    cluster.start();
    knows_all(&cluster);
    for (order, expected) in [
        ("call chat-2 nothing 5000", "NotFound: there is no remote nothing"),
        ("call chat-2 panic 5000", "Io: remote panic panicked"),
        ("call chat-2 huge 5000", "Invalid: its answer cannot be sent: a message of"),
        ("call chat-2 sleep 200", "Timeout: chat-2 has not answered sleep within 200 ms"),
        ("call chat-9 echo 5000", "NotFound: there is no server chat-9"),
        ("call chat-3 echo 5000", "NotFound: chat-3 takes no calls"),
        ("call chat-2 echo 5000", "chat-1: hello"),
    ] {
        let answer = cluster.order("chat-1", order);
        assert!(answer.starts_with(expected), "{order}: {answer}");
    }
    cluster.end();
}

fn calls_go_on_while_no_master_lives() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}, {"id": "chat-2"}]}));
    let master = cluster.start();
    knows_all(&cluster);
    assert_eq!(cluster.order("chat-1", "call chat-2 echo 5000"), "chat-1: hello");
    signal(master.pid(), Signal::KILL);
    master.end();
    wait_until("chat-1 has noticed", || cluster.log("chat-1").contains("the link to the master is gone"));
    assert_eq!(cluster.order("chat-1", "call chat-2 echo 5000"), "chat-1: hello");
    cluster.start();
    cluster.end();
}

pub(crate) fn servers_keep_their_view_across_a_leader_change() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}, {"id": "chat-2"}]}));
    let leader = cluster.start();
    let standby = cluster.standby();
    wait_until("chat-1 knows both", || cluster.order("chat-1", "servers") == "chat-1#1 chat-2#1 ");
    signal(leader.pid(), Signal::KILL);
    standby.says("all 2 servers are up");
    assert_eq!(cluster.order("chat-1", "servers"), "chat-1#1 chat-2#1 ");
    assert!(!cluster.notes().iter().any(|note| note.contains(" removed ")), "{:#?}", cluster.notes());
    cluster.end();
}

fn the_server_s_own_args_reach_it() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "args": "--level 3 --name=x"}, {"id": "chat-2", "args": ["a b", "--dir", "-e"]},
    ]}));
    cluster.start();
    assert!(cluster.has_note("chat-1 1 main --level|3|--name=x"), "{:#?}", cluster.notes());
    assert!(cluster.has_note("chat-2 1 main a b|--dir|-e"), "{:#?}", cluster.notes());
    cluster.end();
}
