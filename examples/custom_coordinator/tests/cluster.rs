//! A real cluster with this coordinator.

// Each crate uses what it needs of it.
#[allow(dead_code)]
#[path = "../../downstream/cluster.rs"]
mod cluster;

use cluster::{Cluster, leader, pids, signal};
use rustix::process::Signal;
use serde_json::json;
use tangelo::core::wire::Listing;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custom-coordinator");

fn two(listing: &Listing) -> bool {
    listing.masters.len() == 2
}

#[test]
fn a_standby_takes_over_from_a_leader_that_is_killed_or_frozen() {
    let servers = json!({"chat": [
        {"id": "chat-1", "host": "127.0.0.1", "auto-restart": true},
        {"id": "chat-2", "host": "127.0.0.1", "auto-restart": true},
    ]});
    let cluster = Cluster::new(PROGRAM, servers, json!({"lease": 3000}));
    cluster.ok(&["start", "-D"]);
    cluster.ok(&["start", "-D"]);
    let before = cluster.wait_for("a leader and a standby", two);
    let (first, servers) = (leader(&before).clone(), pids(&before));
    assert_eq!(servers.len(), 2);
    assert!(cluster.dir().join("run/masters/table").exists());
    assert!(!cluster.dir().join("run/leader.lock").exists(), "the built-in coordinator is not there");

    signal(first.pid, Signal::KILL);
    let after = cluster.wait_for("another leader", |now| leader(now).pid != first.pid);
    let second = leader(&after).clone();
    assert!(second.epoch > first.epoch);
    let all = cluster.wait_for("both servers have found it", |now| pids(now).len() == 2);
    assert_eq!(pids(&all), servers, "they were taken over");

    cluster.ok(&["start", "-D"]);
    cluster.wait_for("another standby", two);
    signal(second.pid, Signal::STOP);
    let after = cluster.wait_for("a third leader", |now| leader(now).pid != second.pid);
    assert!(leader(&after).epoch > second.epoch);
    signal(second.pid, Signal::CONT);
    let all = cluster.wait_for("the second leader stands by", |now| two(now) && pids(now).len() == 2);
    assert_eq!((leader(&all).pid, pids(&all)), (leader(&after).pid, servers), "it has killed nobody");

    cluster.ok(&["handover"]);
    let back = cluster.wait_for("the second leads again", |now| leader(now).pid == second.pid && two(now));
    assert!(leader(&back).epoch > leader(&after).epoch);

    signal(pids(&back)[0], Signal::KILL);
    cluster.wait_for("a server has come back", |now| {
        pids(now).len() == 2 && now.servers.iter().any(|server| server.incarnation.0 > 1)
    });
    cluster.stop();
}
