//! Standbys, and leaders that die, freeze or leave.

use crate::support::{Cluster, Look, PROMPT, Signal, is_alive, signal, trials, wait_until};
use rustix::fs::{OFlags, fcntl_setfl};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use tangelo::core::Instant;
use tangelo::core::wire::{Listing, ServerState};

trials![
    a_second_start_becomes_a_standby_and_launches_nothing,
    the_leader_killed_the_standby_leads_and_no_server_is_restarted,
    the_leader_frozen_past_its_lease_is_killed_and_the_standby_leads,
    pomelo_frozen_master_kills_a_healthy_server_a_thawed_leader_within_its_lease_goes_on,
    leader_and_server_killed_together_the_successor_restarts_it,
    a_server_without_auto_restart_that_dies_while_no_master_lives_stays_failed,
    servers_outlive_the_only_master_and_a_new_start_adopts_them,
    a_stopped_server_stays_stopped_across_a_leader_change_until_it_is_started,
    an_added_server_survives_a_leader_change,
    failed_servers_are_not_started_by_a_leader_change,
    leaders_die_one_after_the_other_and_epochs_only_grow,
    a_standby_on_a_port_of_its_own_forwards_what_it_is_asked,
    a_standby_that_leaves_changes_nothing,
    the_leader_of_master_leaves_and_the_cluster_goes_on,
    several_masters_in_one_directory_started_at_once_elect_one,
    a_master_that_comes_first_begins_the_cluster_before_and_after_a_stop,
    ctrl_c_on_a_standby_leaves_the_cluster_alone,
    a_lone_leader_thawed_past_its_lease_leads_anew_and_touches_no_server,
    a_frozen_leader_is_an_error_for_commands_and_nobody_waits_for_ever,
    a_second_start_in_the_background_becomes_a_standby,
    a_standby_started_while_the_leader_is_frozen_takes_over,
    a_program_that_was_replaced_on_disk_still_fails_over_and_restarts,
    a_screen_that_has_stopped_does_not_cost_the_leader_its_lease,
];

pub(crate) fn servers() -> Value {
    json!({
        "connector": [{"id": "connector-1", "frontend": true, "auto-restart": true}],
        "chat": [{"id": "chat-1", "auto-restart": true}, {"id": "chat-2"}],
    })
}

/// Waits until this process leads and all servers are with it.
#[track_caller]
pub(crate) fn leads(cluster: &Cluster, pid: u32) -> Listing {
    cluster.wait_for("the standby leads and has all servers", |list| {
        list.masters.first().is_some_and(|master| master.pid == pid)
            && list
                .servers
                .iter()
                .all(|server| matches!(server.state, ServerState::Up) && !lost(&server.detail))
    })
}

/// Whether a server is only believed to be up: its link has not come back yet.
pub(crate) fn lost(detail: &str) -> bool {
    detail.contains("waiting for it to come back")
}

pub(crate) fn a_second_start_becomes_a_standby_and_launches_nothing() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    let standby = cluster.standby();
    let line = standby.says("standby: ");
    let leads = format!(
        "standby: master-1 leads at 127.0.0.1:{} (epoch 1); this master launches nothing",
        cluster.port
    );
    assert!(line.starts_with(&leads), "{line}");
    let list = cluster.list();
    assert_eq!(list.lives(), before.lives());
    assert_eq!((list.leader().pid, list.leader().port), (leader.pid(), cluster.port));
    let [row] = list.standbys()[..] else { panic!("one standby: {list:?}") };
    assert_eq!((row.pid, row.epoch.0), (standby.pid(), 1));
    assert_ne!(row.port, cluster.port);
    assert_eq!(cluster.processes().len(), 2 + list.servers.len(), "nobody else was started");
    assert!(!standby.out().contains("launching,"), "{}", standby.out());
    cluster.end();
    for master in [leader, standby] {
        let ended = master.end();
        assert_eq!((ended.code, ended.out.lines().last()), (Some(0), Some("the cluster has stopped")));
    }
}

