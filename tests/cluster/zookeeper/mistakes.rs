//! What a person may get wrong with ZooKeeper, and what is seen from outside.

use crate::masters::{leads, servers};
use crate::support::zookeeper as on;
use crate::support::{Cluster, Look, Signal, is_alive, signal, wait_until};
use core::time::Duration;
use libtest_mimic::Trial;
use serde_json::json;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tangelo::core::Instant;
use tangelo_services::zookeeper::{Ensemble, Options};

pub(super) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 8] = [
        (
            "zookeeper_out_of_reach_at_start_is_told_and_waited_for",
            zookeeper_out_of_reach_at_start_is_told_and_waited_for,
        ),
        ("ctrl_c_ends_a_wait_for_zookeeper", ctrl_c_ends_a_wait_for_zookeeper),
        (
            "a_start_in_the_background_waits_for_zookeeper_too",
            a_start_in_the_background_waits_for_zookeeper_too,
        ),
        (
            "a_password_in_a_file_that_others_may_read_is_told",
            a_password_in_a_file_that_others_may_read_is_told,
        ),
        ("pomelo_missing_path_is_told_with_the_cure", pomelo_missing_path_is_told_with_the_cure),
        (
            "wrong_credentials_are_told_and_no_password_is_shown",
            wrong_credentials_are_told_and_no_password_is_shown,
        ),
        ("a_taken_port_is_told_and_no_server_is_touched", a_taken_port_is_told_and_no_server_is_touched),
        (
            "a_mistake_in_zookeeper_json_is_told_with_its_place",
            a_mistake_in_zookeeper_json_is_told_with_its_place,
        ),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(format!("zookeeper::{name}"), move || {
            test();
            Ok(())
        })
    });
    trials.collect()
}

fn zookeeper_out_of_reach_at_start_is_told_and_waited_for() {
    let ensemble = Ensemble::prepare(1, Options::default()).expect("a ZooKeeper");
    on::set(
        json!({"server": ensemble.connect_string(), "path": "/late/master", "timeout": 2000, "create": true}),
    );
    let cluster = Cluster::new(servers());
    let master = cluster.master(&["start"]);
    wait_until("it complains", || complaints(&master.err()) > 0);
    let (since, already) = (Instant::now(), complaints(&master.err()));
    wait_until("three seconds have passed", || {
        Instant::now().saturating_since(since) > Duration::from_secs(3)
    });
    let more = complaints(&master.err()) - already;
    assert!((1..=4).contains(&more), "{more} lines in 3 s, of one a second at most:\n{}", master.err());
    ensemble.start_all().expect("a start");
    master.says("all 3 servers are up");
    leads(&cluster, master.pid());
    cluster.end();
}

/// How many lines say that ZooKeeper cannot be reached.
fn complaints(err: &str) -> usize {
    err.lines().filter(|line| line.to_lowercase().contains("zookeeper")).count()
}

fn ctrl_c_ends_a_wait_for_zookeeper() {
    for signal_ in [Signal::INT, Signal::TERM] {
        // Nobody listens there, or somebody who says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = silent.local_addr().expect("an address");
        on::set(json!({"server": address.to_string(), "timeout": 2000}));
        let cluster = Cluster::new(servers());
        let master = cluster.master(&["start"]);
        wait_until("it complains", || complaints(&master.err()) > 0);
        let asked = Instant::now();
        signal(master.pid(), signal_);
        assert_eq!(master.end().code, Some(0), "{}", master.err());
        let took = Instant::now().saturating_since(asked);
        assert!(took < Duration::from_secs(3), "{took:?}");
        cluster.assert_gone();
    }
}

fn a_start_in_the_background_waits_for_zookeeper_too() {
    let ensemble = Ensemble::prepare(1, Options::default()).expect("a ZooKeeper");
    on::set(
        json!({"server": ensemble.connect_string(), "path": "/late/master", "timeout": 2000, "create": true}),
    );
    let cluster = Cluster::with(servers(), json!({"secret": "sixteen bytes at least"}));
    // Whoever asks now is told of ZooKeeper, not that there is no master: nobody can know.
    for command in ["list", "stop"] {
        let failed = cluster.cli(&[command]);
        let error = failed.error();
        assert!(error.contains("cannot be reached") && !error.contains("no master is alive"), "{error}");
    }
    let start = cluster.run(cluster.command(&["start", "-D"]));
    wait_until("it says for what it waits", || complaints(&start.err()) > 0);
    ensemble.start_all().expect("a start");
    let started = start.end();
    assert!(started.code == Some(0) && started.out.contains("all 3 servers are up"), "{started:?}");
    assert_eq!(complaints(&started.err), 1, "once is enough: {started:?}");
    cluster.end();
}

