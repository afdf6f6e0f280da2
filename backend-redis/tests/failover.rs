//! A master dies or freezes, and another takes its place.

extern crate alloc;

mod support;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use support::{frontend, on_both, started};
use tangelo_core::Instant;
use tangelo_core::channel::ChannelManager as _;
use tangelo_core::runtime::Runtime;
use tangelo_redis::{RedisChannelManager, RedisConfig};
use tangelo_services::redis::{Cluster, Options, Reply, Sentinels};

on_both! {
    sentinels_replace_a_killed_master
    sentinels_replace_a_frozen_master
    a_cluster_replaces_a_killed_master
    a_cluster_replaces_a_frozen_master
}

const LIMIT: Duration = Duration::from_secs(40);
const WRITERS: usize = 8;

/// Sentinels need about a second to be sure, and then elect.
fn patient(config: RedisConfig) -> RedisConfig {
    let part = Duration::from_millis(700);
    config.timeout(Duration::from_secs(8)).connect_timeout(part).response_timeout(part).replicas(1)
}

fn sentinels(trio: &Sentinels) -> RedisConfig {
    let nodes = trio.addresses().into_iter().map(|address| (address.ip().to_string(), address.port()));
    patient(RedisConfig::sentinel(nodes, trio.group()))
}

/// Writers that add one user after the other, each at a frontend of its own.
struct Load {
    manager: Arc<RedisChannelManager>,
    over: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    writers: Vec<futures_channel::oneshot::Receiver<BTreeSet<(String, String)>>>,
}

impl Load {
    fn start(manager: &Arc<RedisChannelManager>, runtime: &Arc<dyn Runtime>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let writers = (0..WRITERS).map(|writer| {
            let (tell, told) = futures_channel::oneshot::channel();
            let (manager, over, acknowledged) =
                (Arc::clone(manager), Arc::clone(&over), Arc::clone(&acknowledged));
            let pace = Arc::clone(runtime);
            runtime.spawn(Box::pin(async move {
                let front = frontend(&format!("connector-{writer}"), 1);
                let mut there = BTreeSet::new();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let uid = format!("user-{n}");
                    match manager.add("room", &front, &uid).await {
                        Ok(()) => {
                            there.insert((front.sid.clone(), uid));
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => assert!(error.is_temporary(), "{error}"),
                    }
                    pace.sleep(Duration::from_millis(1)).await;
                }
                let _ = tell.send(there);
            }));
            told
        });
        let writers = writers.collect();
        Self { manager: Arc::clone(manager), over, acknowledged, writers }
    }

    /// Waits until so many more were acknowledged.
    async fn more(&self, runtime: &dyn Runtime, more: usize) {
        let (begin, goal) = (Instant::now(), self.acknowledged.load(Ordering::Relaxed) + more);
        while self.acknowledged.load(Ordering::Relaxed) < goal {
            let waited = Instant::now().saturating_since(begin);
            assert!(waited < LIMIT, "no more members were acknowledged within {waited:?}");
            runtime.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whatever was acknowledged is there.
    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        let mut found = BTreeSet::new();
        for (writer, told) in self.writers.into_iter().enumerate() {
            let there = told.await.expect("a writer has panicked");
            let sid = format!("connector-{writer}");
            let members = self.manager.members_by_server("room", &sid).await.expect("members");
            found.extend(members.into_iter().map(|uid| (sid.clone(), uid)));
            let lost: Vec<_> = there.difference(&found).take(5).collect();
            assert!(lost.is_empty(), "acknowledged and lost, of {}: {lost:?}", there.len());
        }
        assert_eq!(self.manager.count("room").await.expect("count"), found.len() as u64);
    }
}

async fn sentinels_replace_a_killed_master(runtime: Arc<dyn Runtime>) {
    let trio = Sentinels::start(2, &Options::default()).expect("Redis");
    let manager = started(&sentinels(&trio), &runtime).await;
    let load = Load::start(&manager, &runtime);
    load.more(&*runtime, 500).await;
    let first = trio.master().expect("a master");
    first.kill().expect("kill");
    load.more(&*runtime, 500).await;
    let second = trio.await_other_master(first.port(), LIMIT).expect("another master");
    assert!(second.keys().expect("keys").iter().any(|key| key == "POMELO:CHANNEL:room:connector-0"));
    // The old one returns as a replica, and nobody writes to it.
    first.start_again().expect("start");
    first.await_ready(LIMIT).expect("ready");
    load.more(&*runtime, 500).await;
    load.end().await;
}

async fn sentinels_replace_a_frozen_master(runtime: Arc<dyn Runtime>) {
    let trio = Sentinels::start(2, &Options::default()).expect("Redis");
    let manager = started(&sentinels(&trio), &runtime).await;
    let load = Load::start(&manager, &runtime);
    load.more(&*runtime, 500).await;
    let first = trio.master().expect("a master");
    first.freeze().expect("freeze");
    load.more(&*runtime, 500).await;
    // It wakes as the master that it was; what it is still told by old connections counts for nothing.
    first.thaw().expect("thaw");
    load.more(&*runtime, 500).await;
    load.end().await;
}

async fn a_cluster_replaces_a_killed_master(runtime: Arc<dyn Runtime>) {
    let cluster = Cluster::start(3, 1, &Options::default()).expect("Redis");
    let manager = started(&patient(support::cluster(&cluster)), &runtime).await;
    let load = Load::start(&manager, &runtime);
    load.more(&*runtime, 500).await;
    cluster.nodes()[0].kill().expect("kill");
    becomes_master(&cluster, 3, &*runtime).await;
    // Its first changes are acknowledged when it has a replica again.
    cluster.nodes()[0].start_again().expect("start");
    everywhere(&manager).await;
    load.more(&*runtime, 500).await;
    load.end().await;
}

async fn a_cluster_replaces_a_frozen_master(runtime: Arc<dyn Runtime>) {
    let cluster = Cluster::start(3, 1, &Options::default()).expect("Redis");
    let manager = started(&patient(support::cluster(&cluster)), &runtime).await;
    let load = Load::start(&manager, &runtime);
    load.more(&*runtime, 500).await;
    cluster.nodes()[0].freeze().expect("freeze");
    becomes_master(&cluster, 3, &*runtime).await;
    cluster.nodes()[0].thaw().expect("thaw");
    everywhere(&manager).await;
    load.more(&*runtime, 500).await;
    load.end().await;
}

async fn becomes_master(cluster: &Cluster, node: usize, runtime: &dyn Runtime) {
    let begin = Instant::now();
    let role = || cluster.nodes()[node].ask(&["INFO", "replication"]).and_then(Reply::text);
    while !role().expect("its role").contains("role:master") {
        let waited = Instant::now().saturating_since(begin);
        assert!(waited < LIMIT, "node {node} is no master within {waited:?}");
        runtime.sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until changes get through for every frontend, whichever node has it.
async fn everywhere(manager: &RedisChannelManager) {
    for writer in 0..WRITERS {
        let (front, begin) = (frontend(&format!("connector-{writer}"), 1), Instant::now());
        while let Err(error) = manager.leave("room", &front, "nobody").await {
            assert!(error.is_temporary(), "{error}");
            assert!(Instant::now().saturating_since(begin) < LIMIT, "{error}");
        }
    }
}
