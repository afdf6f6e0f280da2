//! Servers bound to CPUs.

use crate::support::{Cluster, Look, Signal, signal, trials};
use alloc::collections::BTreeSet;
use serde_json::json;
use std::fs;

trials![
    pomelo_taskset_pins_1_of_11_threads_here_every_thread_is_bound,
    auto_gives_servers_cpus_in_turn_and_a_restart_keeps_them,
    a_cpu_that_is_not_allowed_is_an_error_that_lists_the_allowed_ones,
];

/// The CPUs that this process may use.
fn allowed() -> Vec<u32> {
    let list = masks("/proc/self/status").pop_first().expect("a mask");
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().expect("a CPU")..=last.parse::<u32>().expect("a CPU"));
    }
    cpus
}

fn masks(status: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(status).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    lines.map(|list| list.trim().to_owned()).collect()
}

/// The masks of all threads of a process; there are several.
#[track_caller]
fn masks_of_threads(pid: u32) -> BTreeSet<String> {
    let tasks: Vec<_> = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten().collect();
    assert!(tasks.len() > 1, "it has more than one thread");
    tasks.iter().flat_map(|task| masks(&task.path().join("status").to_string_lossy())).collect()
}

fn pomelo_taskset_pins_1_of_11_threads_here_every_thread_is_bound() {
    let cpu = *allowed().last().expect("a CPU");
    let cluster = Cluster::new(json!({"chat": [
        {"id": "chat-1", "cpu": cpu}, {"id": "chat-2", "cpu": cpu.to_string()}, {"id": "chat-3"},
    ]}));
    cluster.start();
    let list = cluster.list();
    for id in ["chat-1", "chat-2"] {
        assert_eq!(masks_of_threads(list.pid(id)), BTreeSet::from([cpu.to_string()]));
        assert_eq!(list.server(id).cpu.as_deref(), Some(&*cpu.to_string()));
    }
    assert_eq!(masks_of_threads(list.pid("chat-3")), masks("/proc/self/status"), "unbound");
    cluster.end();
}

fn auto_gives_servers_cpus_in_turn_and_a_restart_keeps_them() {
    let servers: Vec<_> =
        (1..=3).map(|n| json!({"id": format!("chat-{n}"), "cpu": "auto", "auto-restart": true})).collect();
    let cluster = Cluster::new(json!({"chat": servers}));
    cluster.start();
    let list = cluster.list();
    for (row, cpu) in list.servers.iter().zip(allowed().iter().cycle()) {
        assert_eq!(row.cpu.as_deref(), Some(&*cpu.to_string()), "{row:?}");
        assert_eq!(masks_of_threads(row.pid.expect("up")), BTreeSet::from([cpu.to_string()]));
    }
    signal(list.pid("chat-2"), Signal::KILL);
    let after = cluster.wait_for("it is back", |list| list.all_up() && list.incarnation("chat-2") == 2);
    assert_eq!(after.server("chat-2").cpu, list.server("chat-2").cpu);
    cluster.end();
}

fn a_cpu_that_is_not_allowed_is_an_error_that_lists_the_allowed_ones() {
    let beyond = allowed().last().expect("a CPU") + 1;
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "cpu": beyond}]}));
    let failed = cluster.cli(&["start"]);
    let error = failed.error();
    let allowed = masks("/proc/self/status").pop_first().expect("a mask").replace('-', ",");
    assert!(error.contains("config/servers.json:1:"), "{error}");
    // One CPU more than two in a row reads as a range.
    let listed = error.contains(&format!("this process may use ({allowed})")) || error.contains('-');
    assert!(listed && error.ends_with(&format!("found {beyond}")), "{error}");
    cluster.assert_gone();
}
