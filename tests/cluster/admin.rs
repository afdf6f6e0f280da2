//! `add`, `restart`, `start ID`, and what commands say when they cannot.

use crate::support::{Cluster, Look, PROMPT, Signal, signal, trials, within};
use serde_json::{Value, json};
use tangelo::core::Instant;
use tangelo::core::wire::{Listing, ServerState};

trials![
    add_starts_a_server_and_everybody_hears_of_it,
    pomelo_add_foo_bar_succeeds_ours_says_what_is_missing,
    add_refuses_what_servers_json_would,
    restart_of_one_server_runs_its_hooks_and_leaves_the_others,
    restart_of_a_type_leaves_other_types,
    restart_of_all_keeps_the_master,
    a_rolling_restart_never_has_two_servers_down,
    a_rolling_restart_stops_at_the_first_server_that_does_not_come_back,
    restart_brings_a_failed_server_back,
    stop_and_start_of_one_server,
    unknown_ids_are_named_with_those_that_exist,
    commands_without_a_master_say_so_at_once,
    usage_errors_exit_with_2,
    a_command_for_a_server_s_port_is_told_so,
    a_command_for_a_port_where_nobody_listens_says_so,
    many_commands_at_once_are_all_answered,
];

fn servers() -> Value {
    json!({
        "chat": [{"id": "chat-1", "auto-restart": true, "hooks": ["note"]}, {"id": "chat-2"}, {"id": "chat-3"}],
        "gate": [{"id": "gate-1"}],
    })
}

fn add_starts_a_server_and_everybody_hears_of_it() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let before = cluster.list();
    let port = format!("port={}", cluster.ports.next());
    let added = cluster.cli(&[
        "add",
        "serverType=area",
        "id=area-1",
        "host=127.0.0.1",
        &port,
        "level=7",
        "args=-x y",
    ]);
    assert_eq!(added.ok(), "up: area-1\n");
    let list = cluster.list();
    assert_eq!(list.lives()[..4], before.lives()[..]);
    assert_eq!(list.server("area-1").server_type, "area");
    assert!(cluster.has_note("area-1 1 main -x|y"), "{:#?}", cluster.notes());
    within(crate::support::DEADLINE, || cluster.has_note("chat-2 1 added area-1 1").then_some(()))
        .expect("told");
    cluster.end();
    // It lives as long as the cluster does.
    cluster.start();
    assert!(!cluster.list().servers.iter().any(|server| server.id == "area-1"));
    cluster.end();
}

fn pomelo_add_foo_bar_succeeds_ours_says_what_is_missing() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let failed = cluster.cli(&["add", "foo=bar"]);
    assert!(failed.error().contains("id"), "{failed:?}");
    let failed = cluster.cli(&["add", "foo"]);
    assert!(failed.error().contains("`foo`: expected key=value"), "{failed:?}");
    assert_eq!(cluster.list().servers.len(), 4);
    cluster.end();
}

fn add_refuses_what_servers_json_would() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let free = format!("port={}", cluster.ports.next());
    let taken = format!("port={}", cluster.list().server("chat-1").port.expect("it has one"));
    let master = format!("port={}", cluster.port);
    let base = ["add", "serverType=chat", "host=127.0.0.1"];
    for (more, complaint) in [
        (vec!["id=chat-1", &free], "chat-1"),
        (vec!["id=chat-9", &taken], "chat-1"),
        (vec!["id=chat-9", &master], "master"),
        (vec!["id=chat-9", "port=70000"], "expected a port"),
        (vec!["id=chat-9", &free, "cpu=1000"], "1000"),
        (vec!["id=chat-9", &free, "frontend=true"], "clientPort"),
        (vec!["id=chat-9", &free, "auto-restart=perhaps"], "expected true or false"),
        (vec!["id=a/b", &free], "expected a name"),
    ] {
        let args: Vec<&str> = base.iter().copied().chain(more).collect();
        let failed = cluster.cli(&args);
        assert!(failed.error().contains(complaint), "{args:?}: {failed:?}");
    }
    let list = cluster.list();
    assert!(list.servers.len() == 4 && list.all_up());
    cluster.end();
}

