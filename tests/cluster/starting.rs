//! `start` in its forms, and what is there once it is through.

use crate::support::{Cluster, Look, Signal, is_alive, signal, trials, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tangelo::core::wire::ServerState;

trials![
    start_brings_every_server_up_and_says_in_how_many_ms,
    list_json_has_exactly_the_documented_fields,
    list_for_people_shows_masters_and_servers,
    each_server_has_its_own_log_and_session,
    start_in_the_background_returns_when_all_are_up_and_the_cluster_lives_on,
    start_in_the_background_says_when_a_server_cannot_come_up,
    start_of_one_type_leaves_the_others_stopped,
    start_of_one_id_leaves_the_others_stopped,
    start_of_the_master_alone_starts_no_server,
    start_of_an_unknown_type_names_those_there_are,
    thirty_servers_start,
    a_cluster_starts_again_after_its_end,
    a_cluster_killed_whole_starts_again,
    a_server_of_another_host_is_not_launched_here,
];

fn chat_cluster() -> Cluster {
    Cluster::new(json!({
        "connector": [{"id": "connector-1", "frontend": true, "auto-restart": "true"}],
        "chat": [{"id": "chat-1", "auto-restart": true}, {"id": "chat-2"}],
        "gate": [{"id": "gate-1", "port": null, "frontend": true}],
    }))
}

fn start_brings_every_server_up_and_says_in_how_many_ms() {
    let cluster = chat_cluster();
    let master = cluster.start();
    let line = master.says("all 4 servers are up after ");
    let ms = line.trim_start_matches("all 4 servers are up after ").trim_end_matches(" ms");
    assert!(ms.parse::<u32>().is_ok(), "{line}");
    let list = cluster.list();
    assert!(list.all_up());
    assert_eq!(list.leader().pid, master.pid());
    for server in &list.servers {
        assert!(is_alive(server.pid.expect("it is up")));
        assert_eq!((server.incarnation.0, server.restarts), (1, 0));
        let up = format!("{}: up, pid {}", server.id, server.pid.expect("it is up"));
        assert!(master.out().lines().any(|line| line == up), "no line `{up}` in {}", master.out());
    }
    let order: Vec<&str> = list.servers.iter().map(|server| server.id.as_str()).collect();
    assert_eq!(order, ["connector-1", "chat-1", "chat-2", "gate-1"], "as in servers.json");
    cluster.end();
    assert_eq!(master.end().code, Some(0));
}

fn list_json_has_exactly_the_documented_fields() {
    let cluster = chat_cluster();
    let master = cluster.start();
    let json: Value = serde_json::from_str(cluster.cli(&["list", "--json"]).ok()).expect("JSON");
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&json), ["masters", "servers"]);
    assert_eq!(
        json["masters"],
        json!([{"id": "master-1", "host": "127.0.0.1", "port": cluster.port, "pid": master.pid(),
                "role": "leader", "epoch": 1, "state": "leading"}])
    );
    for server in json["servers"].as_array().expect("a list") {
        assert_eq!(
            keys(server),
            [
                "clientPort",
                "cpu",
                "detail",
                "host",
                "id",
                "incarnation",
                "pid",
                "port",
                "restarts",
                "rssBytes",
                "serverType",
                "state",
                "uptimeMs"
            ]
        );
        assert_eq!(server["state"], "up");
        assert!(server["pid"].as_u64().is_some_and(|pid| pid > 1));
        assert!(server["cpu"].as_str().is_some_and(|cpus| !cpus.is_empty()));
        assert!(server["uptimeMs"].as_u64().is_some());
        assert!(server["rssBytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000));
    }
    let gate = &json["servers"][3];
    assert_eq!(gate["port"], Value::Null);
    assert!(gate["clientPort"].as_u64().is_some());
    cluster.end();
}

fn list_for_people_shows_masters_and_servers() {
    let cluster = chat_cluster();
    cluster.start();
    let shown = cluster.cli(&["list"]);
    let lines: Vec<Vec<&str>> = shown.ok().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["MASTER", "ADDRESS", "PID", "ROLE", "EPOCH", "STATE"]);
    assert_eq!(lines[1][..2], ["master-1", &format!("127.0.0.1:{}", cluster.port)]);
    assert_eq!(lines[1][3..], ["leader", "1", "leading"]);
    assert_eq!(
        lines[3],
        ["SERVER", "TYPE", "ADDRESS", "PID", "STATE", "CPU", "RESTARTS", "UPTIME", "RSS", "DETAIL"]
    );
    let chat = lines.iter().find(|line| line.first() == Some(&"chat-1")).expect("a line for chat-1");
    assert_eq!((chat[1], chat[4], *chat.last().expect("a status")), ("chat", "up", "well"));
    cluster.end();
}

fn each_server_has_its_own_log_and_session() {
    let cluster = chat_cluster();
    let master = cluster.start();
    for server in cluster.list().servers {
        assert!(cluster.log(&server.id).contains(&server.id), "{}", cluster.log(&server.id));
        let pid = server.pid.expect("it is up");
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a stat").1.split_whitespace().collect();
        let (group, session) = (fields[2], fields[3]);
        assert_eq!((group, session), (&*pid.to_string(), &*pid.to_string()), "its own group and session");
        for fd in [1, 2] {
            let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).expect("it has an output");
            assert_eq!(target, cluster.dir().join(format!("logs/{}.log", server.id)));
        }
    }
    let mode = |path: &str| fs::metadata(cluster.dir().join(path)).expect(path).permissions().mode() & 0o777;
    assert_eq!(mode("run/secret"), 0o600);
    assert_eq!(mode("logs/chat-1.log") & 0o007, 0, "not for everybody");
    cluster.end();
    assert_eq!(master.end().code, Some(0));
}

