//! The znodes of a real node.

use core::time::Duration;
use tangelo_services::clock;
use tangelo_services::zookeeper::{Ensemble, Happened, Shell};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn znodes_are_made_read_watched_written_and_deleted() {
    let ensemble = Ensemble::standalone().expect("ZooKeeper");
    let connect = || Shell::connect(ensemble.address(0), LIMIT).expect("a session");
    let (mut one, mut two) = (connect(), connect());
    assert_eq!(one.watch("/a").expect("an answer"), None);
    assert!(two.create("/a/b", b"").is_err(), "it has no parent");
    assert!(two.create("/a", b"one").expect("an answer"));
    assert!(!two.create("/a", b"two").expect("an answer"), "it exists");
    assert!(one.changed(clock::now() + LIMIT).expect("connected"), "it has come");

    let first = one.watch("/a").expect("an answer").expect("a node");
    assert_eq!((&*first.data, first.version, first.owner), (&b"one"[..], 0, 0));
    assert!(!one.changed(clock::now()).expect("connected"), "nothing has changed since");
    assert!(two.set("/a", b"two").expect("an answer"));
    assert!(one.changed(clock::now() + LIMIT).expect("connected"), "it was written");
    let second = one.get("/a").expect("an answer").expect("a node");
    assert_eq!((&*second.data, second.version, second.created), (&b"two"[..], 1, first.created));
    assert!(second.written > first.written && one.zxid() >= second.written);
    assert!(Shell::connect_after(second.written + 1000, ensemble.address(0), LIMIT).is_err(), "it lags");

    assert!(two.create("/a/b", b"").expect("an answer"));
    assert_eq!(one.children("/a").expect("an answer").expect("a node"), ["b"]);
    assert!(two.delete("/a").is_err(), "it has a child");
    assert!(two.delete("/a/b").expect("an answer") && two.delete("/a").expect("an answer"));
    assert!(!two.delete("/a").expect("an answer"));
    assert_eq!(one.children("/a").expect("an answer"), None);
}

#[test]
fn whoever_follows_a_znode_is_told_every_change_below_it_in_order() {
    let ensemble = Ensemble::standalone().expect("ZooKeeper");
    let connect = || Shell::connect(ensemble.address(0), LIMIT).expect("a session");
    let (mut one, mut two) = (connect(), connect());
    assert!(two.create("/a", b"").expect("an answer") && two.create("/b", b"").expect("an answer"));
    one.follow("/a").expect("an answer");
    let begin = clock::now();
    assert!(two.set("/a", b"1").expect("an answer") && two.set("/a", b"2").expect("an answer"));
    assert!(two.set("/b", b"1").expect("an answer"), "nobody follows it");
    assert!(two.create("/a/c", b"").expect("an answer") && two.delete("/a/c").expect("an answer"));
    // What was told before an answer came before it.
    assert!(one.get("/a").expect("an answer").is_some_and(|node| node.version == 2));
    let mut told = Vec::new();
    while told.len() < 4 {
        assert!(one.changed(clock::now() + LIMIT).expect("connected"), "more was changed than {told:?}");
        told.extend(one.take_changes());
    }
    assert!(told.windows(2).all(|pair| pair[0].at <= pair[1].at) && told[0].at >= begin, "{told:?}");
    let told: Vec<_> = told.iter().map(|change| (change.what, &*change.path)).collect();
    let expected = [
        (Happened::Written, "/a"),
        (Happened::Written, "/a"),
        (Happened::Created, "/a/c"),
        (Happened::Deleted, "/a/c"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_node_that_is_frozen_or_killed_is_an_error_in_time() {
    let ensemble = Ensemble::standalone().expect("ZooKeeper");
    // The first session of a JVM that has just started takes a while on a busy machine.
    let short = Duration::from_secs(3);
    let mut shell = Shell::connect(ensemble.address(0), short).expect("a session");
    ensemble.freeze(0).expect("freeze");
    assert!(shell.get("/").is_err());
    assert!(Shell::connect(ensemble.address(0), short).is_err());
    ensemble.kill(0).expect("kill");
    assert!(shell.get("/").is_err());
}