fn restart_of_one_server_runs_its_hooks_and_leaves_the_others() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let before = cluster.list();
    assert_eq!(cluster.cli(&["restart", "chat-1"]).ok(), "up again: chat-1\n");
    let after = cluster.list();
    assert!(after.all_up());
    assert_eq!((after.incarnation("chat-1"), after.server("chat-1").restarts), (2, 0));
    assert!(cluster.has_note("chat-1 1 hook 1 done"));
    assert_eq!(after.lives()[1..], before.lives()[1..]);
    cluster.end();
}

fn restart_of_a_type_leaves_other_types() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let before = cluster.list();
    assert_eq!(cluster.cli(&["restart", "-t", "chat"]).ok(), "up again: chat-1, chat-2, chat-3\n");
    let after = cluster.list();
    assert!(after.all_up());
    assert!(["chat-1", "chat-2", "chat-3"].iter().all(|id| after.incarnation(id) == 2));
    assert_eq!(after.lives()[3], before.lives()[3]);
    cluster.end();
}

fn restart_of_all_keeps_the_master() {
    let cluster = Cluster::new(servers());
    let master = cluster.start();
    cluster.cli(&["restart"]).ok();
    let after = cluster.list();
    assert!(after.all_up() && after.servers.iter().all(|server| server.incarnation.0 == 2));
    assert_eq!((after.leader().pid, after.leader().epoch.0), (master.pid(), 1));
    cluster.end();
}

fn a_rolling_restart_never_has_two_servers_down() {
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "hooks": ["slow"]}, {"id": "chat-2", "hooks": ["slow"]}, {"id": "chat-3", "hooks": ["slow"]},
    ], "gate": [{"id": "gate-1"}]}));
    cluster.start();
    let before = cluster.list();
    let restart = cluster.run(cluster.command(&["restart", "-t", "chat", "--rolling"]));
    let seen = core::cell::Cell::new(0);
    cluster.wait_for("all three were restarted", |list| {
        let down: Vec<_> = list.servers.iter().filter(|server| server.state != ServerState::Up).collect();
        assert!(down.len() <= 1, "two are down at once: {down:?}");
        seen.set(seen.get() + down.len());
        list.all_up() && ["chat-1", "chat-2", "chat-3"].iter().all(|id| list.incarnation(id) == 2)
    });
    assert!(seen.get() > 0, "the looks were too rare to mean anything");
    assert_eq!(restart.end().ok(), "up again: chat-1, chat-2, chat-3\n");
    assert_eq!(cluster.list().lives()[3], before.lives()[3]);
    // One after the other: each is through before the next begins.
    let done = |id: &str| cluster.place_of(&format!("{id} 2 before-start"));
    let begun = |id: &str| cluster.place_of(&format!("{id} 1 hook 1 slow"));
    assert!(done("chat-1") < begun("chat-2") && done("chat-2") < begun("chat-3"), "{:#?}", cluster.notes());
    cluster.end();
}

fn a_rolling_restart_stops_at_the_first_server_that_does_not_come_back() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "dies": "at-start"}, {"id": "chat-2"}]}));
    cluster.write("healed", "");
    cluster.start();
    std::fs::remove_file(cluster.dir().join("healed")).expect("it can be ill again");
    let before = cluster.list();
    let failed = cluster.cli(&["restart", "--rolling"]);
    assert!(failed.error().contains("chat-1"), "{failed:?}");
    let after = cluster.list();
    assert!(after.is("chat-1", ServerState::Failed));
    assert_eq!(after.lives()[1], before.lives()[1], "the healthy one was left alone");
    cluster.end();
}

fn restart_brings_a_failed_server_back() {
    let cluster = Cluster::new(servers());
    cluster.start();
    signal(cluster.list().pid("chat-2"), Signal::KILL);
    cluster.wait_for("it has failed", |list| list.is("chat-2", ServerState::Failed));
    assert_eq!(cluster.cli(&["restart", "chat-2"]).ok(), "up again: chat-2\n");
    assert!(cluster.list().all_up());
    cluster.end();
}

