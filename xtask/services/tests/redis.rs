//! Real servers: alone, with Sentinels, as a Cluster.

use core::time::Duration;
use tangelo_services::redis::{Cluster, Options, Redis, Reply, Sentinels};
use tangelo_services::{clock, ports};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_server_keeps_its_port_over_a_kill_and_what_was_acknowledged() {
    let start = clock::now();
    let redis = Redis::start(&Options::durable()).expect("Redis");
    eprintln!("ready after {:?}", clock::now() - start);
    let (port, first) = (redis.port(), redis.pid().expect("a process"));
    assert_eq!(redis.ask(&["SADD", "a", "1", "2"]).expect("an answer"), Reply::Number(2));
    assert!(redis.start_again().is_err(), "it runs");

    redis.kill().expect("kill");
    assert!(!std::fs::exists(format!("/proc/{first}")).expect("proc"));
    assert!(redis.ask(&["PING"]).is_err(), "it is dead");
    redis.start_again().expect("start");
    redis.await_ready(LIMIT).expect("ready");
    assert_eq!(redis.port(), port);
    ports::listens(redis.pid().expect("a process"), port).expect("it is ours");
    assert_eq!(redis.ask(&["SMEMBERS", "a"]).and_then(Reply::texts).expect("members"), ["1", "2"]);
    assert_eq!(redis.keys().expect("keys"), ["a"]);
}

#[test]
fn a_frozen_server_does_not_answer_until_it_is_thawed() {
    let redis = Redis::start(&Options::default()).expect("Redis");
    redis.freeze().expect("freeze");
    assert!(redis.ask(&["PING"]).is_err());
    redis.thaw().expect("thaw");
    redis.await_ready(LIMIT).expect("ready");
}

#[test]
fn a_password_is_asked_for_and_is_nowhere_but_in_a_file_of_our_own() {
    let password = Some("correct-horse".to_owned());
    let redis = Redis::start(&Options { password, ..Options::tls() }).expect("Redis");
    assert!(redis.certificates().expect("certificates").authority().is_file());
    let mut stranger = tangelo_services::redis::Connection::open(&redis.socket()).expect("a connection");
    let error = format!("{:#}", stranger.ask(&["PING"]).expect_err("no password"));
    assert!(error.contains("NOAUTH"), "{error}");
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", redis.pid().expect("a process")));
    assert!(!arguments.expect("cmdline").contains("correct-horse"));
}

#[test]
fn sentinels_replace_a_master_that_is_killed() {
    let start = clock::now();
    let trio = Sentinels::start(2, &Options::default()).expect("Redis");
    eprintln!("ready after {:?}", clock::now() - start);
    let first = trio.master().expect("a master");
    assert_eq!(first.port(), trio.servers()[0].port());
    first.ask(&["SET", "a", "1"]).expect("an answer");
    assert_eq!(first.ask(&["WAIT", "2", "5000"]).expect("an answer"), Reply::Number(2));

    let start = clock::now();
    first.kill().expect("kill");
    let second = trio.await_other_master(first.port(), LIMIT).expect("another master");
    eprintln!("replaced after {:?}", clock::now() - start);
    assert_eq!(second.ask(&["GET", "a"]).and_then(Reply::text).expect("an answer"), "1");
}

#[test]
fn a_cluster_serves_all_slots_and_replaces_a_master_that_is_killed() {
    let start = clock::now();
    let cluster = Cluster::start(3, 1, &Options::default()).expect("Redis");
    eprintln!("ready after {:?}", clock::now() - start);
    assert_eq!(cluster.nodes().len(), 6);
    cluster.await_ok(LIMIT).expect("all slots");
    let nodes = cluster.nodes()[0].ask(&["CLUSTER", "NODES"]).and_then(Reply::text).expect("nodes");
    assert_eq!(nodes.lines().filter(|line| line.contains("master")).count(), 3, "{nodes}");

    // Slot 0 is the first node's.
    cluster.nodes()[0].kill().expect("kill");
    let start = clock::now();
    clock::poll_until(clock::now() + LIMIT, Duration::from_millis(20), || {
        let info = cluster.nodes()[3].ask(&["INFO", "replication"])?.text()?;
        anyhow::ensure!(info.contains("role:master"), "{info}");
        Ok(())
    })
    .expect("its replica takes its place");
    eprintln!("replaced after {:?}", clock::now() - start);
}

#[test]
fn a_server_that_cannot_run_is_told_with_the_end_of_its_log() {
    let options = Options { lines: vec!["nonsense yes".to_owned()], ..Options::default() };
    let start = clock::now();
    let error = format!("{:#}", Redis::start(&options).expect_err("it cannot run"));
    assert!(error.contains("nonsense"), "{error}");
    assert!(clock::now() - start < LIMIT, "it does not wait for what cannot come");
}
