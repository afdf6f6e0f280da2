//! The store goes away, and comes back with what it had stored.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::time::Duration;
use support::{connect, on_both, plain};
use tangelo_core::BoxFuture;
use tangelo_core::conformance::channel_manager::{Outage, Suite};
use tangelo_core::runtime::Runtime;
use tangelo_redis::RedisConfig;
use tangelo_services::redis::{Cluster, Options, Redis};

on_both! {
    a_server_that_is_killed
    a_server_that_is_frozen
    a_server_that_is_killed_behind_its_unix_socket
    a_cluster_that_is_killed
    a_cluster_that_is_frozen
}

const TIMEOUT: Duration = Duration::from_millis(600);
const LIMIT: Duration = Duration::from_secs(60);

fn impatient(config: RedisConfig) -> RedisConfig {
    let part = Duration::from_millis(250);
    config.timeout(TIMEOUT).connect_timeout(part).response_timeout(part)
}

/// SIGKILL, and a start with the data on the disk.
struct Killed<'a>(&'a [Redis]);

impl Outage for Killed<'_> {
    fn down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.iter().for_each(|redis| redis.kill().expect("kill")) })
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.0.iter().for_each(|redis| redis.start_again().expect("start"));
            self.0.iter().for_each(|redis| redis.await_ready(LIMIT).expect("ready"));
        })
    }
}

/// SIGSTOP, and SIGCONT.
struct Frozen<'a>(&'a [Redis]);

impl Outage for Frozen<'_> {
    fn down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.iter().for_each(|redis| redis.freeze().expect("freeze")) })
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.iter().for_each(|redis| redis.thaw().expect("thaw")) })
    }
}

async fn survives(config: RedisConfig, outage: &dyn Outage, runtime: Arc<dyn Runtime>) {
    let connect = connect(impatient(config), &runtime);
    Suite::new(runtime, &connect).outage(outage, TIMEOUT).patience(LIMIT * 2).test_outages().await;
}

async fn a_server_that_is_killed(runtime: Arc<dyn Runtime>) {
    let redis = [Redis::start(&Options::durable()).expect("Redis")];
    survives(plain(&redis[0]), &Killed(&redis), runtime).await;
}

async fn a_server_that_is_frozen(runtime: Arc<dyn Runtime>) {
    let redis = [Redis::start(&Options::default()).expect("Redis")];
    survives(plain(&redis[0]), &Frozen(&redis), runtime).await;
}

async fn a_server_that_is_killed_behind_its_unix_socket(runtime: Arc<dyn Runtime>) {
    let redis = [Redis::start(&Options::durable()).expect("Redis")];
    survives(RedisConfig::unix(redis[0].socket()), &Killed(&redis), runtime).await;
}

async fn a_cluster_that_is_killed(runtime: Arc<dyn Runtime>) {
    let cluster = Cluster::start(3, 0, &Options::durable()).expect("Redis");
    survives(support::cluster(&cluster), &Killed(cluster.nodes()), runtime).await;
}

async fn a_cluster_that_is_frozen(runtime: Arc<dyn Runtime>) {
    let cluster = Cluster::start(3, 0, &Options::default()).expect("Redis");
    survives(support::cluster(&cluster), &Frozen(cluster.nodes()), runtime).await;
}
