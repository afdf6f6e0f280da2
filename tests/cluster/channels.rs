//! Members of global channels go with the life of their frontend, whoever leads by then. The store is the
//! file of the example `custom_channel_manager`; while something else lies in its place it is away.

use crate::app::CHANNELS;
use crate::support::{Cluster, Look, Signal, signal, trials, wait_until, within};
use core::time::Duration;
use serde_json::{Value, json};
use std::fs;
use tangelo::core::wire::{Listing, PurgeRow, ServerState};

trials![
    a_killed_frontend_leaves_no_members_behind_and_nobody_elses_are_touched,
    while_the_store_is_away_list_shows_what_is_to_be_purged_and_it_is_done_when_it_is_back,
    a_killed_leaders_successor_finishes_its_purge,
    a_late_purge_spares_the_members_of_the_next_life,
    a_cluster_that_is_started_again_goes_on_with_its_frontends_lives,
    what_an_ended_cluster_could_not_purge_the_next_one_does_though_the_frontend_is_gone,
    a_cluster_that_has_forgotten_its_frontends_lives_says_so_and_a_clean_start_helps,
    without_global_channels_nothing_is_said_of_them,
];

/// The store's file, and where it is put aside.
const STORE: &str = "run/channels.bin";
const ASIDE: &str = "aside.log";

/// How soon members of a frontend that has died have to be gone: before its link's silence would tell.
const SOON: Duration = Duration::from_secs(10);

fn gate(id: &str) -> Value {
    json!({"id": id, "frontend": true, "puppet": true})
}

/// Two frontends that nobody restarts, and a server that can look into the store.
fn servers() -> Value {
    json!({"gate": [gate("gate-1"), gate("gate-2")], "chat": [{"id": "chat-1", "puppet": true}]})
}

/// A cluster with global channels.
fn cluster(servers: Value) -> Cluster {
    let cluster = Cluster::new(servers);
    cluster.write(CHANNELS, "");
    cluster
}

impl Cluster {
    #[track_caller]
    fn join(&self, sid: &str, uid: &str) {
        assert_eq!(self.order(sid, &format!("join room {uid}")), "joined");
    }

    /// The users at this frontend, as the store has them.
    #[track_caller]
    fn members(&self, sid: &str) -> String {
        self.order("chat-1", &format!("members room {sid}"))
    }

    fn store_goes(&self) {
        let store = self.dir().join(STORE);
        fs::rename(&store, self.dir().join(ASIDE)).expect("the store is there");
        fs::create_dir(store).expect("something else in its place");
    }

    fn store_comes_back(&self) {
        let store = self.dir().join(STORE);
        fs::remove_dir(&store).expect("something else in its place");
        fs::rename(self.dir().join(ASIDE), store).expect("the store was put aside");
    }
}

fn purges(list: &Listing) -> &[PurgeRow] {
    &list.channels.as_ref().expect("there are channels").purges
}

/// Whether exactly this life of gate-1 is shown, with why it is not purged.
fn outstanding(list: &Listing, life: u64) -> bool {
    let [row] = purges(list) else { return false };
    let why = row.error.as_deref().unwrap_or_default();
    row.id == "gate-1" && row.incarnation.0 == life && why.contains("channels.bin")
}

fn a_killed_frontend_leaves_no_members_behind_and_nobody_elses_are_touched() {
    let cluster = Cluster::with(servers(), json!({"heartbeat": 20_000, "reconnect-grace": 20_000}));
    cluster.write(CHANNELS, "");
    cluster.start();
    for (sid, uid) in [("gate-1", "anna"), ("gate-1", "ben"), ("gate-2", "cleo")] {
        cluster.join(sid, uid);
    }
    assert_eq!(cluster.members("gate-1"), "anna ben");
    let list = cluster.list();
    assert!(purges(&list).is_empty());
    signal(list.pid("gate-1"), Signal::KILL);
    let gone = within(SOON, || cluster.members("gate-1").is_empty().then_some(()));
    assert!(gone.is_some(), "still there after {SOON:?}: {}", cluster.members("gate-1"));
    assert_eq!(cluster.members("gate-2"), "cleo");
    let list = cluster.wait_for("nothing is outstanding", |list| purges(list).is_empty());
    assert!(list.is("gate-1", ServerState::Failed), "{list:?}");
    cluster.end();
}

fn while_the_store_is_away_list_shows_what_is_to_be_purged_and_it_is_done_when_it_is_back() {
    let cluster = cluster(servers());
    cluster.start();
    let standby = cluster.standby();
    cluster.join("gate-1", "anna");
    cluster.store_goes();
    signal(cluster.list().pid("gate-1"), Signal::KILL);
    let list = cluster.wait_for("the purge is shown", |list| outstanding(list, 1));
    let asked = list.standbys()[0];
    assert_eq!(asked.pid, standby.pid());
    let (host, port) = (asked.host.clone(), asked.port.to_string());
    let shown = cluster.cli(&["list", "--host", &host, "--port", &port]);
    let line = shown.ok().lines().last().unwrap_or_default().to_owned();
    let start = "global channels: members of gate-1 up to incarnation 1 are to be purged, for ";
    assert!(line.starts_with(start) && line.contains("channels.bin"), "{line}");
    assert!(cluster.members("gate-1").starts_with("Unavailable"), "a store that is away is an error");
    cluster.store_comes_back();
    cluster.wait_for("it is done", |list| purges(list).is_empty());
    assert_eq!(cluster.members("gate-1"), "");
    cluster.end();
}

