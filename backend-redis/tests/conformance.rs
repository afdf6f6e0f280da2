//! The conformance suite on real servers of every kind, on both runtimes.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use support::{connect, on_both, plain};
use tangelo_core::conformance::channel_manager::Suite;
use tangelo_core::runtime::Runtime;
use tangelo_redis::RedisConfig;
use tangelo_services::redis::{Options, Redis};

on_both! {
    one_server
}

async fn conforms(config: RedisConfig, runtime: Arc<dyn Runtime>) {
    // It begins like the other, and ends like a channel of it.
    let neighbour = connect(config.clone().prefix("POMELO:CHANNEL:room"), &runtime);
    let connect = connect(config, &runtime);
    Suite::new(runtime, &connect).neighbour(&neighbour).test_all().await;
    let last = connect().await;
    last.start().await.expect("start");
    last.clean().await.expect("clean");
}

async fn one_server(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    conforms(plain(&redis), runtime).await;
    assert_eq!(redis.keys().expect("keys"), Vec::<String>::new(), "a clean leaves nothing");
}
