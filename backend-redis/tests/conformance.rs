//! The conformance suite on real servers of every kind, on both runtimes.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use support::{connect, on_both, plain, tls};
use tangelo_core::conformance::channel_manager::Suite;
use tangelo_core::runtime::Runtime;
use tangelo_redis::RedisConfig;
use tangelo_services::redis::{Cluster, Options, Redis, Security, Sentinels};

on_both! {
    one_server
    by_tls_as_a_user_with_few_rights
    by_a_unix_socket_in_another_database
    behind_sentinels
    in_a_cluster
}

/// The rights that the README asks for.
const USER: &str = "tangelo on >pass:word@ ~POMELO:CHANNEL* resetchannels -@all +ping +info +client|id +client|kill \
    +select +eval +evalsha +smembers +sismember +scard +sscan +sadd +srem +exists +unlink +hget \
    +hset +hdel +hmget +hkeys +hlen +hexists +hrandfield +scan +wait +cluster|slots";

async fn conforms(config: RedisConfig, runtime: Arc<dyn Runtime>, members: usize) {
    // It begins like the other, and goes on like a channel of it.
    let neighbour = connect(config.clone().prefix("POMELO:CHANNEL:room"), &runtime);
    let connect = connect(config, &runtime);
    Suite::new(runtime, &connect).neighbour(&neighbour).members(members).test_all().await;
    let last = connect().await;
    last.start().await.expect("start");
    last.clean().await.expect("clean");
}

async fn one_server(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    conforms(plain(&redis), runtime, 100_000).await;
    assert_eq!(redis.keys().expect("keys"), [""; 0], "a clean leaves nothing");
}

async fn by_tls_as_a_user_with_few_rights(runtime: Arc<dyn Runtime>) {
    let security = Security::Tls { client_certificates: true };
    let password = Some("of-the-default-user".to_owned());
    let options = Options { security, password, users: vec![USER.to_owned()], ..Options::default() };
    let redis = Redis::start(&options).expect("Redis");
    let certificates = redis.certificates().expect("certificates");
    let tls = tls(&redis)
        .client_certificate_files(certificates.client_certificate(), certificates.client_key())
        .expect("certificates");
    let config = RedisConfig::new("localhost", redis.port()).tls(tls);
    conforms(config.username("tangelo").password("pass:word@"), runtime, 20_000).await;
    assert_eq!(redis.keys().expect("keys"), [""; 0], "a clean leaves nothing");
}

async fn by_a_unix_socket_in_another_database(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    redis.ask(&["SADD", "POMELO:CHANNEL:room:connector", "anna"]).expect("a key of database 0");
    let url = format!("redis+unix://{}?db=7", redis.socket().display());
    conforms(RedisConfig::from_url(&url).expect("a URL"), runtime, 20_000).await;
    assert_eq!(redis.keys().expect("keys"), ["POMELO:CHANNEL:room:connector"]);
    let left = redis.ask(&["INFO", "keyspace"]).and_then(tangelo_services::redis::Reply::text);
    assert!(!left.expect("keyspace").contains("db7"), "a clean leaves nothing");
}

async fn behind_sentinels(runtime: Arc<dyn Runtime>) {
    let password = Some("secret".to_owned());
    let trio = Sentinels::start(1, &Options { password, ..Options::default() }).expect("Redis");
    let nodes: Vec<_> = trio.addresses().iter().map(ToString::to_string).collect();
    let url = format!("redis-sentinel://:secret@{}/{}", nodes.join(","), trio.group());
    conforms(RedisConfig::from_url(&url).expect("a URL"), runtime, 20_000).await;
    assert_eq!(trio.servers()[0].keys().expect("keys"), [""; 0], "a clean leaves nothing");
}

async fn in_a_cluster(runtime: Arc<dyn Runtime>) {
    let cluster = Cluster::start(3, 0, &Options::default()).expect("Redis");
    // One of them is enough to find the others.
    let url = format!("redis-cluster://{}", cluster.addresses()[1]);
    conforms(RedisConfig::from_url(&url).expect("a URL"), runtime, 50_000).await;
    assert_eq!(cluster.keys().expect("keys"), [""; 0], "a clean leaves nothing");
}