fn start_in_the_background_returns_when_all_are_up_and_the_cluster_lives_on() {
    let cluster = chat_cluster();
    let started = cluster.cli(&["start", "-D"]);
    assert!(started.ok().starts_with("all 4 servers are up after "), "{started:?}");
    let list = cluster.list();
    assert!(list.all_up());
    let lines = cluster.log("master-1");
    assert!(lines.contains("all 4 servers are up"), "the master's own log: {lines}");
    assert_eq!(cluster.list().lives(), list.lives());
    cluster.end();
}

fn start_in_the_background_says_when_a_server_cannot_come_up() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1"}, {"id": "bad-1", "dies": "at-start"}]}));
    let started = cluster.cli(&["start", "-D"]);
    let error = started.error();
    assert!(error.contains("bad-1") && error.contains("exited with code 8"), "{error}");
    let list = cluster.list();
    assert!(list.is("chat-1", ServerState::Up) && list.is("bad-1", ServerState::Failed));
    cluster.end();
}

fn start_of_one_type_leaves_the_others_stopped() {
    let cluster = chat_cluster();
    let master = cluster.master(&["start", "-t", "connector"]);
    master.says("all 1 servers are up");
    let list = cluster.list();
    assert!(list.is("connector-1", ServerState::Up));
    assert!(["chat-1", "chat-2", "gate-1"].iter().all(|id| list.is(id, ServerState::Stopped)), "{list:?}");
    assert_eq!(cluster.cli(&["start", "chat-2"]).ok(), "up: chat-2\n");
    let list = cluster.list();
    assert!(list.is("chat-2", ServerState::Up) && list.is("chat-1", ServerState::Stopped));
    cluster.end();
}

fn start_of_one_id_leaves_the_others_stopped() {
    let cluster = chat_cluster();
    cluster.master(&["start", "-i", "chat-2"]).says("all 1 servers are up");
    let list = cluster.list();
    assert!(list.is("chat-2", ServerState::Up));
    assert!(["chat-1", "connector-1", "gate-1"].iter().all(|id| list.is(id, ServerState::Stopped)));
    cluster.end();
}

fn start_of_the_master_alone_starts_no_server() {
    let cluster = chat_cluster();
    cluster.master(&["start", "-t", "master"]).says("all 0 servers are up");
    assert!(cluster.list().servers.iter().all(|server| server.state == ServerState::Stopped));
    cluster.end();
}

fn start_of_an_unknown_type_names_those_there_are() {
    let cluster = chat_cluster();
    let failed = cluster.cli(&["start", "-t", "area"]);
    assert!(failed.error().contains("there are connector, chat, gate"), "{failed:?}");
    cluster.assert_gone();
}

fn thirty_servers_start() {
    let servers: Vec<Value> = (1..=30).map(|n| json!({"id": format!("area-{n}")})).collect();
    let cluster = Cluster::new(json!({"area": servers}));
    let master = cluster.start();
    master.says("all 30 servers are up");
    let list = cluster.list();
    assert!(list.all_up() && list.servers.len() == 30);
    assert!(list.servers.iter().all(|server| server.incarnation.0 == 1), "each of them at the first go");
    cluster.end();
}

fn a_cluster_starts_again_after_its_end() {
    let cluster = chat_cluster();
    cluster.start();
    assert_eq!(cluster.cli(&["stop", "chat-2"]).ok(), "stopped: chat-2\n");
    cluster.end();
    // A deliberate stop belongs to the cluster that has ended.
    let master = cluster.start();
    master.says("all 4 servers are up");
    assert_eq!(cluster.list().leader().epoch.0, 2, "epochs only grow");
    cluster.end();
}

fn a_cluster_killed_whole_starts_again() {
    // No lease is waited for: this one is longer than any patience here.
    let cluster = Cluster::with(
        json!({"chat": [{"id": "chat-1", "auto-restart": true}, {"id": "chat-2"}]}),
        json!({"lease": 600_000}),
    );
    cluster.start();
    let before = cluster.list();
    cluster.processes().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    wait_until("all are dead", || cluster.processes().is_empty());
    let master = cluster.master(&["start"]);
    master.says("all 2 servers are up");
    let after = cluster.list();
    assert!(after.all_up());
    for server in &after.servers {
        assert!(server.incarnation.0 > before.incarnation(&server.id), "a new life: {server:?}");
    }
    cluster.end();
}

fn a_server_of_another_host_is_not_launched_here() {
    // TEST-NET-1 of RFC 5737: nobody's address.
    let servers = json!({"chat": [{"id": "chat-1"}, {"id": "far", "host": "192.0.2.1"}]});
    let ssh = json!({"args": ["-F", "none", "-o", "ConnectTimeout=1"]});
    let cluster = Cluster::with(servers, json!({"secret": "sixteen bytes at least", "ssh": ssh}));
    let master = cluster.run_master(cluster.command(&["start"]));
    master.says("1 servers are up, 1 failed");
    let far = cluster.list().server("far").clone();
    assert_eq!((far.state, far.pid), (ServerState::Failed, None));
    assert!(far.detail.contains("cannot reach host 192.0.2.1 by ssh: "), "{}", far.detail);
    cluster.end();
}