pub(crate) fn the_leader_killed_the_standby_leads_and_no_server_is_restarted() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    signal(leader.pid(), Signal::KILL);
    let after = leads(&cluster, standby.pid());
    assert_eq!(after.lives(), before.lives(), "the same processes");
    assert_eq!(after.leader().epoch.0, 2);
    assert!(after.standbys().is_empty());
    standby.says("all 3 servers are up");
    assert!(!standby.out().contains("launching,"), "{}", standby.out());
    cluster.end();
    assert_eq!(standby.end().code, Some(0));
}

fn the_leader_frozen_past_its_lease_is_killed_and_the_standby_leads() {
    let cluster = Cluster::with(servers(), json!({"lease": 1000}));
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    signal(leader.pid(), Signal::STOP);
    wait_until("the frozen leader is killed", || !is_alive(leader.pid()));
    let after = leads(&cluster, standby.pid());
    assert_eq!(after.lives(), before.lives());
    assert!(
        standby.err().contains("killed the leader, which held its lock past its lease"),
        "{}",
        standby.err()
    );
    cluster.end();
}

fn pomelo_frozen_master_kills_a_healthy_server_a_thawed_leader_within_its_lease_goes_on() {
    // So frozen that servers and standby miss its heartbeats, but not past the lease.
    let cluster = Cluster::with(
        servers(),
        json!({"lease": 30_000, "heartbeat": 200, "heartbeat-missed": 3, "reconnect-grace": 2000}),
    );
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    signal(leader.pid(), Signal::STOP);
    wait_until("the servers have missed its heartbeats", || {
        before.servers.iter().all(|server| cluster.log(&server.id).contains("the link to the master is gone"))
    });
    signal(leader.pid(), Signal::CONT);
    let after = leads(&cluster, leader.pid());
    assert_eq!(after.lives(), before.lives(), "nobody was restarted");
    assert_eq!(after.leader().epoch.0, 1);
    cluster.wait_for("the standby is back", |list| list.standbys().len() == 1);
    assert!(is_alive(standby.pid()) && !standby.out().contains("leading:"));
    cluster.end();
}

pub(crate) fn leader_and_server_killed_together_the_successor_restarts_it() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    for pid in [leader.pid(), before.pid("chat-1")] {
        signal(pid, Signal::KILL);
    }
    let after = leads(&cluster, standby.pid());
    assert!(after.incarnation("chat-1") > 1);
    assert_ne!(after.pid("chat-1"), before.pid("chat-1"));
    for id in ["connector-1", "chat-2"] {
        assert_eq!(after.pid(id), before.pid(id), "{id} was left alone");
    }
    cluster.end();
}

pub(crate) fn a_server_without_auto_restart_that_dies_while_no_master_lives_stays_failed() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    signal(leader.pid(), Signal::KILL);
    leader.end();
    signal(before.pid("chat-1"), Signal::KILL);
    signal(before.pid("chat-2"), Signal::KILL);
    let master = cluster.master(&["master"]);
    let after = cluster.wait_for("the new master has seen to all", |list| {
        list.is("chat-2", ServerState::Failed)
            && list.is("chat-1", ServerState::Up)
            && list.is("connector-1", ServerState::Up)
            && !lost(&list.server("connector-1").detail)
    });
    assert_eq!(after.leader().pid, master.pid());
    assert!(after.incarnation("chat-1") > 1, "auto-restart is on: it was restarted");
    assert_eq!(after.incarnation("chat-2"), 1);
    assert_eq!(after.pid("connector-1"), before.pid("connector-1"));
    cluster.end();
}

pub(crate) fn servers_outlive_the_only_master_and_a_new_start_adopts_them() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    signal(leader.pid(), Signal::KILL);
    leader.end();
    wait_until("its guard has gone, and with it what says that it leads", || cluster.guards().is_empty());
    let asked = Instant::now();
    let failed = cluster.cli(&["list"]);
    assert!(failed.error().contains("no master is alive"), "{failed:?}");
    assert!(Instant::now().saturating_since(asked) < PROMPT, "said at once");
    assert!(before.servers.iter().all(|server| server.pid.is_some_and(is_alive)));

    let master = cluster.start();
    let after = leads(&cluster, master.pid());
    assert_eq!(after.lives(), before.lives());
    assert!(master.out().contains("adopted, pid "), "{}", master.out());
    cluster.end();
}