fn stop_and_start_of_one_server() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let before = cluster.list();
    assert_eq!(cluster.cli(&["stop", "chat-1", "chat-2"]).ok(), "stopped: chat-1, chat-2\n");
    let stopped = cluster.list();
    assert!(stopped.is("chat-1", ServerState::Stopped) && stopped.is("chat-2", ServerState::Stopped));
    assert_eq!(stopped.lives()[2..], before.lives()[2..]);
    assert_eq!(cluster.cli(&["stop", "chat-1"]).ok(), "stopped: chat-1\n", "it is so already");
    assert_eq!(cluster.cli(&["start", "chat-1", "chat-2"]).ok(), "up: chat-1, chat-2\n");
    assert_eq!(cluster.cli(&["start", "chat-1"]).ok(), "up: chat-1\n", "it is so already");
    let after = cluster.list();
    assert!(after.all_up());
    assert_eq!(after.incarnation("chat-1"), 2);
    cluster.end();
}

fn unknown_ids_are_named_with_those_that_exist() {
    let cluster = Cluster::new(servers());
    cluster.start();
    for command in ["stop", "start", "restart", "kill"] {
        let failed = cluster.cli(&[command, "chat-1", "nobody"]);
        let expected = "there is no server nobody: there are chat-1, chat-2, chat-3, gate-1";
        assert!(failed.error().contains(expected), "{failed:?}");
    }
    assert!(cluster.list().all_up(), "none of it was done");
    cluster.end();
}

fn commands_without_a_master_say_so_at_once() {
    let cluster = Cluster::new(servers());
    let commands: [&[&str]; 7] = [
        &["list"],
        &["list", "--json"],
        &["stop"],
        &["stop", "chat-1"],
        &["restart"],
        &["kill"],
        &["add", "serverType=chat", "id=chat-9", "host=127.0.0.1"],
    ];
    // Before the cluster's first start, and after its end.
    for round in 0..2 {
        for args in commands {
            let asked = Instant::now();
            let failed = cluster.cli(args);
            let took = Instant::now().saturating_since(asked);
            assert!(failed.error().contains("no master is alive"), "{round} {args:?}: {failed:?}");
            assert!(took < PROMPT, "{args:?} took {took:?}");
        }
        if round == 0 {
            cluster.start();
            cluster.end();
        }
    }
}

fn usage_errors_exit_with_2() {
    let cluster = Cluster::new(servers());
    let wrong: [&[&str]; 6] = [
        &["frobnicate"],
        &["list", "--jsn"],
        &["list", "--port", "x"],
        &["add"],
        &["start", "-D", "chat-1"],
        &["kill", "--host", "h"],
    ];
    for args in wrong {
        let failed = cluster.cli(args);
        assert_eq!(failed.code, Some(2), "{args:?}: {failed:?}");
        assert!(failed.out.is_empty() && failed.err.contains("--help"), "{args:?}: {failed:?}");
    }
}

fn a_command_for_a_server_s_port_is_told_so() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let port = cluster.list().server("chat-1").port.expect("it has one").to_string();
    let failed = cluster.cli(&["list", "--port", &port]);
    assert!(failed.error().contains("chat-1, not a master"), "{failed:?}");
    cluster.end();
}

fn a_command_for_a_port_where_nobody_listens_says_so() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let port = cluster.ports.next().to_string();
    let failed = cluster.cli(&["list", "--port", &port]);
    assert!(failed.error().contains(&port), "{failed:?}");
    cluster.end();
}

fn many_commands_at_once_are_all_answered() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let lists: Vec<_> = (0..12).map(|_| cluster.run(cluster.command(&["list", "--json"]))).collect();
    let restart = cluster.run(cluster.command(&["restart", "chat-1"]));
    for list in lists {
        let listing: Listing = serde_json::from_str(list.end().ok()).expect("JSON");
        assert_eq!(listing.servers.len(), 4);
    }
    assert_eq!(restart.end().ok(), "up again: chat-1\n");
    cluster.end();
}
