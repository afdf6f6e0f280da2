//! Servers that die, hang, or never come up.

use crate::support::{Cluster, Look, Signal, is_alive, signal, trials, wait_until};
use serde_json::{Value, json};
use tangelo::core::wire::ServerState;

trials![
    a_killed_server_comes_back_as_its_next_incarnation_and_the_others_are_untouched,
    a_killed_server_without_auto_restart_stays_down_until_it_is_started,
    pomelo_frozen_server_stays_registered_a_frozen_one_is_noticed_and_replaced,
    a_frozen_server_without_auto_restart_is_shown_and_comes_back_when_it_thaws,
    a_crash_loop_ends_in_failed_and_start_resets_it,
    pomelo_crash_before_registering_is_never_restarted_it_counts_as_a_crash,
    a_crash_in_main_is_restarted_until_it_is_healed,
    a_component_that_fails_to_start_fails_the_server,
    a_server_that_does_not_come_up_in_time_is_replaced,
    sigterm_to_a_server_runs_its_hooks_and_it_is_restarted,
    sigterm_to_a_server_without_auto_restart_leaves_it_down,
    a_server_that_stops_itself_runs_its_hooks,
    pomelo_port_in_time_wait_counts_as_busy_a_server_gets_its_port_back_at_once,
];

/// Short enough to see a freeze soon, and long enough for a busy machine.
fn quick() -> Value {
    json!({"heartbeat": 300, "heartbeat-missed": 3, "reconnect-grace": 500})
}

fn a_killed_server_comes_back_as_its_next_incarnation_and_the_others_are_untouched() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true}, {"id": "chat-2", "auto-restart": true}, {"id": "chat-3"},
    ]}));
    let master = cluster.start();
    let before = cluster.list();
    signal(before.pid("chat-1"), Signal::KILL);
    let after = cluster.wait_for("chat-1 is back", |list| list.all_up() && list.incarnation("chat-1") == 2);
    assert_eq!(after.lives()[1..], before.lives()[1..], "nobody else was touched");
    assert_ne!(after.pid("chat-1"), before.pid("chat-1"));
    assert_eq!(after.server("chat-1").restarts, 1);
    assert!(master.out().contains("chat-1: crashed: killed by signal 9; restarting"), "{}", master.out());
    cluster.end();
}

fn a_killed_server_without_auto_restart_stays_down_until_it_is_started() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1"}, {"id": "chat-2"}]}));
    cluster.start();
    let before = cluster.list();
    signal(before.pid("chat-1"), Signal::KILL);
    let down = cluster.wait_for("chat-1 is shown as failed", |list| list.is("chat-1", ServerState::Failed));
    let row = down.server("chat-1");
    assert_eq!((row.pid, row.incarnation.0), (None, 1));
    assert!(row.detail.contains("signal 9") && row.detail.contains("auto-restart is off"), "{}", row.detail);
    assert_eq!(cluster.cli(&["start", "chat-1"]).ok(), "up: chat-1\n");
    let after = cluster.list();
    assert!(after.all_up());
    assert_eq!(after.incarnation("chat-1"), 2);
    assert_eq!(after.pid("chat-2"), before.pid("chat-2"));
    cluster.end();
}

fn pomelo_frozen_server_stays_registered_a_frozen_one_is_noticed_and_replaced() {
    let cluster = Cluster::with(
        json!({"chat": [{"id": "chat-1", "auto-restart": true}, {"id": "chat-2", "auto-restart": true}]}),
        quick(),
    );
    cluster.start();
    let before = cluster.list();
    signal(before.pid("chat-1"), Signal::STOP);
    let after = cluster.wait_for("chat-1 is replaced", |list| {
        list.all_up() && list.incarnation("chat-1") == 2 && list.pid("chat-1") != before.pid("chat-1")
    });
    assert!(!is_alive(before.pid("chat-1")), "the frozen one is gone");
    assert_eq!(after.lives()[1], before.lives()[1]);
    assert!(cluster.has_note("chat-2 1 removed chat-1 1"), "others were told: {:?}", cluster.notes());
    cluster.end();
}

fn a_frozen_server_without_auto_restart_is_shown_and_comes_back_when_it_thaws() {
    let cluster = Cluster::with(json!({"chat": [{"id": "chat-1"}]}), quick());
    cluster.start();
    let before = cluster.list();
    signal(before.pid("chat-1"), Signal::STOP);
    let frozen = cluster.wait_for("it is shown", |list| list.is("chat-1", ServerState::Failed));
    assert!(frozen.server("chat-1").detail.contains("heartbeat"), "{:?}", frozen.server("chat-1"));
    assert!(is_alive(before.pid("chat-1")), "auto-restart is off: nobody kills it");
    signal(before.pid("chat-1"), Signal::CONT);
    let after = cluster.wait_for("it is up again", |list| list.all_up());
    assert_eq!(after.lives(), before.lives());
    cluster.end();
}