fn a_password_in_a_file_that_others_may_read_is_told() {
    on::own(1, |ensemble| {
        on::set(json!({"server": ensemble.connect_string(), "path": "/locked/master", "create": true,
            "username": "pomelo", "password": "hush-hush-4712", "setACL": true}));
        let cluster = Cluster::new(servers());
        let file = cluster.dir().join("config/zookeeper.json");
        for (mode, told) in [(0o644, true), (0o600, false)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("a mode");
            let started = cluster.cli(&["start", "-D"]);
            assert_eq!(started.code, Some(0), "{started:?}");
            let says = "zookeeper.json holds ZooKeeper's password and others may read it: `chmod 600 ";
            assert_eq!(started.err.contains(says), told, "{mode:o}: {started:?}");
            assert!(!started.err.contains("hush-hush"), "{started:?}");
            cluster.end();
        }
    });
}

fn pomelo_missing_path_is_told_with_the_cure() {
    on::own(1, |ensemble| {
        on::set(json!({"server": ensemble.connect_string(), "path": "/not/there", "timeout": 2000}));
        let cluster = Cluster::new(servers());
        let failed = cluster.cli(&["start", "-D"]);
        let error = failed.err.trim_end();
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(error.contains("/not/there") && error.contains("\"create\": true"), "{error}");
        cluster.assert_gone();
    });
}

fn wrong_credentials_are_told_and_no_password_is_shown() {
    const PASSWORD: &str = "hush-hush-4711";
    on::own(1, |ensemble| {
        let config = |password: &str| {
            json!({"server": ensemble.connect_string(), "path": "/locked/master", "timeout": 2000, "create": true,
                "username": "pomelo", "password": password, "setACL": true})
        };
        on::set(config(PASSWORD));
        let cluster = Cluster::new(servers());
        let leader = cluster.start();
        let standby = cluster.standby();
        let before = cluster.list();
        for pid in cluster.processes().into_iter().chain(cluster.guards().into_iter().map(|(guard, _)| guard))
        {
            for file in ["cmdline", "environ"] {
                let shown = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                assert!(
                    !String::from_utf8_lossy(&shown).contains(PASSWORD),
                    "{file} of {pid} shows the password"
                );
            }
        }

        // Another user finds the door locked, and nothing changes for the cluster.
        on::set(config("another-word"));
        let stranger = Cluster::new(servers());
        let failed = stranger.cli(&["start", "-D"]);
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(
            failed.err.contains("needs the credentials") && !failed.err.contains("another-word"),
            "{failed:?}"
        );
        stranger.assert_gone();
        assert_eq!(cluster.list().lives(), before.lives());

        signal(leader.pid(), Signal::KILL);
        assert_eq!(leads(&cluster, standby.pid()).lives(), before.lives());
        let shown = [standby.err(), standby.out(), cluster.log("chat-1"), cluster.log("master-1")].concat();
        assert!(!shown.contains(PASSWORD));
        cluster.end();
        assert!(!below(cluster.dir(), PASSWORD), "a file other than zookeeper.json holds the password");
    });
}

/// Whether a file of the cluster other than its configuration has `text` in it.
fn below(dir: &Path, text: &str) -> bool {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return path.file_name().is_none_or(|name| name != "config") && below(&path, text);
        }
        String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).contains(text)
    })
}

fn a_taken_port_is_told_and_no_server_is_touched() {
    on::shared(|| {
        let cluster = Cluster::new(servers());
        let leader = cluster.start();
        let before = cluster.list();
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port().to_string();
        let failed = cluster.cli(&["master", "--port", &port]);
        assert!(failed.err.contains(&format!("127.0.0.1:{port}")), "{failed:?}");
        assert_eq!(failed.code, Some(1));
        let after = cluster.list();
        assert_eq!((after.lives(), after.leader().pid), (before.lives(), leader.pid()));
        assert!(is_alive(leader.pid()));
        cluster.end();
    });
}

fn a_mistake_in_zookeeper_json_is_told_with_its_place() {
    on::set(json!({"server": "127.0.0.1"}));
    let cluster = Cluster::new(servers());
    for command in ["start", "list", "stop"] {
        let failed = cluster.cli(&[command]);
        let error = failed.error();
        assert!(error.contains("config/zookeeper.json:1:") && error.contains("connect string"), "{error}");
    }
    cluster.assert_gone();
}
