//! ZooKeeper's own nodes killed, frozen, restarted and away for long.

use crate::on_both_runtimes;
use crate::support::{Observed, SHORT, World, campaign, eventually, for_a_while, within};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::LeadershipState::{Leading, Lost, Suspended};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant, Leadership};
use tangelo_services::zookeeper::{Ensemble, Options};

on_both_runtimes!(
    a_restart_of_the_ensemble_resumes_the_same_reign,
    an_ensemble_that_is_down_for_long_begins_a_new_reign,
    masters_and_observers_may_start_before_zookeeper,
    each_node_of_zookeeper_may_die_in_turn,
    a_frozen_node_of_zookeeper_is_left_for_another,
    without_a_majority_nobody_leads_for_long,
);

/// A busy machine starts three Java machines within this.
const LONG: Duration = Duration::from_secs(60);

/// Waits until it leads without doubt and ZooKeeper takes a write of it.
async fn leads_on(runtime: &Arc<dyn Runtime>, leader: &dyn Leadership, what: &str) {
    let begin = Instant::now();
    loop {
        match leader.store(what.as_bytes()).await {
            Ok(()) if leader.state() == Leading => return,
            Ok(()) => {}
            Err(error) => assert!(error.is_temporary(), "{what}: {error}"),
        }
        assert!(Instant::now().saturating_since(begin) < Duration::from_secs(20), "{what}: no end of it");
        runtime.sleep(Duration::from_millis(10)).await;
    }
}

async fn a_restart_of_the_ensemble_resumes_the_same_reign(runtime: Arc<dyn Runtime>) {
    let world = World::own(&runtime, 1, Options::default());
    let near = world.coordinator_for(Duration::from_secs(40));
    let leader = world.lead(&near, "leader").await;
    let other = world.coordinator_for(Duration::from_secs(40));
    let mut standby = world.standby_on(&other, "standby", 9).await;
    let mut observed = world.observe();
    let seen = observed.leader("leader").await;
    leader.store(b"before").await.unwrap();
    world.ensemble(|e| e.kill(0)).await;
    let state = within(&runtime, "the doubt", leader.changed(Leading)).await;
    assert_eq!(state, Suspended);
    world.ensemble(Ensemble::start_all).await;
    let state = within(&runtime, "its end", leader.changed(Suspended)).await;
    assert_eq!(state, Leading);
    assert_eq!(leader.load().await.unwrap().unwrap(), b"before");
    leader.store(b"after").await.unwrap();
    for_a_while(&runtime, Duration::from_secs(1), "another leads", standby.as_mut()).await;
    assert_eq!((seen.epoch, leader.state()), (leader.epoch(), Leading));
    // The watches have survived too.
    leader.resign().await.unwrap();
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert_eq!(observed.leader("standby").await.epoch, next.epoch());
    assert_eq!(next.load().await.unwrap().unwrap(), b"after");
}

async fn an_ensemble_that_is_down_for_long_begins_a_new_reign(runtime: Arc<dyn Runtime>) {
    let world = World::own(&runtime, 1, Options::default());
    let (near, other) = (world.coordinator_for(SHORT), world.coordinator_for(SHORT));
    let leader = world.lead(&near, "leader").await;
    let mut standby = world.standby_on(&other, "standby", 0).await;
    let mut observed = Observed::new(&runtime, world.coordinator_for(SHORT).observe());
    observed.leader("leader").await;
    leader.store(b"kept").await.unwrap();
    world.ensemble(|e| e.kill(0)).await;
    let state = within(&runtime, "the doubt", leader.changed(Leading)).await;
    assert_eq!(state, Suspended);
    let state = within(&runtime, "the end", leader.changed(Suspended)).await;
    assert_eq!(state, Lost);
    assert!(Instant::now() >= leader.deadline());
    assert_eq!(observed.error().await.kind(), ErrorKind::Unavailable);
    // It stands again at once, and so do all when ZooKeeper is back, long after every session has expired.
    let mut again = campaign(&near, "leader", 0);
    let both = future::or(standby.as_mut(), again.as_mut());
    for_a_while(&runtime, Duration::from_secs(6), "elected by nobody", both).await;
    world.ensemble(Ensemble::start_all).await;
    let next = within(&runtime, "one of them", future::or(standby.as_mut(), again.as_mut())).await.unwrap();
    assert!(next.epoch() > leader.epoch());
    assert_eq!(next.load().await.unwrap().unwrap(), b"kept");
    let seen =
        observed.until("the new reign", |item| matches!(item, Ok(Some(info)) if info.epoch == next.epoch()));
    seen.await.unwrap();
    assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
}

