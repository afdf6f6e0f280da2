//! Masters that are killed.

use super::process::Master;
use crate::on_both_runtimes;
use crate::support::{World, campaign, eventually, for_a_while, within};
use alloc::sync::Arc;
use core::time::Duration;
use rustix::process::{Signal, kill_process};
use tangelo_core::Instant;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::runtime::Runtime;

/// Far longer than anything takes here: whoever waits for a session to expire is found out.
const SESSION: Duration = Duration::from_secs(30);

on_both_runtimes!(
    a_master_killed_at_any_moment_is_followed_at_once,
    a_standby_that_is_killed_leaves_nothing_behind,
    a_master_killed_with_its_guard_is_followed_when_its_session_ends,
    a_master_that_was_frozen_knows_that_it_leads_no_longer,
);

/// The name of the runtime that this test runs on: its masters run on the same.
fn name(runtime: &Arc<dyn Runtime>) -> &'static str {
    if format!("{runtime:?}").starts_with("Smol") { "smol" } else { "tokio" }
}

async fn a_master_killed_at_any_moment_is_followed_at_once(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    world.operator().await.make().await;
    let kind = name(&runtime);
    let mut rng = fastrand::Rng::with_seed(5);
    let mut last = Epoch(0);
    for _ in 0..8 {
        let operator = world.operator().await;
        let mut master = Master::start(&world, "victim", kind, SESSION);
        // Once its lock node is there, it is about to win, has won, or has just begun to reign.
        eventually(&runtime, "its lock node", || async {
            operator.locks().await.iter().any(|lock| lock.starts_with("victim-")).then_some(())
        })
        .await;
        let standby = campaign(&world.coordinator_for(SESSION), "standby", 0);
        let wait = Duration::from_micros(rng.u64(0..20_000));
        // As long as there is no guard, only the end of the session tells of a death.
        master.guard(&world).await;
        runtime.sleep(wait).await;
        let killed = master.kill();
        let next = within(&runtime, "the standby", standby).await.unwrap();
        let took = Instant::now().saturating_since(killed);
        assert!(took < Duration::from_secs(10), "followed after {took:?}, as if by the session's end");
        assert!(next.epoch() > last, "{} after {last}", next.epoch());
        last = next.epoch();
        next.resign().await.unwrap();
    }
}

async fn a_standby_that_is_killed_leaves_nothing_behind(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    for _ in 0..3 {
        let mut standby = Master::start(&world, "standby", name(&runtime), SESSION);
        eventually(&runtime, "it to stand", || async { (operator.locks().await.len() == 2).then_some(()) })
            .await;
        standby.guard(&world).await;
        standby.kill();
        let begin = Instant::now();
        eventually(&runtime, "its lock node gone", || async {
            (operator.locks().await.len() == 1).then_some(())
        })
        .await;
        assert!(Instant::now().saturating_since(begin) < Duration::from_secs(10));
    }
    assert_eq!(leader.state(), LeadershipState::Leading);
}

async fn a_master_killed_with_its_guard_is_followed_when_its_session_ends(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    world.operator().await.make().await;
    let mut master = Master::start(&world, "victim", name(&runtime), Duration::from_secs(2));
    master.hear(&runtime, "leads").await;
    let guard = master.guard(&world).await;
    // Frozen first, or it would replace its guard.
    master.signal(Signal::STOP);
    kill_process(guard, Signal::KILL).unwrap();
    master.kill();
    let begin = Instant::now();
    let standby = world.coordinator();
    let next = within(&runtime, "the standby", campaign(&standby, "standby", 0)).await.unwrap();
    let took = Instant::now().saturating_since(begin);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(next.epoch(), Epoch(2));
}

async fn a_master_that_was_frozen_knows_that_it_leads_no_longer(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    world.operator().await.make().await;
    let master = Master::start(&world, "frozen", name(&runtime), Duration::from_secs(2));
    master.hear(&runtime, "leads").await;
    master.signal(Signal::STOP);
    let standby = campaign(&world.coordinator(), "standby", 0);
    let next = within(&runtime, "the standby", standby).await.unwrap();
    master.signal(Signal::CONT);
    // The first thing that it says is that it leads no longer; then it stands again.
    assert_eq!(master.hear(&runtime, "is").await, "Lost");
    let changed = next.changed(LeadershipState::Leading);
    for_a_while(&runtime, Duration::from_millis(500), "the woken one has done harm", changed).await;
    next.resign().await.unwrap();
    let again: u64 = master.hear(&runtime, "leads").await.parse().unwrap();
    assert!(again > next.epoch().0, "{again} after {}", next.epoch());
}
