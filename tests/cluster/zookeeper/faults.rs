//! Masters, guards and ZooKeeper nodes that die, freeze and come back.

use crate::masters::{leads, lost, servers};
use crate::support::zookeeper::{self as on, SESSION};
use crate::support::{Cluster, Look, Signal, is_alive, signal, wait_until};
use core::time::Duration;
use libtest_mimic::Trial;
use serde_json::json;
use tangelo::core::Instant;
use tangelo::core::wire::{MasterRole, MasterState};
use tangelo_services::zookeeper::Ensemble;

/// A tick of the tests' ZooKeeper, by which sessions may outlive their time, and what a busy machine needs.
const TICK: Duration = Duration::from_millis(100);
const BUSY: Duration = Duration::from_secs(5);

/// A test that has an ensemble of its own.
type OnEnsemble = fn(&Ensemble);

pub(super) fn trials() -> Vec<Trial> {
    let shared: [(&str, fn()); 5] = [
        (
            "a_dead_leader_is_replaced_long_before_its_session_ends",
            a_dead_leader_is_replaced_long_before_its_session_ends,
        ),
        (
            "leader_and_guard_killed_together_the_session_decides",
            leader_and_guard_killed_together_the_session_decides,
        ),
        (
            "a_killed_guard_is_replaced_and_the_new_one_works",
            a_killed_guard_is_replaced_and_the_new_one_works,
        ),
        (
            "pomelo_frozen_master_wakes_as_a_standby_and_touches_no_server",
            pomelo_frozen_master_wakes_as_a_standby_and_touches_no_server,
        ),
        (
            "pomelo_server_restarted_after_a_failover_finds_the_new_leader",
            pomelo_server_restarted_after_a_failover_finds_the_new_leader,
        ),
    ];
    let own: [(&str, usize, OnEnsemble); 5] = [
        ("zookeeper_restarted_nothing_changes", 1, zookeeper_restarted_nothing_changes),
        (
            "zookeeper_away_past_every_session_servers_serve_on",
            1,
            zookeeper_away_past_every_session_servers_serve_on,
        ),
        (
            "a_leader_told_to_stop_while_zookeeper_is_away_goes",
            1,
            a_leader_told_to_stop_while_zookeeper_is_away_goes,
        ),
        (
            "a_standby_that_cannot_see_the_leader_for_a_while_stays_linked_to_it",
            1,
            a_standby_that_cannot_see_the_leader_for_a_while_stays_linked_to_it,
        ),
        ("a_node_of_three_is_lost_and_nothing_changes", 3, a_node_of_three_is_lost_and_nothing_changes),
    ];
    let named = |name: &str| format!("zookeeper::{name}");
    let shared = shared.into_iter().map(|(name, test)| {
        Trial::test(named(name), move || {
            on::shared(test);
            Ok(())
        })
    });
    let own = own.into_iter().map(|(name, nodes, test)| {
        Trial::test(named(name), move || {
            on::own(nodes, test);
            Ok(())
        })
    });
    shared.chain(own).collect()
}

fn a_dead_leader_is_replaced_long_before_its_session_ends() {
    let session = Duration::from_secs(20);
    let mut config = on::config_here().expect("zookeeper.json");
    config["timeout"] = json!(session.as_secs() * 1000);
    on::set(config);
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    let guard = cluster.guard_of(leader.pid());
    let killed = Instant::now();
    signal(leader.pid(), Signal::KILL);
    standby.says("leading: ");
    let took = Instant::now().saturating_since(killed);
    assert!(took < session / 2, "{took:?}");
    wait_until("its guard has gone", || !is_alive(guard));
    assert_eq!(leads(&cluster, standby.pid()).lives(), before.lives());
    cluster.end();
}

fn leader_and_guard_killed_together_the_session_decides() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    let guard = cluster.guard_of(leader.pid());
    // The guard first: it would be quicker than a second signal.
    signal(guard, Signal::STOP);
    signal(leader.pid(), Signal::KILL);
    let killed = Instant::now();
    signal(guard, Signal::KILL);
    let after = leads(&cluster, standby.pid());
    let took = Instant::now().saturating_since(killed);
    assert!(took < SESSION + TICK + BUSY, "{took:?}");
    assert_eq!(after.lives(), before.lives());
    cluster.end();
}

fn a_killed_guard_is_replaced_and_the_new_one_works() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    let first = cluster.guard_of(leader.pid());
    signal(first, Signal::KILL);
    wait_until("there is another", || {
        cluster.guards().iter().any(|&(guard, master)| master == leader.pid() && guard != first)
    });
    leader_ready(&cluster, leader.pid());
    signal(leader.pid(), Signal::KILL);
    assert_eq!(leads(&cluster, standby.pid()).lives(), before.lives());
    cluster.end();
}

/// The leader is well: it answers.
#[track_caller]
fn leader_ready(cluster: &Cluster, pid: u32) {
    cluster.wait_for("the leader goes on", |list| list.leader().pid == pid);
}

fn pomelo_frozen_master_wakes_as_a_standby_and_touches_no_server() {
    let cluster = Cluster::with(servers(), json!({"reconnect-grace": 1000, "heartbeat": 300}));
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    signal(leader.pid(), Signal::STOP);
    let frozen = Instant::now();
    let after = leads(&cluster, standby.pid());
    let took = Instant::now().saturating_since(frozen);
    assert!(took < SESSION + TICK + BUSY, "{took:?}");
    assert_eq!(after.lives(), before.lives());
    signal(leader.pid(), Signal::CONT);
    leader.says("this master leads no longer");
    let after = cluster.wait_for("the old leader stands by", |list| {
        list.standbys().iter().any(|row| row.pid == leader.pid())
    });
    assert_eq!((after.leader().pid, after.lives()), (standby.pid(), before.lives()));
    assert!(after.leader().epoch > before.leader().epoch);
    cluster.end();
}

