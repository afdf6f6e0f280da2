//! Real nodes: alone and as an ensemble.

use core::time::Duration;
use std::io::BufRead as _;
use std::process::{Command, Stdio};
use tangelo_services::zookeeper::words::Mode;
use tangelo_services::zookeeper::{Ensemble, Options};
use tangelo_services::{clock, ports};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_node_alone_serves_and_keeps_its_port_over_a_kill() {
    let start = clock::now();
    let ensemble = Ensemble::standalone().expect("ZooKeeper");
    eprintln!("ready after {:?}", clock::now() - start);
    let (address, first) = (ensemble.address(0), ensemble.pid(0).expect("a process"));
    assert_eq!(ensemble.connect_string(), address.to_string());
    assert_eq!(ensemble.status(0).expect("status").mode, Mode::Standalone);
    assert_eq!(ensemble.leader().expect("one"), Some(0));
    assert_eq!(ensemble.four_letter(0, "ruok").expect("an answer"), "imok");
    let configuration = ensemble.four_letter(0, "conf").expect("an answer");
    assert!(configuration.contains("tickTime=100\n"), "{configuration}");
    assert!(configuration.contains("maxSessionTimeout=40000\n"), "{configuration}");
    assert!(ensemble.start_node(0).is_err(), "it runs");

    ensemble.kill(0).expect("kill");
    assert!(!std::fs::exists(format!("/proc/{first}")).expect("proc"));
    assert_eq!(ensemble.leader().expect("none"), None);
    ensemble.start_node(0).expect("start");
    ensemble.await_ready(LIMIT).expect("ready");
    assert_eq!(ensemble.address(0), address);
    ports::listens(ensemble.pid(0).expect("a process"), address.port()).expect("it is ours");
    assert_ne!(ensemble.pid(0), Some(first));
}

#[test]
fn a_frozen_node_does_not_answer_until_it_is_thawed() {
    let ensemble = Ensemble::standalone().expect("ZooKeeper");
    ensemble.freeze(0).expect("freeze");
    assert!(ensemble.four_letter(0, "ruok").is_err());
    assert_eq!(ensemble.leader().expect("none"), None);
    ensemble.thaw(0).expect("thaw");
    ensemble.await_ready(LIMIT).expect("ready");
}

#[test]
fn three_nodes_elect_another_leader_when_theirs_is_killed_or_frozen() {
    let start = clock::now();
    let ensemble = Ensemble::start(3, Options::default()).expect("ZooKeeper");
    eprintln!("ready after {:?}", clock::now() - start);
    let epoch = |node| ensemble.zxid(node).expect("a zxid") >> 32;
    let first = ensemble.await_leader(LIMIT).expect("a leader");
    let first_epoch = epoch(first);

    ensemble.kill(first).expect("kill");
    let second = ensemble.await_leader(LIMIT).expect("a leader");
    assert_ne!(second, first);
    assert!(epoch(second) > first_epoch);
    ensemble.start_node(first).expect("start");
    ensemble.await_ready(LIMIT).expect("ready");
    assert_eq!(ensemble.status(first).expect("status").mode, Mode::Follower);

    ensemble.freeze(second).expect("freeze");
    let third = ensemble.await_leader(LIMIT).expect("a leader");
    assert_ne!(third, second);
    ensemble.thaw(second).expect("thaw");
    ensemble.await_ready(LIMIT).expect("ready");

    ensemble.stop_all().expect("stop");
    assert_eq!(ensemble.leader().expect("none"), None);
    ensemble.start_all().expect("start");
    ensemble.await_ready(LIMIT).expect("ready");
}

#[test]
fn a_node_that_cannot_run_is_told_with_the_end_of_its_log() {
    let options = Options { lines: vec!["tickTime=nonsense".to_owned()], ..Options::default() };
    let start = clock::now();
    let error = format!("{:#}", Ensemble::start(1, options).expect_err("it cannot run"));
    assert!(error.contains("nonsense"), "{error}");
    assert!(clock::now() - start < LIMIT, "it does not wait for what cannot come");
}

#[test]
fn dropping_ends_the_processes_and_removes_the_data() {
    let ensemble = Ensemble::standalone().expect("ZooKeeper");
    let (pid, log) = (ensemble.pid(0).expect("a process"), ensemble.log(0));
    assert!(log.is_file());
    drop(ensemble);
    assert!(!std::fs::exists(format!("/proc/{pid}")).expect("proc"));
    assert!(!log.exists());
}

/// The test program runs itself: this test starts a node and waits to be killed.
#[test]
fn nodes_end_with_a_process_that_is_killed() {
    const CHILD: &str = "TANGELO_SERVICES_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let ensemble = Ensemble::standalone().expect("ZooKeeper");
        eprintln!("node {}", ensemble.pid(0).expect("a process"));
        loop {
            std::thread::park();
        }
    }
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "nodes_end_with_a_process_that_is_killed", "--nocapture"])
        .env(CHILD, "yes")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program");
    let lines = std::io::BufReader::new(child.stderr.take().expect("piped")).lines();
    let node = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("node ")?.parse::<u32>().ok());
    child.kill().and_then(|()| child.wait()).expect("kill");
    let node = node.expect("it started a node");
    let stat = || std::fs::read_to_string(format!("/proc/{node}/stat"));
    clock::poll_until(clock::now() + LIMIT, Duration::from_millis(5), || match stat() {
        // Whoever inherits it may take its time to collect it.
        Ok(stat) if !stat.contains(") Z ") => anyhow::bail!("node {node} lives: {stat}"),
        _ => Ok(()),
    })
    .expect("it ends");
}