fn a_killed_leaders_successor_finishes_its_purge() {
    let cluster = cluster(servers());
    let leader = cluster.start();
    let standby = cluster.standby();
    cluster.join("gate-1", "anna");
    cluster.join("gate-2", "ben");
    cluster.store_goes();
    signal(cluster.list().pid("gate-1"), Signal::KILL);
    cluster.wait_for("the purge is shown", |list| outstanding(list, 1));
    signal(leader.pid(), Signal::KILL);
    cluster.wait_for("the successor knows of it", |list| {
        list.leader().pid == standby.pid() && outstanding(list, 1)
    });
    cluster.store_comes_back();
    cluster.wait_for("it is done", |list| purges(list).is_empty());
    assert_eq!((cluster.members("gate-1"), cluster.members("gate-2")), (String::new(), "ben".into()));
    cluster.end();
}

fn a_late_purge_spares_the_members_of_the_next_life() {
    let mut gate = gate("gate-1");
    gate["auto-restart"] = true.into();
    let cluster = cluster(json!({"gate": [gate], "chat": [{"id": "chat-1", "puppet": true}]}));
    cluster.start();
    cluster.join("gate-1", "anna");
    cluster.store_goes();
    signal(cluster.list().pid("gate-1"), Signal::KILL);
    cluster.wait_for("the next life is up, the last is not purged", |list| {
        list.all_up() && list.incarnation("gate-1") == 2 && outstanding(list, 1)
    });
    cluster.store_comes_back();
    // Before or after the leader does, as it happens.
    wait_until("the next life can use the store", || cluster.order("gate-1", "join room ben") == "joined");
    cluster.wait_for("it is done", |list| purges(list).is_empty());
    assert_eq!(cluster.members("gate-1"), "ben");
    cluster.end();
}

fn a_cluster_that_is_started_again_goes_on_with_its_frontends_lives() {
    let cluster = cluster(servers());
    cluster.start();
    cluster.join("gate-1", "anna");
    cluster.end();
    cluster.start();
    assert!(cluster.list().incarnation("gate-1") > 1, "the store refuses what is over");
    assert_eq!(cluster.members("gate-1"), "");
    cluster.join("gate-1", "ben");
    assert_eq!(cluster.members("gate-1"), "ben");
    cluster.end();
}

fn what_an_ended_cluster_could_not_purge_the_next_one_does_though_the_frontend_is_gone() {
    let cluster = cluster(servers());
    cluster.start();
    cluster.join("gate-1", "anna");
    cluster.store_goes();
    signal(cluster.list().pid("gate-1"), Signal::KILL);
    cluster.wait_for("the purge is shown", |list| outstanding(list, 1));
    cluster.end();
    cluster.store_comes_back();
    let mut left: Value = serde_json::from_str(&cluster.read("config/servers.json")).expect("JSON");
    left["development"]["gate"].as_array_mut().expect("frontends").remove(0);
    cluster.write("config/servers.json", &left.to_string());
    cluster.start();
    cluster.wait_for("it is done", |list| purges(list).is_empty());
    assert_eq!(cluster.members("gate-1"), "");
    assert!(cluster.list().servers.iter().all(|server| server.id != "gate-1"));
    cluster.end();
}

fn a_cluster_that_has_forgotten_its_frontends_lives_says_so_and_a_clean_start_helps() {
    let cluster = cluster(servers());
    let forget = || {
        cluster.end();
        // The cluster's own state is lost, the store is not.
        fs::rename(cluster.dir().join(STORE), cluster.dir().join(ASIDE)).expect("the store");
        fs::remove_dir_all(cluster.dir().join("run")).expect("the state");
        fs::create_dir(cluster.dir().join("run")).expect("a directory");
        fs::rename(cluster.dir().join(ASIDE), cluster.dir().join(STORE)).expect("the store");
    };
    cluster.start();
    cluster.join("gate-1", "anna");
    forget();
    cluster.start();
    let refused = cluster.order("gate-1", "join room ben");
    assert!(refused.starts_with("StaleIncarnation") && refused.contains("cleanOnStartUp"), "{refused}");
    forget();
    cluster.write(CHANNELS, "clean");
    cluster.start();
    cluster.join("gate-1", "ben");
    assert_eq!(cluster.members("gate-1"), "ben");
    cluster.end();
}

fn without_global_channels_nothing_is_said_of_them() {
    let cluster = Cluster::new(json!({"gate": [gate("gate-1")]}));
    cluster.start();
    let list = cluster.cli(&["list", "--json"]);
    let list: Value = serde_json::from_str(list.ok()).expect("JSON");
    let keys: Vec<&String> = list.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["masters", "servers"]);
    cluster.end();
}
