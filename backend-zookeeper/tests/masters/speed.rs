//! How fast the lead passes on, and what a reign costs at rest: with ZooKeeper's own tick and Tangelo's own timeout.

use super::process::Master;
use crate::support::{Campaign, Observed, World};
use alloc::sync::Arc;
use async_lock::OnceCell;
use core::time::Duration;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Instant, Leadership};
use tangelo_services::zookeeper::Options;

const SESSION: Duration = Duration::from_secs(5);

#[test]
fn standalone() {
    crate::support::tokio(|runtime| speed(runtime, 1));
}

#[test]
fn three_nodes() {
    crate::support::smol(|runtime| speed(runtime, 3));
}

async fn speed(runtime: Arc<dyn Runtime>, nodes: usize) {
    let world = World::own(&runtime, nodes, Options::stock());
    let (a, b) = (world.coordinator_for(SESSION), world.coordinator_for(SESSION));
    let eye = world.coordinator_for(SESSION);
    let mut observed = Observed::new(&runtime, eye.observe());
    let leader = world.lead(&a, "a").await;
    let node = world.ensemble(|e| e.await_leader(Duration::from_secs(20))).await;
    let (before, begin) = (world.ensemble(move |e| e.zxid(node)).await, Instant::now());
    runtime.sleep(Duration::from_secs(10)).await;
    let (after, took) = (world.ensemble(move |e| e.zxid(node)).await, Instant::now().saturating_since(begin));
    let writes = (after - before) as f64 / took.as_secs_f64();
    println!(
        "{nodes} node(s): {writes:.2} transactions a second at rest, with a leader and two coordinators"
    );
    assert!(writes < 2.0, "{writes}");
    leader.resign().await.unwrap();

    let mut times: [Vec<Duration>; 2] = Default::default();
    for round in 0..60 {
        let leader = world.lead(&a, "a").await;
        observed.leader("a").await;
        let standby = world.standby_on(&b, "b", 0).await;
        let won = winner(&runtime, standby);
        let begin = Instant::now();
        if round % 2 == 0 {
            leader.resign().await.unwrap()
        } else {
            leader.hand_over("b").await.unwrap()
        }
        observed.leader("b").await;
        times[round % 2].push(Instant::now().saturating_since(begin));
        won.wait().await.resign().await.unwrap();
    }
    let [resigned, handed] = times;
    report(nodes, "resignation -> the next one seen by an observer", resigned, 1000);
    report(nodes, "hand-over -> the chosen one seen by an observer", handed, 1000);

    let mut killed = Vec::new();
    for _ in 0..10 {
        let mut master = Master::start(&world, "victim", "tokio", SESSION);
        observed.leader("victim").await;
        master.guard(&world).await;
        let standby = world.standby_on(&b, "b", 0).await;
        let won = winner(&runtime, standby);
        let begin = master.kill();
        observed.leader("b").await;
        killed.push(Instant::now().saturating_since(begin));
        won.wait().await.resign().await.unwrap();
    }
    report(nodes, "kill -9 -> the next one seen by an observer", killed, 2000);
}

/// Goes on with a campaign while the test does something else.
fn winner(runtime: &Arc<dyn Runtime>, campaign: Campaign) -> Arc<OnceCell<Box<dyn Leadership>>> {
    let won = Arc::new(OnceCell::new());
    let winner = Arc::clone(&won);
    runtime.spawn(Box::pin(async move {
        let _ = winner.set(campaign.await.unwrap()).await;
    }));
    won
}

fn report(nodes: usize, what: &str, mut times: Vec<Duration>, limit_ms: u128) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_micros() as f64 / 1000.0;
    println!("{nodes} node(s): {what}: p50 {:.1} ms, p90 {:.1} ms, max {:.1} ms", at(50), at(90), at(100));
    // Not a benchmark: whoever waits for a session to expire is found out.
    assert!(times[times.len() / 2].as_millis() < limit_ms, "{what}: {times:?}");
}
