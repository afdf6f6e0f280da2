//! The public suite for coordinators, on a real ZooKeeper: alone and as an ensemble, on both runtimes.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::time::Duration;
use support::World;
use tangelo_core::conformance::coordinator::Suite;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Coordinator};
use tangelo_services::zookeeper::Options;

async fn conforms(runtime: Arc<dyn Runtime>, world: fn(&Arc<dyn Runtime>) -> World) {
    // Each case begins on a cluster of its own: here, on a path of its own.
    let world = world(&runtime);
    let connect = || -> BoxFuture<'static, Arc<dyn Coordinator>> {
        let coordinator = world.coordinator();
        Box::pin(async move { coordinator })
    };
    Suite::new(Arc::clone(&runtime), &connect).settle(Duration::from_millis(500)).test_all().await;
}

async fn standalone(runtime: Arc<dyn Runtime>) {
    conforms(runtime, World::shared).await;
}

async fn three_nodes(runtime: Arc<dyn Runtime>) {
    conforms(runtime, |runtime| World::own(runtime, 3, Options::default())).await;
}

on_both_runtimes!(standalone, three_nodes);