fn a_crash_loop_ends_in_failed_and_start_resets_it() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true, "dies": "once-up", "max-restarts": 3, "restart-delay": 400},
        {"id": "chat-2"},
    ]}));
    let master = cluster.master(&["start"]);
    // Seen between its crashes: it waits, and says so.
    let seen = cluster.wait_for("it waits for its restart", |list| list.is("chat-1", ServerState::Backoff));
    assert!(seen.server("chat-1").detail.contains("exited with code 9"), "{:?}", seen.server("chat-1"));
    let failed = cluster.wait_for("it has failed", |list| list.is("chat-1", ServerState::Failed));
    let row = failed.server("chat-1");
    assert_eq!((row.restarts, row.incarnation.0), (3, 4), "started once and restarted three times");
    assert!(row.detail.contains("crashed over 3 times"), "{}", row.detail);
    assert!(master.out().contains("chat-1: failed: "), "{}", master.out());
    assert!(failed.is("chat-2", ServerState::Up));

    cluster.write("healed", "");
    assert_eq!(cluster.cli(&["start", "chat-1"]).ok(), "up: chat-1\n");
    let after = cluster.list();
    assert_eq!((after.server("chat-1").restarts, after.incarnation("chat-1")), (0, 5));
    cluster.end();
}

fn pomelo_crash_before_registering_is_never_restarted_it_counts_as_a_crash() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true, "dies": "in-main", "max-restarts": 2, "restart-delay": 20},
        {"id": "chat-2", "dies": "in-main"},
    ]}));
    let master = cluster.master(&["start"]);
    master.says("0 servers are up, 2 failed, after ");
    let list = cluster.list();
    let (looping, single) = (list.server("chat-1"), list.server("chat-2"));
    assert_eq!((looping.state, looping.incarnation.0), (ServerState::Failed, 3));
    assert_eq!((single.state, single.incarnation.0), (ServerState::Failed, 1));
    assert!(single.detail.contains("exited with code 7"), "{}", single.detail);
    assert!(cluster.log("chat-2").contains("dying in main"));
    cluster.end();
}

fn a_crash_in_main_is_restarted_until_it_is_healed() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true, "dies": "in-main", "max-restarts": 1000, "restart-delay": 20,
         "restart-max-delay": 50},
    ]}));
    let master = cluster.master(&["start"]);
    cluster.wait_for("it has crashed a few times", |list| list.server("chat-1").restarts >= 3);
    cluster.write("healed", "");
    master.says("all 1 servers are up");
    cluster.end();
}

fn a_component_that_fails_to_start_fails_the_server() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "dies": "fails-start", "components": 1}]}));
    let master = cluster.master(&["start"]);
    master.says("0 servers are up, 1 failed");
    let log = cluster.log("chat-1");
    assert!(log.contains("component behaviour cannot start: this component does not start"), "{log}");
    assert!(cluster.has_note("chat-1 1 c1 stop"), "what had started was stopped: {:?}", cluster.notes());
    cluster.end();
}

fn a_server_that_does_not_come_up_in_time_is_replaced() {
    let cluster = Cluster::with(
        json!({"chat": [{"id": "chat-1", "auto-restart": true, "dies": "blocked-start"}]}),
        json!({"start-timeout": 1000}),
    );
    let master = cluster.master(&["start"]);
    cluster.wait_for("it is replaced", |list| list.server("chat-1").restarts >= 1);
    assert!(master.out().contains("not up within 1 s"), "{}", master.out());
    cluster.write("healed", "");
    cluster.wait_for("it is up", |list| list.all_up());
    cluster.end();
}

fn sigterm_to_a_server_runs_its_hooks_and_it_is_restarted() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true, "hooks": ["note"], "components": 1},
    ]}));
    cluster.start();
    signal(cluster.list().pid("chat-1"), Signal::TERM);
    cluster.wait_for("it is back", |list| list.all_up() && list.incarnation("chat-1") == 2);
    assert!(cluster.place_of("chat-1 1 hook 1 done") < cluster.place_of("chat-1 1 c1 stop"));
    cluster.end();
}

fn sigterm_to_a_server_without_auto_restart_leaves_it_down() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "hooks": ["note"]}]}));
    cluster.start();
    signal(cluster.list().pid("chat-1"), Signal::TERM);
    cluster.wait_for("it is down", |list| list.is("chat-1", ServerState::Failed));
    assert!(cluster.has_note("chat-1 1 hook 1 done"));
    cluster.end();
}

fn a_server_that_stops_itself_runs_its_hooks() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "hooks": ["note"], "puppet": true}]}));
    cluster.start();
    cluster.begin_order("chat-1", "stop");
    cluster.wait_for("it is down", |list| list.is("chat-1", ServerState::Failed));
    assert!(cluster.has_note("chat-1 1 hook 1 done"));
    cluster.end();
}

fn pomelo_port_in_time_wait_counts_as_busy_a_server_gets_its_port_back_at_once() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "auto-restart": true}, {"id": "chat-2", "puppet": true},
    ]}));
    cluster.start();
    wait_until("chat-2 knows", || cluster.has_note("chat-2 1 after-start-all"));
    assert_eq!(cluster.order("chat-2", "call chat-1 echo 5000"), "chat-2: hello");
    // It closes the connection that it had taken, so TIME_WAIT is on its side.
    signal(cluster.list().pid("chat-1"), Signal::TERM);
    cluster.wait_for("it is back", |list| list.all_up() && list.incarnation("chat-1") == 2);
    wait_until("it answers on its port", || {
        cluster.order("chat-2", "call chat-1 echo 5000") == "chat-2: hello"
    });
    cluster.end();
}
