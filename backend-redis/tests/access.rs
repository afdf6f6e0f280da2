//! Who is let in, and what the others are told.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::time::Duration;
use support::{frontend, manager, on_both, plain, started, tls};
use tangelo_core::channel::ChannelManager as _;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use tangelo_redis::{RedisConfig, RedisTls};
use tangelo_services::redis::{Cluster, Options, Redis, Security, Sentinels};

on_both! {
    passwords
    rights
    tls_certificates
    sentinels_with_passwords
    servers_that_are_not_what_they_should_be
}

const TIMEOUT: Duration = Duration::from_secs(4);

/// What a manager says that does not get in; `at_once` unless it would pass by itself.
async fn refused(config: RedisConfig, runtime: &Arc<dyn Runtime>, kind: ErrorKind, cure: &str) {
    let config = config.timeout(TIMEOUT).connect_timeout(TIMEOUT / 3);
    let (manager, begin) = (manager(&config, runtime), Instant::now());
    let error = manager.start().await.expect_err("it should not get in");
    let took = Instant::now().saturating_since(begin);
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(cure) && !text.contains('\n'), "{text}");
    assert!(!format!("{text} {config:?}").contains("hush"), "{text} {config:?}");
    if !error.is_temporary() {
        assert!(took < TIMEOUT / 2, "waiting does not cure it: {took:?}");
        // So do calls.
        let late = manager.add("room", &frontend("connector-1", 1), "anna").await.expect_err("a call");
        assert_eq!(late.kind(), kind, "{late}");
        let late = manager.count("room").await.expect_err("a call");
        assert_eq!(late.kind(), kind, "{late}");
    }
}

async fn passwords(runtime: Arc<dyn Runtime>) {
    let password = Some("open".to_owned());
    let redis = Redis::start(&Options { password, ..Options::default() }).expect("Redis");
    started(&plain(&redis).password("open"), &runtime).await;
    refused(plain(&redis), &runtime, ErrorKind::Denied, "set its password").await;
    refused(plain(&redis).password("hush"), &runtime, ErrorKind::Denied, "wrong").await;
    let stranger = plain(&redis).username("stranger").password("hush");
    refused(stranger, &runtime, ErrorKind::Denied, "wrong").await;
}

async fn rights(runtime: Arc<dyn Runtime>) {
    let user = "game on >hush ~OTHER* -@all +ping +evalsha +eval +sadd +smembers".to_owned();
    let redis = Redis::start(&Options { users: vec![user], ..Options::default() }).expect("Redis");
    // It may not even ask who it speaks with, and gets in.
    let manager = started(&plain(&redis).username("game").password("hush"), &runtime).await;
    let error = manager.add("room", &frontend("connector-1", 1), "anna").await.expect_err("no right");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("README"), "{error}");
    let error = manager.members_by_server("room", "connector-1").await.expect_err("no right");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(redis.keys().expect("keys"), [""; 0]);
}

async fn tls_certificates(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::tls()).expect("Redis");
    let secure = |tls: RedisTls| plain(&redis).tls(tls);
    started(&secure(tls(&redis)), &runtime).await;
    started(&RedisConfig::new("localhost", redis.port()).tls(tls(&redis)), &runtime).await;
    let authority = redis.certificates().expect("certificates").authority();
    let url = format!("rediss://127.0.0.1:{}?ca={}", redis.port(), authority.display());
    started(&RedisConfig::from_url(&url).expect("a URL"), &runtime).await;

    let other = Redis::start(&Options::tls()).expect("Redis");
    refused(secure(tls(&other)), &runtime, ErrorKind::Denied, "trusted").await;
    // Nobody knows the authority of a test.
    refused(secure(RedisTls::default()), &runtime, ErrorKind::Denied, "trusted").await;
    refused(secure(RedisTls::default().authorities("nonsense")), &runtime, ErrorKind::Denied, "trusted")
        .await;
    refused(plain(&redis), &runtime, ErrorKind::Unavailable, "rediss://").await;
    let clear = Redis::start(&Options::default()).expect("Redis");
    refused(plain(&clear).tls(tls(&redis)), &runtime, ErrorKind::Unavailable, "does it speak TLS").await;

    let security = Security::Tls { client_certificates: true };
    let strict = Redis::start(&Options { security, ..Options::default() }).expect("Redis");
    // TLS 1.3 tells only after the handshake, by hanging up.
    refused(plain(&strict).tls(tls(&strict)), &runtime, ErrorKind::Unavailable, "certificate of ours").await;
}

async fn sentinels_with_passwords(runtime: Arc<dyn Runtime>) {
    let password = Some("open".to_owned());
    let trio = Sentinels::start(1, &Options { password, ..Options::default() }).expect("Redis");
    let nodes = || trio.addresses().into_iter().map(|address| (address.ip().to_string(), address.port()));
    for sentinel in trio.sentinels() {
        sentinel.ask(&["ACL", "SETUSER", "default", "resetpass", ">sesame"]).expect("a password");
    }
    let config = |group: &str| RedisConfig::sentinel(nodes(), group).password("open");
    started(&config("channels").sentinel_password("sesame"), &runtime).await;
    refused(config("channels"), &runtime, ErrorKind::Denied, "set its password").await;
    refused(config("channels").sentinel_password("hush"), &runtime, ErrorKind::Denied, "wrong").await;
    let nobody = config("others").sentinel_password("sesame");
    refused(nobody, &runtime, ErrorKind::NotFound, "no master named others").await;
    let wrong = config("channels").sentinel_password("sesame").password("hush");
    refused(wrong, &runtime, ErrorKind::Denied, "wrong").await;
    // One Sentinel is enough.
    trio.sentinels()[0].kill().expect("kill");
    trio.sentinels()[1].kill().expect("kill");
    let url = trio.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let url = format!("redis-sentinel://:open@{url}/channels?sentinel_password=sesame");
    started(&RedisConfig::from_url(&url).expect("a URL"), &runtime).await;
}

async fn servers_that_are_not_what_they_should_be(runtime: Arc<dyn Runtime>) {
    let trio = Sentinels::start(1, &Options::default()).expect("Redis");
    refused(plain(&trio.servers()[1]), &runtime, ErrorKind::Unavailable, "is a replica").await;

    let cluster = Cluster::start(3, 0, &Options::default()).expect("Redis");
    let node = started(&plain(&cluster.nodes()[0]), &runtime).await;
    let add = async {
        // One of a few is on another node.
        for n in 0..20 {
            node.add("room", &frontend(&format!("connector-{n}"), 1), "anna").await?;
        }
        Ok(())
    };
    let error: tangelo_core::Error = add.await.expect_err("a node alone");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("redis-cluster://"), "{error}");
    let lone = Redis::start(&Options::default()).expect("Redis");
    let alone = RedisConfig::cluster([("127.0.0.1".to_owned(), lone.port())]);
    refused(alone, &runtime, ErrorKind::Invalid, "redis://").await;

    refused(plain(&lone).db(99), &runtime, ErrorKind::Invalid, "db").await;
    lone.kill().expect("kill");
    refused(plain(&lone), &runtime, ErrorKind::Unavailable, "refused").await;
    refused(RedisConfig::unix(lone.socket()), &runtime, ErrorKind::Unavailable, "redis.sock").await;
}
