//! The end: of a server, and of the whole cluster.

use crate::support::{Cluster, Look, Signal, is_alive, signal, trials, wait_until};
use core::time::Duration;
use serde_json::{Value, json};
use tangelo::core::Instant;
use tangelo::core::wire::ServerState;

trials![
    stop_runs_the_hooks_stops_frontends_first_and_leaves_nobody,
    ctrl_c_stops_the_whole_cluster_in_order,
    pomelo_before_stop_hook_does_not_run_on_sigterm_ours_does,
    a_second_ctrl_c_does_not_wait_for_hooks,
    standbys_end_with_the_cluster,
    hooks_run_in_the_order_of_registration_and_a_panic_or_error_stops_none,
    a_hook_that_overruns_is_cut_off_reported_and_the_next_steps_go_on,
    pomelo_before_stop_hook_is_cut_off_after_3_s_a_longer_one_has_its_time,
    a_hook_that_blocks_its_thread_ends_by_force,
    a_frozen_server_is_killed_when_it_does_not_stop,
    a_cluster_stops_while_a_server_is_starting,
    a_cluster_stops_while_a_server_waits_for_its_restart,
    kill_asks_nobody_and_leaves_nobody,
    kill_of_one_server_keeps_it_down,
    a_leader_killed_while_stopping_the_standby_carries_the_end_through,
    stop_twice_at_once_both_succeed,
];

fn noting() -> Value {
    json!({
        "chat": [{"id": "chat-1", "auto-restart": true, "hooks": ["note"], "components": 2},
                 {"id": "chat-2", "hooks": ["note", "slow"]}],
        "connector": [{"id": "connector-1", "frontend": true, "auto-restart": true, "hooks": ["slow"], "components": 1}],
        "gate": [{"id": "gate-1", "frontend": true, "hooks": ["note"]}],
    })
}

/// The way down, as the servers have noted it.
#[track_caller]
fn assert_went_in_order(cluster: &Cluster) {
    let at = |note: &str| cluster.place_of(note);
    for frontend in ["connector-1 1 hook 1 done", "connector-1 1 c1 stop", "gate-1 1 hook 1 done"] {
        for backend in ["chat-1 1 hook 1 note", "chat-2 1 hook 1 note"] {
            assert!(at(frontend) < at(backend), "{frontend} before {backend}: {:#?}", cluster.notes());
        }
    }
    assert!(at("chat-1 1 hook 1 done") < at("chat-1 1 c2 stop"), "hooks while components still work");
    assert!(at("chat-1 1 c2 stop") < at("chat-1 1 c1 stop"), "in reverse order");
    assert!(at("chat-2 1 hook 2 done") > at("chat-2 1 hook 1 done"));
    let starts = cluster.notes().iter().filter(|note| note.ends_with(" before-start")).count();
    assert_eq!(starts, 4, "nobody was restarted while the cluster ended");
}

fn stop_runs_the_hooks_stops_frontends_first_and_leaves_nobody() {
    let cluster = Cluster::new(noting());
    let master = cluster.start();
    cluster.end();
    assert_went_in_order(&cluster);
    let ended = master.end();
    assert_eq!((ended.code, ended.out.lines().last()), (Some(0), Some("the cluster has stopped")));
    let failed = cluster.cli(&["list"]);
    assert!(failed.error().contains("no master is alive"), "{failed:?}");
}

fn ctrl_c_stops_the_whole_cluster_in_order() {
    stops_by(Signal::INT);
}

fn pomelo_before_stop_hook_does_not_run_on_sigterm_ours_does() {
    stops_by(Signal::TERM);
}

fn stops_by(how: Signal) {
    let cluster = Cluster::new(noting());
    let master = cluster.start();
    signal(master.pid(), how);
    let ended = master.end();
    assert_eq!((ended.code, ended.out.lines().last()), (Some(0), Some("the cluster has stopped")));
    cluster.assert_gone();
    assert_went_in_order(&cluster);
}

fn a_second_ctrl_c_does_not_wait_for_hooks() {
    let cluster =
        Cluster::new(json!({"chat": [{"id": "chat-1", "hooks": ["overrun"], "stop-timeout": 600}]}));
    let master = cluster.start();
    signal(master.pid(), Signal::INT);
    wait_until("the hook has begun", || cluster.has_note("chat-1 1 hook 1 overrun"));
    signal(master.pid(), Signal::INT);
    assert_eq!(master.end().code, Some(0));
    cluster.assert_gone();
}