pub(crate) fn a_stopped_server_stays_stopped_across_a_leader_change_until_it_is_started() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    assert_eq!(cluster.cli(&["stop", "chat-1"]).ok(), "stopped: chat-1\n");
    let before = cluster.list();
    assert!(before.is("chat-1", ServerState::Stopped) && before.server("chat-1").pid.is_none());
    signal(leader.pid(), Signal::KILL);
    let after = cluster.wait_for("the standby leads", |list| {
        list.masters.first().is_some_and(|master| master.pid == standby.pid())
            && list.is("chat-2", ServerState::Up)
            && !lost(&list.server("chat-2").detail)
    });
    standby.says("all 2 servers are up");
    assert!(after.is("chat-1", ServerState::Stopped), "auto-restart does not bring back what was stopped");
    assert_eq!(cluster.cli(&["start", "chat-1"]).ok(), "up: chat-1\n");
    let list = cluster.list();
    assert!(list.all_up() && list.incarnation("chat-1") > 1);
    cluster.end();
}

pub(crate) fn an_added_server_survives_a_leader_change() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let port = format!("port={}", cluster.ports.next());
    let added =
        cluster.cli(&["add", "serverType=chat", "id=chat-9", "host=127.0.0.1", &port, "auto-restart=true"]);
    assert_eq!(added.ok(), "up: chat-9\n");
    let before = cluster.list();
    let standby = cluster.standby();
    signal(leader.pid(), Signal::KILL);
    let after = leads(&cluster, standby.pid());
    assert_eq!(after.lives(), before.lives());
    signal(after.pid("chat-9"), Signal::KILL);
    let back =
        cluster.wait_for("the successor restarts it", |list| list.all_up() && list.incarnation("chat-9") > 1);
    assert_eq!(back.lives()[..3], before.lives()[..3]);
    cluster.end();
}

pub(crate) fn failed_servers_are_not_started_by_a_leader_change() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    signal(cluster.list().pid("chat-2"), Signal::KILL);
    cluster.wait_for("it has failed", |list| list.is("chat-2", ServerState::Failed));
    signal(leader.pid(), Signal::KILL);
    standby.says("2 servers are up, 1 failed");
    assert!(cluster.list().is("chat-2", ServerState::Failed));
    cluster.end();
}

fn leaders_die_one_after_the_other_and_epochs_only_grow() {
    let cluster = Cluster::new(servers());
    let mut leader = cluster.start();
    let before = cluster.list();
    for epoch in 2..=4 {
        let standby = cluster.standby();
        signal(leader.pid(), Signal::KILL);
        let after = leads(&cluster, standby.pid());
        assert_eq!(after.lives(), before.lives());
        assert_eq!(after.leader().epoch.0, epoch);
        leader = standby;
    }
    cluster.end();
}

pub(crate) fn a_standby_on_a_port_of_its_own_forwards_what_it_is_asked() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let port = cluster.ports.next().to_string();
    let standby = cluster.master(&["master", "--id", "master-2", "--port", &port]);
    cluster.wait_for("it stands by", |list| !list.standbys().is_empty());
    let here = cluster.list();
    let there = cluster.cli(&["list", "--json", "--port", &port]);
    let there: Listing = serde_json::from_str(there.ok()).expect("JSON");
    assert_eq!(there.masters, here.masters);
    assert_eq!(there.lives(), here.lives());
    assert_eq!(
        (there.standbys()[0].id.as_str(), there.standbys()[0].port.to_string()),
        ("master-2", port.clone())
    );
    let stopped = cluster.cli(&["stop", "chat-1", "--host", "127.0.0.1", "--port", &port]);
    assert_eq!(stopped.ok(), "stopped: chat-1\n");
    assert!(cluster.list().is("chat-1", ServerState::Stopped));
    let refused = cluster.cli(&["start", "nobody", "--port", &port]);
    assert!(refused.error().contains("there is no server nobody"), "{refused:?}");
    cluster.end();
    assert_eq!(standby.end().code, Some(0));
}

