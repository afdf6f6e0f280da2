//! A real cluster with this supervisor.

// Each crate uses what it needs of it.
#[allow(dead_code)]
#[path = "../../downstream/cluster.rs"]
mod cluster;

use cluster::{Cluster, leader, pids, signal};
use rustix::process::Signal;
use serde_json::json;
use std::fs;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custom-supervisor");

/// The soft and the hard limit.
fn limits(pid: u32, name: &str) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("that limit");
    line.split_ascii_whitespace().take(2).map(String::from).collect()
}

fn assert_limited(pid: u32) {
    assert_eq!(limits(pid, "Max data size"), ["1073741824"; 2], "of pid {pid}");
    assert_eq!(limits(pid, "Max core file size"), ["0"; 2], "of pid {pid}");
}

#[test]
fn every_life_of_every_server_has_its_limits() {
    let servers = json!({"chat": [
        {"id": "chat-1", "host": "127.0.0.1", "auto-restart": true},
        {"id": "chat-2", "host": "127.0.0.1", "auto-restart": true},
    ]});
    let cluster = Cluster::new(PROGRAM, servers, json!({}));
    cluster.ok(&["start", "-D"]);
    let before = cluster.list();
    assert_eq!(pids(&before).len(), 2);
    pids(&before).into_iter().chain([leader(&before).pid]).for_each(assert_limited);

    let killed = pids(&before)[0];
    signal(killed, Signal::KILL);
    let after =
        cluster.wait_for("it has come back", |now| pids(now).len() == 2 && !pids(now).contains(&killed));
    assert!(after.servers[0].incarnation.0 > 1);
    pids(&after).into_iter().for_each(assert_limited);

    // A successor adopts what its predecessor has launched.
    let first = leader(&after).pid;
    cluster.ok(&["start", "-D"]);
    signal(first, Signal::KILL);
    let taken_over =
        cluster.wait_for("another leader", |now| leader(now).pid != first && pids(now).len() == 2);
    assert_eq!(pids(&taken_over), pids(&after));
    cluster.ok(&["restart", "chat-2"]);
    pids(&cluster.list()).into_iter().for_each(assert_limited);
    cluster.stop();
}
