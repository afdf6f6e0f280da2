//! What the tests share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use alloc::sync::Arc;
use tangelo_core::channel::Frontend;
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, ChannelManager};
use tangelo_redis::{RedisChannelManager, RedisConfig, RedisTls};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_services::redis::{Cluster, Redis};

/// Makes two tests of each function that takes a runtime: one on tokio, one on smol.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_tokio {
            $(#[test]
            fn $test() {
                crate::support::run(crate::support::tokio(), super::$test);
            })*
        }
        mod on_smol {
            $(#[test]
            fn $test() {
                crate::support::run(crate::support::smol(), super::$test);
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) fn tokio() -> Arc<dyn Runtime> {
    Arc::new(TokioRuntime::new().expect("a runtime"))
}

pub(crate) fn smol() -> Arc<dyn Runtime> {
    Arc::new(SmolRuntime::new().expect("a runtime"))
}

pub(crate) fn run<F: Future<Output = ()> + Send>(
    runtime: Arc<dyn Runtime>,
    test: impl FnOnce(Arc<dyn Runtime>) -> F,
) {
    let test = test(Arc::clone(&runtime));
    runtime.block_on(Box::pin(test));
}

/// By TCP, in the clear, without a password.
pub(crate) fn plain(redis: &Redis) -> RedisConfig {
    RedisConfig::new("127.0.0.1", redis.port())
}

pub(crate) fn manager(config: &RedisConfig, runtime: &Arc<dyn Runtime>) -> Arc<RedisChannelManager> {
    Arc::new(RedisChannelManager::new(config.clone(), Arc::clone(runtime)).expect("a configuration"))
}

/// A manager that has started.
pub(crate) async fn started(config: &RedisConfig, runtime: &Arc<dyn Runtime>) -> Arc<RedisChannelManager> {
    let manager = manager(config, runtime);
    manager.start().await.expect("start");
    manager
}

/// What the conformance suite makes managers with.
pub(crate) fn connect(
    config: RedisConfig,
    runtime: &Arc<dyn Runtime>,
) -> impl Fn() -> BoxFuture<'static, Arc<dyn ChannelManager>> + Send + Sync + use<> {
    let runtime = Arc::clone(runtime);
    move || {
        let manager: Arc<dyn ChannelManager> = manager(&config, &runtime);
        Box::pin(async move { manager })
    }
}

pub(crate) fn frontend(sid: &str, incarnation: u64) -> Frontend {
    Frontend { sid: sid.to_owned(), incarnation: Incarnation(incarnation) }
}

pub(crate) fn users(range: core::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("user-{n}")).collect()
}

/// Through any of its nodes.
pub(crate) fn cluster(cluster: &Cluster) -> RedisConfig {
    let nodes = cluster.addresses().into_iter().map(|address| (address.ip().to_string(), address.port()));
    RedisConfig::cluster(nodes)
}

/// Trusting the authority of a server.
pub(crate) fn tls(redis: &Redis) -> RedisTls {
    let authority = redis.certificates().expect("certificates").authority();
    RedisTls::default().authorities_file(authority).expect("the authority")
}
