//! A real cluster with this affinity.

// Each crate uses what it needs of it.
#[allow(dead_code)]
#[path = "../../downstream/cluster.rs"]
mod cluster;

use cluster::{Cluster, leader, pids, signal};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use tangelo::core::CpuSet;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custom-affinity");

/// The mask of each thread of a process.
fn masks(pid: &str) -> Vec<CpuSet> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads").flatten();
    let mask = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        Some(line.trim().parse().expect("a list of CPUs"))
    };
    threads.filter_map(mask).collect()
}

#[test]
fn nobody_of_the_cluster_runs_on_the_cpus_that_are_kept_free() {
    let all = masks("self").remove(0);
    let (free, rest) = (all.iter().next().unwrap(), all.iter().skip(1).collect::<CpuSet>());
    assert!(!rest.is_empty(), "this test needs two CPUs");
    let last = rest.iter().next_back().unwrap();
    let servers = json!({"chat": [
        {"id": "chat-1", "host": "127.0.0.1", "auto-restart": true, "cpu": last},
        {"id": "chat-2", "host": "127.0.0.1", "auto-restart": true, "cpu": "auto"},
        {"id": "chat-3", "host": "127.0.0.1", "auto-restart": true},
    ]});
    let cluster = Cluster::new(PROGRAM, servers, json!({}));
    let told = String::from_utf8(cluster.cli(&["start", "-D"]).stderr).unwrap();
    assert!(told.starts_with("error: cannot read ") && told.contains("config/free-cpus"), "{told}");
    cluster.write("config/free-cpus", &format!("{free}\n"));
    cluster.ok(&["start", "-D"]);
    let before = cluster.list();
    assert_eq!(pids(&before).len(), 3);
    let shown: Vec<_> = before.servers.iter().map(|server| server.cpu.clone().unwrap_or_default()).collect();
    assert_eq!((&*shown[0], &*shown[2]), (&*last.to_string(), &*rest.to_string()));
    let kept_off = |pid: u32| {
        let masks = masks(&pid.to_string());
        assert!(
            masks.len() > 1 && masks.iter().all(|mask| !mask.contains(free)),
            "pid {pid} runs on {masks:?}"
        );
    };
    pids(&before).into_iter().chain([leader(&before).pid]).for_each(kept_off);

    let killed = pids(&before)[0];
    signal(killed, Signal::KILL);
    let after =
        cluster.wait_for("it has come back", |now| pids(now).len() == 3 && !pids(now).contains(&killed));
    assert_eq!(after.servers[0].cpu.as_deref(), Some(&*last.to_string()));
    pids(&after).into_iter().for_each(kept_off);

    let refused =
        cluster.cli(&["add", "id=chat-4", "serverType=chat", "host=127.0.0.1", &format!("cpu={free}")]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains(&rest.to_string()), "{told}");
    cluster.stop();
}