pub(crate) fn a_standby_that_leaves_changes_nothing() {
    let cluster = Cluster::new(servers());
    cluster.start();
    let before = cluster.list();
    let standby = cluster.standby();
    signal(standby.pid(), Signal::TERM);
    let left = standby.end();
    assert_eq!(
        (left.code, left.out.lines().last()),
        (Some(0), Some("this master has left; the cluster goes on"))
    );
    let after = cluster.wait_for("it is off the list", |list| list.standbys().is_empty());
    assert_eq!(after.lives(), before.lives());
    cluster.end();
}

pub(crate) fn the_leader_of_master_leaves_and_the_cluster_goes_on() {
    let cluster = Cluster::new(servers());
    let first = cluster.start();
    let second = cluster.master(&["master", "--id", "master-2"]);
    cluster.wait_for("it stands by", |list| !list.standbys().is_empty());
    let before = cluster.list();
    signal(first.pid(), Signal::KILL);
    leads(&cluster, second.pid());
    let third = cluster.standby();
    signal(second.pid(), Signal::TERM);
    assert_eq!(second.end().code, Some(0));
    let after = leads(&cluster, third.pid());
    assert_eq!(after.lives(), before.lives());
    cluster.end();
}

pub(crate) fn several_masters_in_one_directory_started_at_once_elect_one() {
    let cluster = Cluster::new(servers());
    let masters: Vec<_> = (0..4).map(|_| cluster.master(&["start"])).collect();
    let list = cluster.wait_for("one leads, three stand by and all are up", |list| {
        list.standbys().len() == 3 && list.servers.len() == 3 && list.all_up()
    });
    assert!(list.servers.iter().all(|server| server.incarnation.0 == 1), "{:?}", list.lives());
    let mut pids: Vec<u32> = list.masters.iter().map(|master| master.pid).collect();
    pids.sort_unstable();
    let mut started: Vec<u32> = masters.iter().map(|master| master.pid()).collect();
    started.sort_unstable();
    assert_eq!(pids, started);
    cluster.end();
    assert!(masters.iter().all(|master| master.end().code == Some(0)));
}

pub(crate) fn a_master_that_comes_first_begins_the_cluster_before_and_after_a_stop() {
    let cluster = Cluster::new(servers());
    for _ in 0..2 {
        // No order of starting is wrong, and a cluster that was stopped is history.
        let master = cluster.master(&["master"]);
        master.says("leading: ");
        let second = cluster.master(&["start"]);
        second.says("standby: ");
        leads(&cluster, master.pid());
        assert_eq!(cluster.cli(&["stop"]).code, Some(0));
        assert_eq!(master.end().code, Some(0));
        assert_eq!(second.end().code, Some(0));
    }
    cluster.assert_gone();
}

pub(crate) fn ctrl_c_on_a_standby_leaves_the_cluster_alone() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    let standby = cluster.standby();
    signal(standby.pid(), Signal::INT);
    assert_eq!(standby.end().code, Some(0));
    assert!(is_alive(leader.pid()));
    assert_eq!(cluster.list().lives(), before.lives());
    cluster.end();
}

fn a_lone_leader_thawed_past_its_lease_leads_anew_and_touches_no_server() {
    let cluster = Cluster::with(servers(), json!({"lease": 2000, "reconnect-grace": 20_000}));
    let leader = cluster.start();
    let before = cluster.list();
    signal(leader.pid(), Signal::STOP);
    let frozen = Instant::now();
    wait_until("its lease is long over", || Instant::now().saturating_since(frozen).as_millis() > 4000);
    signal(leader.pid(), Signal::CONT);
    leader.says("this master leads no longer");
    let after = leads(&cluster, leader.pid());
    assert_eq!(after.lives(), before.lives());
    assert_eq!(after.leader().epoch.0, before.leader().epoch.0 + 1);
    cluster.end();
}

fn a_frozen_leader_is_an_error_for_commands_and_nobody_waits_for_ever() {
    let cluster = Cluster::with(
        json!({"chat": [{"id": "chat-1", "hooks": ["overrun"], "stop-timeout": 20}]}),
        json!({"lease": 60_000, "heartbeat": 300, "heartbeat-missed": 3}),
    );
    let leader = cluster.start();
    let under_way = cluster.run(cluster.command(&["stop", "chat-1"]));
    wait_until("the stop is under way", || cluster.has_note("chat-1 1 hook 1 overrun"));
    signal(leader.pid(), Signal::STOP);
    let failed = under_way.end();
    assert!(failed.error().contains("before it answered"), "{failed:?}");
    let failed = cluster.cli(&["list"]);
    assert!(failed.error().contains("did not finish its handshake"), "{failed:?}");
    signal(leader.pid(), Signal::CONT);
    cluster.wait_for("it answers again", |list| list.leader().pid == leader.pid());
    cluster.cli(&["kill"]).ok();
    cluster.assert_gone();
}