async fn masters_and_observers_may_start_before_zookeeper(runtime: Arc<dyn Runtime>) {
    let world = World::prepared(&runtime, 1, Options::default());
    let mut observed = world.observe();
    assert_eq!(observed.error().await.kind(), ErrorKind::Unavailable);
    let mut early = campaign(&world.coordinator(), "early", 0);
    for_a_while(&runtime, Duration::from_millis(700), "elected by nobody", early.as_mut()).await;
    assert_eq!(world.coordinator().candidates().await.unwrap_err().kind(), ErrorKind::Unavailable);
    world.ensemble(Ensemble::start_all).await;
    let leader = within(&runtime, "the first reign", early).await.unwrap();
    assert_eq!(observed.leader("early").await.epoch, leader.epoch());
}

async fn each_node_of_zookeeper_may_die_in_turn(runtime: Arc<dyn Runtime>) {
    let world = World::own(&runtime, 3, Options::default());
    let near = world.coordinator_for(Duration::from_secs(30));
    let leader = world.lead(&near, "leader").await;
    let mut standby = world.standby_on(&world.coordinator_for(Duration::from_secs(30)), "standby", 0).await;
    let turns = async {
        for _ in 0..3 {
            // The one that leads ZooKeeper, each time.
            let node = world.ensemble(|e| e.await_leader(LONG)).await;
            world.ensemble(move |e| e.kill(node)).await;
            leads_on(&runtime, &*leader, &format!("node {node} killed")).await;
            world.ensemble(move |e| e.start_node(node).and_then(|()| e.await_ready(LONG))).await;
            leads_on(&runtime, &*leader, &format!("node {node} back")).await;
        }
        None
    };
    let second = future::or(async { Some(standby.as_mut().await) }, turns).await;
    assert!(second.is_none(), "two lead: {second:?}");
    leader.resign().await.unwrap();
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert!(next.load().await.unwrap().unwrap().ends_with(b"back"));
}

async fn a_frozen_node_of_zookeeper_is_left_for_another(runtime: Arc<dyn Runtime>) {
    let world = World::own(&runtime, 3, Options::default());
    let near = world.coordinator_for(Duration::from_secs(15));
    let mut leader = world.lead(&near, "leader").await;
    // Whichever node the master is connected with: it is among these.
    for node in 0..3 {
        world.ensemble(|e| e.await_ready(LONG)).await;
        let leads = world.ensemble(|e| e.await_leader(LONG)).await == node;
        world.ensemble(move |e| e.freeze(node)).await;
        let begin = Instant::now();
        // Until all that a frozen node can do has been done.
        while Instant::now().saturating_since(begin) < Duration::from_secs(10) {
            // If it is the one that leads ZooKeeper, the others need a while to replace it, and that may be too long.
            assert!(leads || leader.state() != Lost, "with node {node} frozen");
            runtime.sleep(Duration::from_millis(20)).await;
        }
        if leader.state() == Lost {
            let next = world.lead(&near, "leader").await;
            assert!(next.epoch() > leader.epoch());
            leader = next;
        }
        leads_on(&runtime, &*leader, &format!("node {node} frozen")).await;
        world.ensemble(move |e| e.thaw(node)).await;
    }
}

async fn without_a_majority_nobody_leads_for_long(runtime: Arc<dyn Runtime>) {
    let world = World::own(&runtime, 3, Options::default());
    let leader = world.lead(&world.coordinator_for(SHORT), "leader").await;
    let mut standby = world.standby("standby", 0).await;
    let keep = world.ensemble(|e| e.await_leader(LONG)).await;
    let others: Vec<_> = (0..3).filter(|node| *node != keep).collect();
    for node in others.clone() {
        // Frozen, not dead: nothing tells the one that is left.
        world.ensemble(move |e| e.freeze(node)).await;
    }
    let begin = Instant::now();
    let lost = async {
        let mut seen = leader.state();
        while seen != Lost {
            seen = leader.changed(seen).await;
        }
        None
    };
    let both = future::or(async { Some(standby.as_mut().await) }, lost);
    let second = within(&runtime, "the loss", both).await;
    assert!(second.is_none(), "{second:?}");
    // Three fifths of the session after the last proof: none was made by the minority.
    assert!(leader.deadline() <= begin + SHORT * 3 / 5, "proved by a minority: {:?}", leader.deadline());
    for node in others {
        world.ensemble(move |e| e.thaw(node)).await;
    }
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert!(next.epoch() > leader.epoch());
    eventually(&runtime, "the old lock node gone", || async {
        (world.coordinator().candidates().await.ok()?.is_empty()).then_some(())
    })
    .await;
}