fn standbys_end_with_the_cluster() {
    let cluster = Cluster::new(noting());
    let leader = cluster.start();
    let standbys = [cluster.standby(), cluster.standby()];
    signal(leader.pid(), Signal::TERM);
    assert_eq!(leader.end().code, Some(0));
    for standby in standbys {
        let ended = standby.end();
        assert_eq!((ended.code, ended.out.lines().last()), (Some(0), Some("the cluster has stopped")));
    }
    cluster.assert_gone();
}

fn hooks_run_in_the_order_of_registration_and_a_panic_or_error_stops_none() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "hooks": ["note", "panic", "fail", "note"], "components": 1},
    ]}));
    cluster.start();
    assert_eq!(cluster.cli(&["stop", "chat-1"]).ok(), "stopped: chat-1\n");
    let order = [
        "hook 1 note",
        "hook 1 done",
        "hook 2 panic",
        "hook 3 fail",
        "hook 4 note",
        "hook 4 done",
        "c1 stop",
    ];
    let places: Vec<usize> = order.iter().map(|what| cluster.place_of(&format!("chat-1 1 {what}"))).collect();
    assert!(places.is_sorted(), "{:#?}", cluster.notes());
    let log = cluster.log("chat-1");
    assert!(log.contains("before-stop hook 2 of 4 failed: panicked: a hook that panics"), "{log}");
    assert!(log.contains("before-stop hook 3 of 4 failed: a hook that fails"), "{log}");
    cluster.end();
}

fn a_hook_that_overruns_is_cut_off_reported_and_the_next_steps_go_on() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "hooks": ["note", "overrun"], "components": 1, "stop-timeout": 1},
    ]}));
    cluster.start();
    let stop = cluster.run(cluster.command(&["stop", "chat-1"]));
    // From here on nothing depends on the disk.
    wait_until("the hook has begun", || cluster.has_note("chat-1 1 hook 2 overrun"));
    let begun = Instant::now();
    wait_until("the component is stopped", || cluster.has_note("chat-1 1 c1 stop"));
    let took = Instant::now().saturating_since(begun);
    assert!((500..5000).contains(&took.as_millis()), "stop-timeout is 1 s: {took:?}");
    assert_eq!(stop.end().ok(), "stopped: chat-1\n");
    assert!(cluster.place_of("chat-1 1 hook 2 overrun") < cluster.place_of("chat-1 1 c1 stop"));
    assert!(!cluster.has_note("chat-1 1 hook 2 done"));
    let log = cluster.log("chat-1");
    assert!(
        log.contains("before-stop hook 2 of 2 overran its time") && log.contains("`stop-timeout`"),
        "{log}"
    );
    cluster.end();
}

fn pomelo_before_stop_hook_is_cut_off_after_3_s_a_longer_one_has_its_time() {
    // Thirteen times 0.3 s: more than Pomelo's 3 s, less than our 10 s.
    let hooks = vec!["slow"; 13];
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "hooks": hooks}]}));
    let master = cluster.start();
    signal(master.pid(), Signal::TERM);
    assert_eq!(master.end().code, Some(0));
    assert!(cluster.has_note("chat-1 1 hook 13 done"), "{:#?}", cluster.notes());
    cluster.assert_gone();
}

fn a_hook_that_blocks_its_thread_ends_by_force() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "hooks": ["block"], "stop-timeout": 1}, {"id": "chat-2"},
    ]}));
    cluster.start();
    let before = cluster.list();
    let stop = cluster.run(cluster.command(&["stop", "chat-1"]));
    wait_until("the hook has begun", || cluster.has_note("chat-1 1 hook 1 block"));
    let begun = Instant::now();
    wait_until("its process is gone", || !is_alive(before.pid("chat-1")));
    let took = Instant::now().saturating_since(begun);
    assert!(took < Duration::from_secs(12), "stop-timeout and a little: {took:?}");
    assert_eq!(stop.end().ok(), "stopped: chat-1\n");
    let after = cluster.list();
    assert!(after.is("chat-1", ServerState::Stopped));
    assert!(!is_alive(before.pid("chat-1")));
    assert_eq!(after.lives()[1], before.lives()[1]);
    cluster.end();
}