pub(crate) fn a_second_start_in_the_background_becomes_a_standby() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    let second = cluster.cli(&["start", "-D"]);
    assert!(second.ok().starts_with("standby: master-1 leads at "), "{second:?}");
    let list = cluster.wait_for("it stands by", |list| list.standbys().len() == 1);
    assert_eq!(list.lives(), before.lives());
    let standby = list.standbys()[0].pid;
    signal(leader.pid(), Signal::KILL);
    assert_eq!(leads(&cluster, standby).lives(), before.lives());
    cluster.end();
}

fn a_standby_started_while_the_leader_is_frozen_takes_over() {
    let cluster = Cluster::with(servers(), json!({"lease": 3000}));
    let leader = cluster.start();
    let before = cluster.list();
    signal(leader.pid(), Signal::STOP);
    let standby = cluster.master(&["start"]);
    let after = leads(&cluster, standby.pid());
    assert_eq!(after.lives(), before.lives());
    assert!(!is_alive(leader.pid()));
    cluster.end();
}

fn a_program_that_was_replaced_on_disk_still_fails_over_and_restarts() {
    let cluster = Cluster::new(servers());
    let original = std::env::current_exe().expect("this binary has a path");
    let (program, newer) = (cluster.dir().join("program"), cluster.dir().join("newer"));
    std::fs::hard_link(&original, &program)
        .or_else(|_| std::fs::copy(&original, &program).map(drop))
        .expect("a copy");
    // Another file for whoever looks, and nothing to write to the disk.
    std::os::unix::fs::symlink(&original, &newer).expect("a link");
    let leader = cluster.run_master(cluster.command_of(&program, &["start"]));
    leader.says("all 3 servers are up");
    let standby = cluster.run_master(cluster.command_of(&program, &["start"]));
    cluster.wait_for("it stands by", |list| list.standbys().len() == 1);
    std::fs::rename(&newer, &program).expect("a deployment");
    let own_file = std::fs::read_link(format!("/proc/{}/exe", standby.pid())).expect("it runs");
    assert!(own_file.to_string_lossy().ends_with(" (deleted)"), "{}", own_file.display());
    signal(leader.pid(), Signal::KILL);
    let after = leads(&cluster, standby.pid());
    signal(after.pid("chat-1"), Signal::KILL);
    cluster.wait_for("it is restarted", |list| list.all_up() && list.pid("chat-1") != after.pid("chat-1"));
    cluster.end();
}

fn a_screen_that_has_stopped_does_not_cost_the_leader_its_lease() {
    let cluster = Cluster::with(servers(), json!({"lease": 2000}));
    // A pipe that is full and that nobody reads, as a terminal after Ctrl-S.
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    fcntl_setfl(&writer, OFlags::NONBLOCK).expect("flags");
    while writer.write(&[b'.'; 512]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).expect("flags");
    let mut command = cluster.command(&["start"]);
    command.stdout(writer.try_clone().expect("a copy")).stderr(writer).stdin(Stdio::null());
    let mut master = command.spawn().expect("a master");
    cluster.wait_for("all are up", |list| list.all_up());
    signal(cluster.list().pid("chat-1"), Signal::KILL);
    let restarted = cluster.wait_for("it is restarted", |list| {
        list.all_up() && list.servers.iter().any(|server| server.restarts == 1)
    });
    wait_until("two leases have passed", || {
        let up = cluster.list().servers.iter().filter_map(|server| server.uptime_ms).min();
        up.is_some_and(|ms| ms > 4000)
    });
    let after = cluster.list();
    assert_eq!((after.lives(), after.leader().epoch), (restarted.lives(), restarted.leader().epoch));
    cluster.end();
    assert!(master.wait().expect("its end").success());
}
