//! The servers' logs: they depend on no master, and do not grow for ever.

use crate::support::{Cluster, Look, Signal, is_alive, signal, trials, wait_until};
use serde_json::json;
use std::fs;

trials![
    a_server_that_writes_a_lot_does_not_hang_when_the_master_has_died,
    the_log_of_a_running_server_is_rotated,
    json_logs_are_an_object_a_line,
];

fn a_server_that_writes_a_lot_does_not_hang_when_the_master_has_died() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}]}));
    let master = cluster.start();
    let before = cluster.list();
    signal(master.pid(), Signal::KILL);
    master.end();
    // More than any pipe holds.
    assert_eq!(cluster.order("chat-1", "print 4194304"), "printed");
    assert!(is_alive(before.pid("chat-1")));
    assert!(cluster.log("chat-1").len() > 4_000_000);
    cluster.start();
    assert_eq!(cluster.list().lives(), before.lives());
    cluster.end();
}

fn the_log_of_a_running_server_is_rotated() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}]}));
    cluster.start();
    assert_eq!(cluster.order("chat-1", "print 11534336"), "printed");
    let (log, old) = (cluster.dir().join("logs/chat-1.log"), cluster.dir().join("logs/chat-1.log.1"));
    let size = |path| fs::metadata(path).map_or(0, |file| file.len());
    wait_until("it is rotated", || size(&old) > 11_000_000 && log.exists());
    assert!(size(&log) < 1_000_000);
    assert_eq!(cluster.order("chat-1", "print 102400"), "printed");
    assert!(size(&log) >= 102_400, "it writes into the new one");
    cluster.end();
}

fn json_logs_are_an_object_a_line() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1"}]}));
    let master = cluster.master(&["start", "--log-format", "json"]);
    master.says("all 1 servers are up");
    cluster.end();
    let lines = master.end().err;
    assert!(!lines.is_empty());
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["level"].is_string() && value["message"].is_string(), "{line}");
    }
}
