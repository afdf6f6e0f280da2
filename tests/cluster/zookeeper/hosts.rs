//! Masters and servers on several hosts, which share nothing but ZooKeeper.

use crate::hosts::World;
use crate::support::{Look, Signal, signal, wait_until};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::fs;
use tangelo::core::wire::{Listing, MasterRole, ServerState};
use tangelo_services::zookeeper::{Ensemble, Options};

pub(super) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 2] = [
        (
            "a_standby_on_another_host_takes_over_servers_of_several_hosts",
            a_standby_on_another_host_takes_over_servers_of_several_hosts,
        ),
        (
            "a_host_that_is_lost_with_its_master_is_taken_over_and_comes_back",
            a_host_that_is_lost_with_its_master_is_taken_over_and_comes_back,
        ),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(format!("zookeeper::hosts::{name}"), move || {
            test();
            Ok(())
        })
    });
    trials.collect()
}

/// Hosts with a ZooKeeper on this machine, which all of them reach.
fn world(servers: Value, master: Value) -> (World, Ensemble) {
    // Of two lines for the same, the last one counts.
    let lines = vec!["clientPortAddress=0.0.0.0".to_owned()];
    let ensemble = Ensemble::start(1, Options { lines, ..Options::default() }).expect("a ZooKeeper");
    let world = World::with(3, servers, master, json!({}));
    let server = format!("{}:{}", world.network.here(), ensemble.address(0).port());
    let config = json!({"server": server, "path": "/hosts/master", "timeout": 2000, "create": true});
    world.cluster.write("config/zookeeper.json", &json!({"development": config}).to_string());
    // The other hosts share this machine's disk, but no state.
    fs::remove_file(world.cluster.dir().join("far/run")).expect("a link");
    (world, ensemble)
}

fn a_standby_on_another_host_takes_over_servers_of_several_hosts() {
    let servers = json!({"chat": [
        {"id": "chat-1", "host": 0, "auto-restart": true}, {"id": "chat-2", "host": 1, "auto-restart": true},
        {"id": "chat-3", "host": 2, "auto-restart": true},
    ]});
    let (world, _ensemble) = world(servers, json!({}));
    let leader = world.cluster.start();
    let standby = world.master(0);
    standby.says("standby: ");
    world.cluster.wait_for("it is in the list", |list| list.standbys().len() == 1);
    let (before, ssh) = (world.cluster.list(), world.ssh());
    assert_eq!(ssh.len(), 3);
    signal(leader.pid(), Signal::KILL);
    leader.end();
    standby.says("all 3 servers are up");
    let list = world.cluster.list();
    assert_eq!((list.lives(), list.leader().pid), (before.lives(), standby.pid()));
    assert!(list.leader().epoch > before.leader().epoch);
    world.forgotten(&ssh);
    wait_until("it needs ssh for the other hosts alone", || world.ssh().len() == 2);
    for (id, host) in [("chat-1", 0), ("chat-2", 1), ("chat-3", 2)] {
        signal(list.pid(id), Signal::KILL);
        let restarted = |list: &Listing| list.all_up() && list.incarnation(id) > before.incarnation(id);
        let list = world.cluster.wait_for("it is restarted", restarted);
        assert!(world.runs_on(host, list.pid(id)), "{id}");
        assert_eq!(world.cluster.copies_of(id), 1, "{id}");
    }
    world.end();
}

/// The leader, its guard and a server of its own are cut off together: only the session's end tells.
fn a_host_that_is_lost_with_its_master_is_taken_over_and_comes_back() {
    let servers = json!({"chat": [
        {"id": "chat-1", "host": 0}, {"id": "chat-2", "host": 1}, {"id": "chat-3", "host": 2, "auto-restart": true},
    ]});
    let quick = json!({"heartbeat": 200, "heartbeat-missed": 3, "reconnect-grace": 1000});
    let (world, _ensemble) = world(servers, quick);
    let leader = world.master(0);
    leader.says("all 3 servers are up");
    let standby = world.master(1);
    standby.says("standby: ");
    world.cluster.wait_for("it is in the list", |list| list.standbys().len() == 1);
    let before = world.cluster.list();
    world.network.hosts()[0].cut().expect("cut");
    standby.says("leading: ");
    leader.says("this master leads no longer");
    let others = |list: &Listing| {
        ["chat-2", "chat-3"].iter().all(|id| list.is(id, ServerState::Up) && list.pid(id) == before.pid(id))
    };
    let list = world.cluster.wait_for("it has the other hosts' servers", others);
    assert_eq!(list.leader().pid, standby.pid());
    // It does its work, too.
    signal(before.pid("chat-3"), Signal::KILL);
    let restarted =
        |list: &Listing| list.is("chat-3", ServerState::Up) && list.pid("chat-3") != before.pid("chat-3");
    let list = world.cluster.wait_for("it is restarted", restarted);
    assert!(world.runs_on(2, list.pid("chat-3")));
    assert_eq!(world.cluster.copies_of("chat-1"), 1, "nobody can know how it is");

    world.network.hosts()[0].mend().expect("mend");
    let list = world.cluster.wait_for("the lost host is back", |list| {
        list.all_up() && list.standbys().iter().any(|row| row.pid == leader.pid())
    });
    assert_eq!(list.masters.iter().filter(|row| row.role == MasterRole::Leader).count(), 1);
    for id in ["chat-1", "chat-2"] {
        assert_eq!((list.pid(id), list.incarnation(id)), (before.pid(id), before.incarnation(id)), "{id}");
    }
    for id in ["chat-1", "chat-2", "chat-3"] {
        assert_eq!(world.cluster.copies_of(id), 1, "{id}");
    }
    world.end();
}
