//! Masters that die or freeze, in processes of their own.

use super::child::Process;
use super::{PATIENCE, lease_in};
use crate::embedded::{current_leader, standbys};
use core::time::Duration;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use tangelo_core::Instant;

fn fixture() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    (dir, run_dir)
}

/// Waits without a sleep of its own kind: the other side is another process.
fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(Instant::now().saturating_since(start) < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn until_standing(run_dir: &Path, count: usize) {
    until("the standbys stand", || standbys(run_dir).unwrap().len() == count);
}

#[test]
fn kill_9_of_the_leader_makes_the_standby_lead_at_once() {
    let (_dir, run_dir) = fixture();
    let mut leader = Process::master(&run_dir, "m0", 5000);
    let (mut last, _) = leader.leads();
    let mut times = Vec::new();
    for round in 1..=10 {
        let standby = Process::master(&run_dir, &format!("m{round}"), 5000);
        until_standing(&run_dir, 1);
        let killed = Instant::now();
        leader.signal(Signal::KILL);
        let (epoch, at) = standby.leads();
        assert_eq!(epoch, last + 1);
        assert_eq!(current_leader(&run_dir).unwrap().map(|info| info.id), Some(format!("m{round}")));
        times.push(at.saturating_since(killed));
        (last, leader) = (epoch, standby);
    }
    times.sort();
    println!("kill -9 to the standby leading: median {:?}, max {:?}", times[times.len() / 2], times[9]);
    // Two fsyncs and two schedulings; the lease is 5 s, so waiting for it fails this.
    assert!(times[times.len() / 2] < Duration::from_millis(1000), "{times:?}");
}

#[test]
fn a_leader_frozen_past_its_lease_is_killed_and_the_standby_leads() {
    let (_dir, run_dir) = fixture();
    let mut leader = Process::master(&run_dir, "frozen", 600);
    let (epoch, _) = leader.leads();
    leader.tell("probe before");
    assert_eq!(leader.says("probe"), "overdue=false Leading stored");
    let mut standby = Process::master(&run_dir, "standby", 600);
    until_standing(&run_dir, 1);
    let stopped = Instant::now();
    leader.signal(Signal::STOP);
    let (next, at) = standby.leads();
    println!("SIGSTOP to the standby leading, lease 600 ms: {:?}", at.saturating_since(stopped));
    assert_eq!(next, epoch + 1);
    assert_eq!(leader.wait().signal(), Some(9), "the frozen leader lives on and may wake");
    standby.tell("load");
    assert_eq!(standby.says("state"), "before");
}

#[test]
fn a_standby_that_comes_after_the_leader_froze_takes_over_too() {
    let (_dir, run_dir) = fixture();
    let mut leader = Process::master(&run_dir, "frozen", 500);
    leader.leads();
    leader.signal(Signal::STOP);
    until("the lease is over", || lease_in(&run_dir).deadline() < Instant::now());
    let standby = Process::master(&run_dir, "standby", 500);
    standby.leads();
    assert_eq!(leader.wait().signal(), Some(9));
}

#[test]
fn a_leader_frozen_for_less_than_its_lease_leads_on() {
    let (_dir, run_dir) = fixture();
    let mut leader = Process::master(&run_dir, "leader", 3000);
    leader.leads();
    let standby = Process::master(&run_dir, "standby", 3000);
    until_standing(&run_dir, 1);
    for _ in 0..3 {
        leader.signal(Signal::STOP);
        assert!(standby.is_silent(500));
        leader.signal(Signal::CONT);
        leader.tell("probe x");
        assert_eq!(leader.says("probe"), "overdue=false Leading stored");
    }
    assert!(standby.is_silent(1));
}

#[test]
fn a_lone_leader_that_wakes_past_its_lease_does_not_act() {
    let (_dir, run_dir) = fixture();
    let mut leader = Process::master(&run_dir, "leader", 600);
    let (epoch, _) = leader.leads();
    leader.signal(Signal::STOP);
    until("the lease is over", || lease_in(&run_dir).deadline() < Instant::now());
    leader.tell("probe late");
    leader.signal(Signal::CONT);
    assert_eq!(leader.says("probe"), "overdue=true Lost Fenced");
    leader.says("lost");
    let (next, _) = leader.leads();
    assert_eq!(next, epoch + 1);
    leader.tell("load");
    assert_eq!(leader.says("state"), "", "what was stored too late is there");
}

#[test]
fn everybody_frozen_and_woken_agrees_on_one_leader() {
    let (_dir, run_dir) = fixture();
    let masters = [0, 1, 2].map(|n| Process::master(&run_dir, &format!("m{n}"), 500));
    until_standing(&run_dir, 2);
    until("somebody leads", || current_leader(&run_dir).unwrap().is_some());
    for _ in 0..3 {
        masters.iter().for_each(|m| m.signal(Signal::STOP));
        until("the lease is over", || lease_in(&run_dir).deadline() < Instant::now());
        masters.iter().for_each(|m| m.signal(Signal::CONT));
        until("somebody leads", || lease_in(&run_dir).deadline() > Instant::now());
    }
    until("the leader is published", || current_leader(&run_dir).unwrap().is_some());
}

#[test]
fn of_three_standbys_exactly_one_takes_over() {
    let (_dir, run_dir) = fixture();
    let leader = Process::master(&run_dir, "m0", 1000);
    let (epoch, _) = leader.leads();
    let standbys = [1, 2, 3].map(|n| Process::master(&run_dir, &format!("m{n}"), 1000));
    until_standing(&run_dir, 3);
    leader.signal(Signal::KILL);
    until("somebody leads", || {
        current_leader(&run_dir).unwrap().is_some_and(|info| info.epoch.0 == epoch + 1)
    });
    let info = current_leader(&run_dir).unwrap().unwrap();
    for (n, standby) in (1..).zip(&standbys) {
        if info.id == format!("m{n}") {
            assert_eq!(standby.leads().0, epoch + 1);
        }
        // For longer than a lease, in which the others must not kill the new leader.
        assert!(standby.is_silent(700), "a second leader, or one that has lost");
    }
}

#[test]
fn observers_in_other_processes_see_every_change() {
    let (_dir, run_dir) = fixture();
    let observers = [0; 5].map(|_| Process::observer(&run_dir));
    observers.iter().for_each(|o| assert_eq!(o.says("sees"), "nobody"));
    let mut first = Process::master(&run_dir, "first", 2000);
    first.leads();
    observers.iter().for_each(|o| assert_eq!(o.says("sees"), "first 1"));
    let mut second = Process::master(&run_dir, "second", 2000);
    until_standing(&run_dir, 1);
    first.signal(Signal::KILL);
    first.wait();
    second.leads();
    // A dead leader's address stays until the next one replaces it.
    observers.iter().for_each(|o| assert_eq!(o.says("sees"), "second 2"));
    let late = Process::observer(&run_dir);
    assert_eq!(late.says("sees"), "second 2");
    second.tell("resign");
    for o in observers.iter().chain([&late]) {
        // It leads again at once, so an observer may miss that nobody led.
        let mut seen = o.says("sees");
        if seen == "nobody" {
            seen = o.says("sees");
        }
        assert_eq!(seen, "second 3");
    }
}

#[test]
fn a_leader_that_dies_before_it_published_is_followed() {
    let (_dir, run_dir) = fixture();
    let mut first = Process::master(&run_dir, "first", 500);
    first.leads();
    let mut dying = Process::locker(&run_dir);
    until("it waits for the lock", || dying.is_silent(100));
    first.signal(Signal::KILL);
    first.wait();
    dying.says("locked");
    let standby = Process::master(&run_dir, "standby", 500);
    until_standing(&run_dir, 1);
    // The lock is held, but by nobody who could be named: not even past the lease is anybody killed.
    assert!(standby.is_silent(1200));
    assert_eq!(dying.child_status(), None);
    dying.signal(Signal::KILL);
    assert_eq!(standby.leads().0, 2);
    dying.wait();
}

#[test]
fn observers_sleep_while_the_leader_renews_and_stores() {
    let (_dir, run_dir) = fixture();
    let mut leader = Process::master(&run_dir, "leader", 800);
    leader.leads();
    let observer = Process::observer(&run_dir);
    assert_eq!(observer.says("sees"), "leader 1");
    // Whatever it does after its first look ends in sleep.
    assert!(observer.is_silent(200));
    let before = observer.wakeups();
    for _ in 0..10 {
        leader.tell("probe x");
        assert_eq!(leader.says("probe"), "overdue=false Leading stored");
        assert!(observer.is_silent(100));
    }
    let woken = observer.wakeups() - before;
    assert!(woken <= 2, "woken {woken} times for nothing");
}
