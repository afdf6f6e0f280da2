//! The life of a cluster: configured, started, struck, taken over and stopped.

use crate::cluster::Cluster;
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use tangelo_core::config::{ClusterConfig, ConfigFile, Incarnation, Layout};
use tangelo_core::coordinator::Epoch;
use tangelo_core::wire::{Message, Request, Response, Selection};

const MASTER: &str = r#"{"id": "master", "host": "127.0.0.1", "port": 3005}"#;
const SERVERS: &str = r#"{
    "connector": [{"id": "connector-1", "host": "127.0.0.1", "port": 3100, "clientPort": 3010,
                   "frontend": true, "auto-restart": true, "weight": 0.1}],
    "chat": [{"id": "chat-1", "host": "127.0.0.1", "port": 3200, "auto-restart": "true"}]
}"#;

/// Lives it; says what it was like.
pub(crate) fn lived() -> String {
    let mut cluster = Cluster::start(configured());
    assert_eq!(cluster.settled, Some((2, 0)), "both servers have registered and are up");
    all_know_each_other(&mut cluster);

    cluster.kill("chat-1");
    assert_eq!(life_of(&cluster, "chat-1"), Some(2), "the first restart is at once");
    all_know_each_other(&mut cluster);
    cluster.kill("chat-1");
    assert_eq!(life_of(&cluster, "chat-1"), None, "the second one waits");
    cluster.pass(Duration::from_secs(1));
    assert_eq!(life_of(&cluster, "chat-1"), Some(3));
    all_know_each_other(&mut cluster);

    cluster.succeed();
    cluster.pass(Duration::from_secs(10));
    assert_eq!((cluster.settled, cluster.launches), (Some((2, 0)), 4), "adopted, and none started twice");
    assert!(cluster.processes.values().all(|p| p.agent.is_welcome() && p.agent.epoch() == Epoch(2)));
    let late = Message::Stop { epoch: Epoch(1), timeout: Duration::from_secs(1) };
    assert_eq!(cluster.hears("chat-1", &late), [], "the old master has nothing to say any more");

    cluster.kill("chat-1");
    // The first one may have launched the fourth life without having said so.
    assert_eq!(life_of(&cluster, "chat-1"), Some(5), "the new master restarts, too");
    cluster.ask(Request::Stop(Selection { ids: ["chat-1".into()].into(), server_type: None }));
    cluster.pass(Duration::from_secs(60));
    assert!(matches!(cluster.answers[..], [Response::Done(_)]), "{:?}", cluster.answers);
    assert_eq!(life_of(&cluster, "chat-1"), None, "stopped on purpose, it stays away");
    assert_eq!(life_of(&cluster, "connector-1"), Some(1), "this one has lived through all of it");
    assert!(!cluster.ended);
    format!("2 elections, {} launches, 3 crashes, a stop, {} messages", cluster.launches, cluster.messages)
}

fn configured() -> ClusterConfig {
    let [master, servers] = [("master.json", MASTER), ("servers.json", SERVERS)]
        .map(|(name, text)| ConfigFile { name, text, layout: Layout::OneEnv });
    let broken = ConfigFile { text: "{\"chat\": [}", ..servers };
    let error = ClusterConfig::parse("development", master, broken, None).expect_err("a broken file");
    assert_eq!((error.line, error.column), (1, 11), "{error}");
    ClusterConfig::parse("development", master, servers, None).expect("the configuration")
}

/// Who has come up is told in one message, gathered over milliseconds.
fn all_know_each_other(cluster: &mut Cluster) {
    cluster.pass(Duration::from_millis(10));
    for process in cluster.processes.values() {
        let known = process.agent.servers().values().map(|server| (&server.def.id, server.incarnation));
        let there = cluster.processes.iter().map(|(id, process)| (id, process.incarnation));
        assert!(known.eq(there), "{:?}", process.agent);
    }
}

fn life_of(cluster: &Cluster, id: &str) -> Option<u64> {
    cluster.processes.get(id).map(|process| process.incarnation).map(|Incarnation(number)| number)
}
