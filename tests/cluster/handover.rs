//! The leadership is handed over on purpose, and goes by priority.

use crate::masters::{leads, servers};
use crate::support::{Cluster, Look, Signal, signal, trials};
use serde_json::json;

trials![
    a_leader_hands_over_and_becomes_a_standby,
    a_hand_over_to_nobody_is_refused_and_the_leader_goes_on,
    the_standby_with_the_highest_priority_leads_next,
    masterha_starts_the_masters_of_its_file_once,
];

pub(crate) fn a_leader_hands_over_and_becomes_a_standby() {
    let cluster = Cluster::new(servers());
    let first = cluster.start();
    let second = cluster.master(&["master", "--id", "master-2"]);
    let third = cluster.master(&["master", "--id", "master-3"]);
    let before = cluster.wait_for("two stand by", |list| list.standbys().len() == 2);
    let said = cluster.cli(&["handover", "--to", "master-3"]);
    assert!(said.ok().starts_with("master-3 leads at 127.0.0.1:"), "{said:?}");
    let after = leads(&cluster, third.pid());
    assert_eq!(after.lives(), before.lives());
    assert!(after.leader().epoch > before.leader().epoch);
    first.says("this master leads no longer");
    cluster.wait_for("the old leader stands by", |list| list.standbys().len() == 2);

    // By its address, and back again without a name.
    let to = before.standbys().iter().find(|row| row.id == "master-2").map(|row| row.port);
    let to = format!("127.0.0.1:{}", to.expect("master-2 was in the list"));
    assert!(cluster.cli(&["handover", "--to", &to]).ok().starts_with("master-2 leads"));
    leads(&cluster, second.pid());
    cluster.wait_for("two stand by", |list| list.standbys().len() == 2);
    cluster.cli(&["handover"]).ok();
    let last = cluster.wait_for("another leads", |list| list.leader().pid != second.pid() && list.all_up());
    assert_eq!(last.lives(), before.lives());
    cluster.end();
}

pub(crate) fn a_hand_over_to_nobody_is_refused_and_the_leader_goes_on() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    let refused = cluster.cli(&["handover"]);
    assert!(refused.error().contains("no standby lives: `master` starts one"), "{refused:?}");
    let standby = cluster.standby();
    for nobody in ["nobody", "127.0.0.1:1", "master-1x"] {
        let refused = cluster.cli(&["handover", "--to", nobody]);
        assert!(refused.error().contains("stands for election"), "{refused:?}");
    }
    signal(standby.pid(), Signal::KILL);
    cluster.wait_for("it is off the list", |list| list.standbys().is_empty());
    let after = leads(&cluster, leader.pid());
    assert_eq!((after.lives(), after.leader().epoch), (before.lives(), before.leader().epoch));
    cluster.end();
}

pub(crate) fn the_standby_with_the_highest_priority_leads_next() {
    let cluster = Cluster::with(servers(), json!({"priority": 1}));
    let leader = cluster.start();
    let before = cluster.list();
    let low = cluster.master(&["master", "--id", "low", "--priority", "-1"]);
    low.says("standby: ");
    let high = cluster.master(&["master", "--id", "high", "--priority", "7"]);
    high.says("standby: ");
    let list = cluster.wait_for("two stand by", |list| list.standbys().len() == 2);
    assert_eq!(list.leader().pid, leader.pid(), "a higher priority takes nothing from a healthy leader");
    signal(leader.pid(), Signal::KILL);
    let after = leads(&cluster, high.pid());
    assert_eq!(after.lives(), before.lives());
    cluster.end();
}

pub(crate) fn masterha_starts_the_masters_of_its_file_once() {
    let cluster = Cluster::new(servers());
    let leader = cluster.start();
    let before = cluster.list();
    let ports = [cluster.ports.next(), cluster.ports.next()];
    // As in Pomelo's own sample, all bear one id.
    let def = |port: u16| json!({"id": "master-1", "host": "127.0.0.1", "port": port});
    let file = json!({"masterha": [def(ports[0]), def(ports[1])]}).to_string();
    let missing = cluster.cli(&["masterha"]);
    assert!(missing.error().contains("config/masterha.json exists: make"), "{missing:?}");
    cluster.write("config/masterha.json", &file);
    let said = cluster.cli(&["masterha"]);
    for (id, port) in [("master-1-2", ports[0]), ("master-1-3", ports[1])] {
        assert!(said.ok().contains(&format!("{id} at 127.0.0.1:{port} stands by (pid ")), "{said:?}");
    }
    let list = cluster.wait_for("two stand by", |list| list.standbys().len() == 2);
    assert_eq!(list.lives(), before.lives());
    let again = cluster.cli(&["masterha"]);
    assert_eq!(again.ok().lines().filter(|line| line.ends_with(" lives already")).count(), 2, "{again:?}");
    signal(leader.pid(), Signal::KILL);
    let after =
        cluster.wait_for("one of them leads", |list| list.leader().pid != leader.pid() && list.all_up());
    assert_eq!(after.lives(), before.lives());
    cluster.end();
}