fn pomelo_server_restarted_after_a_failover_finds_the_new_leader() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    signal(leader.pid(), Signal::KILL);
    leads(&cluster, standby.pid());
    signal(before.pid("chat-1"), Signal::KILL);
    let after = cluster.wait_for("it is restarted", |list| {
        list.all_up() && list.server("chat-1").pid != before.server("chat-1").pid
    });
    // A successor does not know which lives its predecessor had reserved, and skips them.
    assert!(after.incarnation("chat-1") > before.incarnation("chat-1"));
    assert_eq!(cluster.copies_of("chat-1"), 1);
    cluster.end();
}

fn zookeeper_restarted_nothing_changes(ensemble: &Ensemble) {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    ensemble.kill(0).expect("a kill");
    ensemble.start_node(0).expect("a start");
    let after = cluster.wait_for("one leads and one stands by", |list| {
        list.masters.iter().any(|row| row.state == MasterState::Leading)
            && list.standbys().len() == 1
            && list.all_up()
    });
    assert_eq!(after.lives(), before.lives());
    assert!(is_alive(leader.pid()) && is_alive(standby.pid()));
    // A change can be stored again.
    assert_eq!(cluster.cli(&["stop", "chat-2"]).code, Some(0));
    cluster.end();
}

fn a_standby_that_cannot_see_the_leader_for_a_while_stays_linked_to_it(ensemble: &Ensemble) {
    // So long that nobody's session ends.
    on::set(
        json!({"server": ensemble.connect_string(), "path": "/frozen/master", "timeout": 20_000, "create": true}),
    );
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    ensemble.freeze(0).expect("a freeze");
    wait_until("the standby misses ZooKeeper", || standby.err().contains("cannot see who leads"));
    ensemble.thaw(0).expect("a thaw");
    let after = cluster.wait_for("the leader is sure again", |list| {
        list.leader().state == MasterState::Leading && list.standbys().len() == 1
    });
    assert_eq!((after.lives(), after.leader().epoch), (before.lives(), before.leader().epoch));
    // Its link was never given up, and nobody was told twice that it stands by.
    assert_eq!(leader.err().matches("a standby has linked").count(), 1, "{}", leader.err());
    assert_eq!(standby.out().matches("standby: ").count(), 1, "{}", standby.out());
    cluster.end();
}

fn a_leader_told_to_stop_while_zookeeper_is_away_goes(ensemble: &Ensemble) {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    ensemble.freeze(0).expect("a freeze");
    // The cluster's end cannot be stored, so its servers live on.
    signal(leader.pid(), Signal::TERM);
    let ended = leader.end_within(SESSION * 2 + BUSY);
    assert!(ended.code == Some(0) && ended.out.contains("this master has left"), "{ended:?}");
    assert!(["connector-1", "chat-1", "chat-2"].iter().all(|id| is_alive(before.pid(id))));
    ensemble.thaw(0).expect("a thaw");
    cluster.start();
    assert_eq!(cluster.list().lives(), before.lives());
    cluster.end();
}

fn zookeeper_away_past_every_session_servers_serve_on(ensemble: &Ensemble) {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    ensemble.kill(0).expect("a kill");
    leader.says("this master leads no longer");
    // A server that dies now stays down: nobody may act.
    signal(before.pid("chat-1"), Signal::KILL);
    wait_until("clients of ZooKeeper have given their sessions up", || {
        !is_alive(before.pid("chat-1")) && cluster.log("chat-2").contains("cannot be reached")
    });
    assert_eq!(cluster.copies_of("chat-1"), 0);
    assert!(["connector-1", "chat-2"].iter().all(|id| is_alive(before.pid(id))), "servers serve on");
    ensemble.start_node(0).expect("a start");
    let after = cluster.wait_for("all resume", |list| {
        list.standbys().len() == 1 && list.all_up() && list.servers.iter().all(|server| !lost(&server.detail))
    });
    for id in ["connector-1", "chat-2"] {
        assert_eq!(after.pid(id), before.pid(id), "{id} was left alone");
    }
    // A successor does not know which lives its predecessor had reserved, and skips them.
    assert!(after.incarnation("chat-1") > before.incarnation("chat-1"));
    assert!(after.leader().epoch > before.leader().epoch);
    assert!(is_alive(standby.pid()));
    cluster.end();
}

fn a_node_of_three_is_lost_and_nothing_changes(ensemble: &Ensemble) {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    cluster.standby();
    let before = cluster.list();
    for node in 0..ensemble.nodes() {
        ensemble.kill(node).expect("a kill");
        ensemble.await_leader(Duration::from_secs(30)).expect("the others go on");
        let after = cluster.wait_for("one leads and one stands by", |list| {
            list.masters.iter().filter(|row| row.role == MasterRole::Leader).count() == 1
                && list.standbys().len() == 1
        });
        assert_eq!(after.lives(), before.lives(), "node {node} was killed");
        ensemble.start_node(node).expect("a start");
        ensemble.await_ready(Duration::from_secs(30)).expect("it is back");
    }
    assert!(is_alive(leader.pid()));
    cluster.end();
}
