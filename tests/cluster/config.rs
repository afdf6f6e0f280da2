//! What is wrong in the files is said with its place, before anything is started.

use crate::support::{Cluster, Look, trials};
use serde_json::json;

trials![
    a_missing_comma_is_shown_with_file_line_and_column,
    mistakes_in_servers_json_are_named,
    an_unknown_environment_lists_those_that_exist,
    missing_files_are_named_with_a_sample,
    servers_json_without_the_environment_level_in_a_directory_of_its_own,
    cluster_count_makes_many_servers_of_one_entry,
    a_master_s_port_that_is_taken_is_a_clear_error,
    a_server_s_port_that_is_taken_is_a_clear_error_in_its_log,
];

fn one() -> Cluster {
    Cluster::new(json!({"chat": [{"id": "chat-1"}]}))
}

fn a_missing_comma_is_shown_with_file_line_and_column() {
    let cluster = one();
    let text = "{\n  \"development\": {\n    \"chat\": [{\"id\": \"chat-1\", \"host\": \"127.0.0.1\"}]\n    \"gate\": []\n  }\n}";
    cluster.write("config/servers.json", text);
    let failed = cluster.cli(&["start"]);
    assert!(failed.error().contains("config/servers.json:4:5: expected "), "{failed:?}");
    cluster.assert_gone();
}

fn mistakes_in_servers_json_are_named() {
    let cluster = one();
    for (servers, complaint) in [
        (json!([{"id": "a", "host": "h", "port": 1}, {"id": "a", "host": "h", "port": 2}]), "\"a\""),
        (
            json!([{"id": "a", "host": "127.0.0.1", "port": 1}, {"id": "b", "host": "localhost", "port": 1}]),
            "port",
        ),
        (json!([{"id": "a", "host": "127.0.0.1", "port": cluster.port}]), "master"),
        (json!([{"id": "a", "host": "127.0.0.1", "port": 1, "frontend": true}]), "clientPort"),
        (json!([{"id": "a", "host": "127.0.0.1", "port": 99999}]), "expected a port from 1 to 65535"),
        (json!([{"host": "127.0.0.1"}]), "needs \"id\""),
    ] {
        cluster.write("config/servers.json", &json!({"development": {"chat": servers}}).to_string());
        let failed = cluster.cli(&["start"]);
        let error = failed.error();
        assert!(
            error.contains("config/servers.json:1:") && error.contains(complaint),
            "{complaint}: {error}"
        );
    }
    cluster.assert_gone();
}

fn an_unknown_environment_lists_those_that_exist() {
    let cluster = one();
    let failed = cluster.cli(&["start", "-e", "staging"]);
    let error = failed.error();
    assert!(error.contains("staging") && error.contains("development"), "{error}");
    cluster.assert_gone();
}

fn missing_files_are_named_with_a_sample() {
    let cluster = one();
    std::fs::remove_file(cluster.dir().join("config/servers.json")).expect("it was there");
    let failed = cluster.cli(&["start"]);
    assert!(failed.error().contains("config/servers.json") && failed.err.contains("such as {"), "{failed:?}");
}

fn servers_json_without_the_environment_level_in_a_directory_of_its_own() {
    let cluster = one();
    let master = json!({"id": "master-1", "host": "127.0.0.1", "port": cluster.port});
    let port = cluster.ports.next();
    cluster.write("config/production/master.json", &master.to_string());
    let servers = json!({"chat": [{"id": "chat-7", "host": "127.0.0.1", "port": port.to_string()}]});
    cluster.write("config/production/servers.json", &servers.to_string());
    cluster.master(&["start", "-e", "production"]).says("all 1 servers are up");
    let list = cluster.cli(&["list", "--json", "-e", "production"]);
    assert!(list.ok().contains("\"id\":\"chat-7\""), "{list:?}");
    assert!(cluster.has_note("chat-7 1 production"), "{:#?}", cluster.notes());
    assert_eq!(cluster.cli(&["stop", "-e", "production"]).ok(), "the cluster is stopped\n");
    cluster.assert_gone();
}

fn cluster_count_makes_many_servers_of_one_entry() {
    let cluster = one();
    let first = cluster.ports.next();
    cluster.ports.next();
    let client = cluster.ports.next();
    cluster.ports.next();
    let servers = json!({"development": {"connector": [
        {"clusterCount": 2, "host": "127.0.0.1", "port": format!("{first}++"), "clientPort": format!("{client}++"),
         "frontend": "true"},
    ]}});
    cluster.write("config/servers.json", &servers.to_string());
    cluster.start();
    let list = cluster.list();
    let rows: Vec<_> = list.servers.iter().map(|row| (row.id.as_str(), row.port, row.client_port)).collect();
    assert_eq!(
        rows,
        [
            ("cluster-server-connector-0", Some(first), Some(client)),
            ("cluster-server-connector-1", Some(first + 1), Some(client + 1)),
        ]
    );
    assert!(list.all_up());
    cluster.end();
}

fn a_master_s_port_that_is_taken_is_a_clear_error() {
    let cluster = one();
    let port = cluster.ports.taken();
    let master = json!({"development": {"id": "master-1", "host": "127.0.0.1", "port": port}});
    cluster.write("config/master.json", &master.to_string());
    for args in [&["start"][..], &["start", "-D"]] {
        let failed = cluster.cli(args);
        assert_eq!(failed.code, Some(1), "{failed:?}");
        let said = if args.len() == 1 { failed.error().to_owned() } else { cluster.log("master-1") };
        assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("in use"), "{said}");
        cluster.assert_gone();
    }
}

fn a_server_s_port_that_is_taken_is_a_clear_error_in_its_log() {
    let cluster = one();
    let port = cluster.ports.taken();
    let servers = json!({"development": {"chat": [{"id": "chat-1", "host": "127.0.0.1", "port": port}]}});
    cluster.write("config/servers.json", &servers.to_string());
    cluster.master(&["start"]).says("0 servers are up, 1 failed");
    let log = cluster.log("chat-1");
    assert!(log.contains(&format!("127.0.0.1:{port}")) && log.contains("in use"), "{log}");
    assert!(cluster.list().server("chat-1").detail.contains("exited with code 1"));
    cluster.end();
}