fn a_frozen_server_is_killed_when_it_does_not_stop() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "stop-timeout": 0}]}));
    let master = cluster.start();
    signal(cluster.list().pid("chat-1"), Signal::STOP);
    signal(master.pid(), Signal::TERM);
    assert_eq!(master.end().code, Some(0));
    cluster.assert_gone();
}

fn a_cluster_stops_while_a_server_is_starting() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "dies": "blocked-start", "auto-restart": true, "components": 1, "stop-timeout": 1},
        {"id": "chat-2", "dies": "blocked-start", "stop-timeout": 1},
    ]}));
    let master = cluster.master(&["start"]);
    wait_until("one has begun to start", || cluster.has_note("chat-1 1 c1 start"));
    signal(master.pid(), Signal::TERM);
    assert_eq!(master.end().code, Some(0));
    cluster.assert_gone();
    let mains =
        cluster.notes().iter().filter(|note| note.starts_with("chat-") && note.contains(" main ")).count();
    assert!(mains <= 2, "nobody was restarted: {:#?}", cluster.notes());
}

fn a_cluster_stops_while_a_server_waits_for_its_restart() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true, "dies": "in-main", "restart-delay": 60_000, "restart-max-delay": 60_000},
    ]}));
    cluster.master(&["start"]);
    cluster.wait_for("it waits", |list| list.is("chat-1", ServerState::Backoff));
    cluster.end();
}

fn kill_asks_nobody_and_leaves_nobody() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true, "hooks": ["overrun"], "stop-timeout": 600}, {"id": "chat-2"},
    ]}));
    let master = cluster.start();
    let standby = cluster.standby();
    assert_eq!(cluster.cli(&["kill"]).ok(), "the cluster is killed\n");
    cluster.assert_gone();
    assert!(!cluster.has_note("chat-1 1 hook 1 overrun"));
    assert_eq!((master.end().code, standby.end().code), (Some(0), Some(0)));
}

fn kill_of_one_server_keeps_it_down() {
    let cluster = Cluster::new(noting());
    cluster.start();
    let before = cluster.list();
    assert_eq!(cluster.cli(&["kill", "chat-1"]).ok(), "killed: chat-1\n");
    let after = cluster.list();
    assert!(after.is("chat-1", ServerState::Stopped), "a deliberate end, though auto-restart is on");
    assert!(!is_alive(before.pid("chat-1")));
    assert!(!cluster.has_note("chat-1 1 hook 1 note"), "it was not asked");
    assert_eq!(after.lives()[1..], before.lives()[1..]);
    cluster.end();
}

fn a_leader_killed_while_stopping_the_standby_carries_the_end_through() {
    let cluster = Cluster::new(json!({
        "connector": [{"id": "connector-1", "frontend": true, "hooks": ["slow", "slow", "slow"], "auto-restart": true}],
        "chat": [{"id": "chat-1", "auto-restart": true, "hooks": ["note"]}],
    }));
    let leader = cluster.start();
    let standby = cluster.standby();
    signal(leader.pid(), Signal::TERM);
    wait_until("the end has begun", || cluster.has_note("connector-1 1 hook 1 slow"));
    signal(leader.pid(), Signal::KILL);
    assert_eq!(standby.end().code, Some(0));
    cluster.assert_gone();
    assert!(cluster.has_note("chat-1 1 hook 1 done"), "in order all the same: {:#?}", cluster.notes());
    assert!(!cluster.notes().iter().any(|note| note.starts_with("connector-1 2")), "nobody was restarted");
}

fn stop_twice_at_once_both_succeed() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "hooks": ["slow"]}]}));
    let master = cluster.start();
    let first = cluster.run(cluster.command(&["stop"]));
    wait_until("the end has begun", || cluster.has_note("chat-1 1 hook 1 slow"));
    let second = cluster.cli(&["stop"]);
    assert_eq!(second.ok(), "the cluster is stopped\n");
    assert_eq!(first.end().ok(), "the cluster is stopped\n");
    assert_eq!(master.end().code, Some(0));
    cluster.assert_gone();
}
