//! Faults at awkward moments, and many of them.

use crate::support::{Cluster, DEADLINE, Look, Signal, is_alive, signal, trials, wait_until, within};
use serde_json::{Value, json};
use tangelo::core::wire::{Listing, ServerState};

trials![
    a_leader_killed_as_it_begins_to_lead_the_successor_finishes_the_start,
    a_leader_killed_as_it_launches_the_successor_finishes_the_start,
    a_leader_killed_as_servers_come_up_the_successor_finishes_the_start,
    a_leader_killed_during_a_restart_the_successor_brings_back_what_had_stopped,
    leaders_and_servers_killed_in_turn_leave_one_copy_of_each,
    all_servers_killed_at_once_come_back,
    a_leader_frozen_and_servers_killed_meanwhile,
];

const IDS: [&str; 4] = ["chat-1", "chat-2", "chat-3", "gate-1"];

fn servers() -> Value {
    json!({
        "chat": [{"id": "chat-1", "auto-restart": true, "max-restarts": 1000},
                 {"id": "chat-2", "auto-restart": true, "max-restarts": 1000},
                 {"id": "chat-3", "auto-restart": true, "max-restarts": 1000, "hooks": ["slow"]}],
        "gate": [{"id": "gate-1", "frontend": true, "auto-restart": true, "max-restarts": 1000}],
    })
}

/// Waits until this master leads and everything is well; then one copy of each server runs.
#[track_caller]
fn recovers(cluster: &Cluster, leader: u32) -> Listing {
    let list = cluster.wait_for("all is well under the new leader", |list| {
        list.masters.first().is_some_and(|master| master.pid == leader)
            && list.servers.iter().all(|server| {
                server.state == ServerState::Up && !server.detail.contains("waiting") && server.cpu.is_some()
            })
    });
    for id in IDS {
        assert!(is_alive(list.pid(id)));
        wait_until("one copy of each server runs", || cluster.copies_of(id) == 1);
    }
    list
}

/// Two masters are started at once; the one that leads is killed when it says `text`.
fn killed_when_it_says(text: &str) {
    let cluster = Cluster::new(servers());
    let masters = [cluster.master(&["start"]), cluster.master(&["start"])];
    let leads = || masters.iter().position(|master| master.out().contains(text));
    let leader = within(DEADLINE, leads).expect("one of them leads");
    signal(masters[leader].pid(), Signal::KILL);
    recovers(&cluster, masters[1 - leader].pid());
    cluster.end();
    for id in IDS {
        let lives =
            cluster.notes().iter().filter(|note| note.starts_with(id) && note.contains(" main ")).count();
        assert!(lives <= 2, "{id} was started {lives} times: {:#?}", cluster.notes());
    }
}

fn a_leader_killed_as_it_begins_to_lead_the_successor_finishes_the_start() {
    killed_when_it_says("leading: ");
}

fn a_leader_killed_as_it_launches_the_successor_finishes_the_start() {
    killed_when_it_says("launching, incarnation");
}

fn a_leader_killed_as_servers_come_up_the_successor_finishes_the_start() {
    killed_when_it_says(": up, pid ");
}

fn a_leader_killed_during_a_restart_the_successor_brings_back_what_had_stopped() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    let restart = cluster.run(cluster.command(&["restart", "-t", "chat"]));
    wait_until("it has begun", || cluster.has_note("chat-3 1 hook 1 slow"));
    signal(leader.pid(), Signal::KILL);
    assert!(restart.end().error().contains("has gone before it answered"));
    let list = recovers(&cluster, standby.pid());
    assert_eq!(list.incarnation("gate-1"), 1);
    assert!(list.incarnation("chat-3") > 1, "{:?}", list.lives());
    cluster.end();
}

fn leaders_and_servers_killed_in_turn_leave_one_copy_of_each() {
    let cluster = Cluster::new(servers());
    let mut leader = cluster.start();
    for round in 0..6 {
        let standby = cluster.standby();
        let before = cluster.list();
        let victims: Vec<u32> = match round % 3 {
            0 => vec![before.pid("chat-1"), leader.pid(), before.pid("gate-1")],
            1 => vec![leader.pid(), before.pid("chat-2"), before.pid("chat-3")],
            _ => IDS.iter().map(|id| before.pid(id)).chain([leader.pid()]).collect(),
        };
        for &victim in &victims {
            signal(victim, Signal::KILL);
        }
        let after = recovers(&cluster, standby.pid());
        for id in IDS {
            let killed = victims.contains(&before.pid(id));
            assert_eq!(killed, after.pid(id) != before.pid(id), "round {round}, {id}: {:?}", after.lives());
            assert!(after.incarnation(id) >= before.incarnation(id) + u64::from(killed));
        }
        leader = standby;
    }
    cluster.end();
}

fn all_servers_killed_at_once_come_back() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    for life in 2..=4 {
        let before = cluster.list();
        IDS.iter().for_each(|id| signal(before.pid(id), Signal::KILL));
        cluster.wait_for("all are back", |list| {
            list.all_up() && IDS.iter().all(|id| list.incarnation(id) == life)
        });
    }
    recovers(&cluster, leader.pid());
    cluster.end();
}

fn a_leader_frozen_and_servers_killed_meanwhile() {
    let cluster = Cluster::with(servers(), json!({"lease": 1500}));
    let leader = cluster.start();
    let standby = cluster.standby();
    let before = cluster.list();
    signal(leader.pid(), Signal::STOP);
    signal(before.pid("chat-1"), Signal::KILL);
    signal(before.pid("gate-1"), Signal::KILL);
    let after = recovers(&cluster, standby.pid());
    assert!(!is_alive(leader.pid()));
    for id in ["chat-2", "chat-3"] {
        assert_eq!(after.pid(id), before.pid(id));
    }
    cluster.end();
}
