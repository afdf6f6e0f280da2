//! Nobody without the secret gets in, and nobody sees it.

use crate::support::{Cluster, Look, Signal, signal, trials, variable, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

trials![
    a_wrong_secret_is_refused_in_one_line,
    the_secret_is_in_no_output_argument_or_log,
    a_secret_from_the_environment_reaches_servers_and_is_written_nowhere,
    a_host_beyond_loopback_needs_a_secret,
    a_secret_that_others_may_read_is_refused,
    pomelo_duplicate_id_is_accepted_and_its_exit_removes_the_healthy_one_ours_is_sent_away,
    pomelo_wrong_token_gets_in_through_reconnect_ours_stays_out,
    a_server_started_by_hand_is_told_how_it_is_done,
];

const SECRET: &str = "orange-pomelo-tangerine-clementine-0123456789";

fn one() -> Cluster {
    Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}, {"id": "chat-2"}]}))
}

fn a_wrong_secret_is_refused_in_one_line() {
    let cluster = one();
    cluster.start();
    for args in [&["list"][..], &["stop"], &["kill", "chat-1"]] {
        let mut command = cluster.command(args);
        command.env("TANGELO_SECRET", SECRET);
        let failed = cluster.run(command).end();
        let error = failed.error();
        assert!(error.contains("secret") && !error.contains(SECRET), "{error}");
    }
    assert!(cluster.list().all_up(), "nothing was done");
    cluster.end();
}

/// Everything that anybody may see: outputs, logs and arguments.
fn visible(cluster: &Cluster) -> String {
    let mut all = String::new();
    for dir in [cluster.dir().to_owned(), cluster.dir().join("logs")] {
        for entry in fs::read_dir(dir).expect("a directory").flatten().filter(|entry| entry.path().is_file())
        {
            all += &String::from_utf8_lossy(&fs::read(entry.path()).expect("a file"));
        }
    }
    for pid in cluster.processes() {
        all += &String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default());
    }
    all
}

fn the_secret_is_in_no_output_argument_or_log() {
    let cluster = one();
    let mut command = cluster.command(&["start"]);
    command.env("RUST_LOG", "trace");
    let master = cluster.run_master(command);
    master.says("all 2 servers are up");
    cluster.list();
    wait_until("chat-1 knows", || cluster.has_note("chat-1 1 after-start-all"));
    assert_eq!(cluster.order("chat-1", "call chat-2 echo 5000"), "chat-1: hello");
    let secret = cluster.read("run/secret");
    let secret = secret.trim();
    assert!(secret.len() >= 32);
    let visible = visible(&cluster);
    assert!(visible.contains("chat-1") && visible.contains("serve"), "there is something to look at");
    assert!(!visible.contains(secret));
    cluster.end();
}

fn a_secret_from_the_environment_reaches_servers_and_is_written_nowhere() {
    let cluster = one();
    let with_secret = |args: &[&str]| {
        let mut command = cluster.command(args);
        command.env("TANGELO_SECRET", SECRET);
        command
    };
    let master = cluster.run_master(with_secret(&["start"]));
    master.says("all 2 servers are up");
    assert!(!visible(&cluster).contains(SECRET));
    assert!(!cluster.dir().join("run/secret").exists());
    assert!(!cluster.read("run/state.json").contains(SECRET));
    let failed = cluster.cli(&["list"]);
    assert_eq!(failed.code, Some(1), "without it nobody gets in: {failed:?}");
    cluster.run(with_secret(&["list"])).end().ok();
    assert_eq!(cluster.run(with_secret(&["stop"])).end().ok(), "the cluster is stopped\n");
    assert_eq!(master.end().code, Some(0));
    cluster.assert_gone();
}

fn a_host_beyond_loopback_needs_a_secret() {
    let cluster = one();
    let servers = json!({"development": {"chat": [{"id": "chat-1", "host": "192.0.2.1", "port": 6050}]}});
    cluster.write("config/servers.json", &servers.to_string());
    let failed = cluster.cli(&["start"]);
    assert!(failed.error().contains("TANGELO_SECRET") && failed.err.contains("192.0.2.1"), "{failed:?}");
    cluster.assert_gone();
}

fn a_secret_that_others_may_read_is_refused() {
    let cluster = one();
    cluster.write("run/secret", SECRET);
    let path = cluster.dir().join("run/secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("our own file");
    let failed = cluster.cli(&["start"]);
    assert!(failed.error().contains("chmod 600") && !failed.err.contains(SECRET), "{failed:?}");
    cluster.assert_gone();
}

/// A second process with the launch order of `chat-1`.
fn double(cluster: &Cluster) -> std::process::Command {
    let order = variable(cluster.list().pid("chat-1"), "TANGELO_LAUNCH").expect("it was launched");
    let mut command = cluster.command(&["serve", "--id", "chat-1", "--type", "chat"]);
    command.env("TANGELO_LAUNCH", order);
    command
}

fn pomelo_duplicate_id_is_accepted_and_its_exit_removes_the_healthy_one_ours_is_sent_away() {
    let cluster = one();
    cluster.start();
    let before = cluster.list();
    let ended = cluster.run(double(&cluster)).end();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("chat-1 runs already"), "{ended:?}");
    assert_eq!(cluster.list().lives(), before.lives());
    assert!(!cluster.notes().iter().any(|note| note.contains("removed")), "{:#?}", cluster.notes());
    assert_eq!(
        cluster.notes().iter().filter(|note| *note == "chat-1 1 before-start").count(),
        1,
        "it did not work"
    );
    cluster.end();
}

fn pomelo_wrong_token_gets_in_through_reconnect_ours_stays_out() {
    let cluster = one();
    cluster.start();
    let before = cluster.list();
    let mut command = double(&cluster);
    command.env("TANGELO_SECRET", SECRET);
    let stranger = cluster.run(command);
    wait_until("it has tried more than once", || {
        stranger.err().matches("cannot link with the master").count() > 2
    });
    assert!(!stranger.err().contains(SECRET) && !stranger.err().contains(cluster.read("run/secret").trim()));
    assert_eq!(cluster.list().lives(), before.lives());
    signal(stranger.pid(), Signal::TERM);
    assert_eq!(stranger.end().code, Some(0), "it waits, and goes when it is told to");
    cluster.end();
}

fn a_server_started_by_hand_is_told_how_it_is_done() {
    let cluster = one();
    let failed = cluster.cli(&["serve", "--id", "chat-1", "--type", "chat"]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.err.contains("servers are launched by a master"), "{failed:?}");
}
