//! Connections that are lost, cut or slow, at every bad moment.

use crate::on_both_runtimes;
use crate::support::{Observed, World, campaign, eventually, for_a_while, within};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::LeadershipState::{Leading, Lost, Suspended};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant, Leadership};
use tangelo_services::zookeeper::Options;

on_both_runtimes!(
    a_cut_master_is_suspended_then_lost_before_another_leads,
    a_short_cut_is_survived_in_the_same_reign,
    pomelo_session_expiry_is_noticed,
    a_connection_lost_while_a_lock_node_is_made_leaves_one_node,
    a_connection_lost_while_the_win_is_given_is_no_second_reign,
    operations_without_a_connection_are_bounded,
    a_slow_network_is_no_reason_to_step_down,
    observers_tell_of_an_outage_and_recover_from_it,
);

/// Waits until the leadership is lost, and says when that was and what came before.
async fn loss(leader: &dyn Leadership) -> (bool, Instant) {
    let mut seen = leader.state();
    // It may be in doubt already.
    let mut suspended = seen == Suspended;
    while seen != Lost {
        seen = leader.changed(seen).await;
        suspended |= seen == Suspended;
    }
    (suspended, Instant::now())
}

async fn a_cut_master_is_suspended_then_lost_before_another_leads(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    for severed in [false, true] {
        let (proxy, far) = world.far();
        let leader = world.lead(&far, "cut").await;
        let standby = world.standby("standby", 0).await;
        let begin = Instant::now();
        if severed {
            proxy.sever()
        } else {
            proxy.cut()
        }
        let wins = async { (standby.await.unwrap(), Instant::now()) };
        let ((suspended, lost), (successor, won)) =
            within(&runtime, "one to lose and one to win", future::zip(loss(&*leader), wins)).await;
        assert!(suspended, "lost without warning");
        assert!(leader.deadline() <= lost, "lost before the deadline");
        let (lost, deadline) = (lost.saturating_since(begin), leader.deadline().saturating_since(begin));
        let won = won.saturating_since(begin);
        println!("cut ({severed}): deadline {deadline:?}, lost {lost:?}, the next one leads {won:?}");
        assert!(deadline < won && lost < won, "two led at once");
        assert!(won < Duration::from_secs(8), "session timeout 2 s, and a tick: {won:?}");
        assert!(successor.epoch() > leader.epoch());
        successor.resign().await.unwrap();
    }
}

async fn a_short_cut_is_survived_in_the_same_reign(runtime: Arc<dyn Runtime>) {
    let world = World::own(&runtime, 1, Options::default());
    let (proxy, far) = world.far_for(Duration::from_secs(10));
    let leader = world.lead(&far, "leader").await;
    let mut standby = world.standby("standby", 0).await;
    for round in 0..3 {
        proxy.sever();
        let state = within(&runtime, "the doubt", leader.changed(Leading)).await;
        assert_eq!(state, Suspended);
        proxy.mend().unwrap();
        let state = within(&runtime, "its end", leader.changed(Suspended)).await;
        assert_eq!(state, Leading, "in round {round}");
        assert!(leader.deadline() > Instant::now() + Duration::from_secs(4));
        leader.store(b"x").await.unwrap();
    }
    for_a_while(&runtime, Duration::from_millis(200), "another leads", standby.as_mut()).await;
    // A silent network, unlike a closed connection, shows in an answer that does not come.
    proxy.cut();
    let state = within(&runtime, "the doubt", leader.changed(Leading)).await;
    assert_eq!(state, Suspended);
    proxy.mend().unwrap();
    let state = within(&runtime, "its end", leader.changed(Suspended)).await;
    assert_eq!(state, Leading);
    leader.resign().await.unwrap();
    within(&runtime, "the standby", standby).await.unwrap();
}

async fn pomelo_session_expiry_is_noticed(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    let (proxy, far) = world.far();
    let mut standby = world.standby_on(&far, "standby", 0).await;
    let lock = async |gone: Option<&str>| {
        eventually(&runtime, "a change of the standby's lock node", || async {
            let mut locks = operator.locks().await;
            locks.retain(|lock| lock.starts_with("standby-"));
            match gone {
                Some(gone) => (!locks.iter().any(|lock| lock == gone)).then(String::new),
                None => locks.pop(),
            }
        })
        .await
    };
    let first = lock(None).await;
    proxy.cut();
    let expired = lock(Some(&first));
    future::or(async { panic!("{:?}", standby.as_mut().await) }, expired).await;
    proxy.mend().unwrap();
    let again = future::or(async { panic!("{:?}", standby.as_mut().await) }, lock(None)).await;
    assert_ne!(again, first);
    leader.resign().await.unwrap();
    let next = within(&runtime, "the one whose session had expired", standby).await.unwrap();
    // And that of a leader: it loses, and its coordinator goes on in a new session.
    proxy.cut();
    within(&runtime, "the loss", loss(&*next)).await;
    let other = world.leader("other").await;
    proxy.mend().unwrap();
    let mut once_more = campaign(&far, "next", 0);
    for_a_while(&runtime, Duration::from_millis(500), "two lead", once_more.as_mut()).await;
    other.resign().await.unwrap();
    let once_more = within(&runtime, "the old leader", once_more).await.unwrap();
    assert!(once_more.epoch() > other.epoch() && other.epoch() > next.epoch());
    eventually(&runtime, "the old lock nodes gone", || async {
        (operator.locks().await.len() == 1).then_some(())
    })
    .await;
}

async fn a_connection_lost_while_a_lock_node_is_made_leaves_one_node(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    for round in 0..4 {
        let (proxy, far) = world.far_for(Duration::from_secs(20));
        let mut eye = far.observe();
        let seen = core::future::poll_fn(|cx| eye.as_mut().poll_next(cx));
        within(&runtime, "a session", seen).await.unwrap().unwrap();
        // Answers are so slow that the node is there before its maker knows.
        proxy.delay(Duration::from_millis(100));
        let mut standby = campaign(&far, "lost", 0);
        let made = eventually(&runtime, "the lock node", || async {
            operator.locks().await.into_iter().find(|lock| lock.starts_with("lost-"))
        });
        let made = future::or(async { panic!("{:?}", standby.as_mut().await) }, made).await;
        proxy.sever();
        proxy.delay(Duration::ZERO);
        if round % 2 == 1 {
            runtime.sleep(Duration::from_millis(300)).await;
        }
        proxy.mend().unwrap();
        let stands = async {
            // It has found its node, and follows: candidates() in the same session waits for its turn.
            for _ in 0..20 {
                // The connection may still be on its way.
                assert!(far.candidates().await.map_or(true, |found| found.len() == 1));
                let locks = operator.locks().await;
                assert_eq!(locks.len(), 2, "a second node: {locks:?}");
                assert!(locks.contains(&made), "{locks:?} instead of {made}");
                runtime.sleep(Duration::from_millis(20)).await;
            }
        };
        future::or(async { panic!("{:?}", standby.as_mut().await) }, stands).await;
        drop(standby);
        eventually(&runtime, "the withdrawal", || async {
            (operator.locks().await.len() == 1).then_some(())
        })
        .await;
    }
    assert_eq!(leader.state(), Leading);
}

async fn a_connection_lost_while_the_win_is_given_is_no_second_reign(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    for _ in 0..4 {
        let leader = world.leader("before").await;
        let (proxy, far) = world.far_for(Duration::from_secs(20));
        let mut standby = world.standby_on(&far, "lost", 0).await;
        proxy.delay(Duration::from_millis(100));
        leader.resign().await.unwrap();
        let won = eventually(&runtime, "the win", || async {
            Some(operator.published().await).filter(|published| published["id"] == "lost")
        });
        let won = future::or(async { panic!("{:?}", standby.as_mut().await) }, won).await;
        proxy.sever();
        proxy.delay(Duration::ZERO);
        proxy.mend().unwrap();
        let next = within(&runtime, "it to know that it leads", standby).await.unwrap();
        assert_eq!(won["epoch"], next.epoch().0, "it has won twice");
        assert_eq!(operator.published().await, won);
        next.store(b"mine").await.unwrap();
        next.resign().await.unwrap();
    }
}

async fn operations_without_a_connection_are_bounded(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let (proxy, far) = world.far();
    let leader = world.lead(&far, "leader").await;
    leader.store(b"before").await.unwrap();
    proxy.cut();
    let begin = Instant::now();
    let operations = future::zip(
        future::zip(leader.store(b"late"), leader.load()),
        future::zip(far.candidates(), leader.hand_over("nobody")),
    );
    let ((stored, loaded), (candidates, handed)) = within(&runtime, "four errors", operations).await;
    let took = Instant::now().saturating_since(begin);
    println!("four operations without a connection ended after {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    for error in [stored.unwrap_err(), loaded.unwrap_err(), handed.unwrap_err()] {
        // Before the deadline nobody knows; after it the reign is over.
        assert!(error.is_temporary() || error.kind() == ErrorKind::Fenced, "{error}");
    }
    assert!(candidates.unwrap_err().is_temporary());
    assert_eq!(leader.state(), Lost, "it was cut off for longer than a session");
    assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
    proxy.mend().unwrap();
    within(&runtime, "a resignation after the end", leader.resign()).await.unwrap();
    let next = world.leader("next").await;
    let state = next.load().await.unwrap().unwrap();
    assert!(state == b"before" || state == b"late", "{state:?}");

    // A leader that resigns while it is cut off is over at once, and says that ZooKeeper does not know.
    next.resign().await.unwrap();
    let leader = world.lead(&far, "leader").await;
    proxy.cut();
    let begin = Instant::now();
    let resigning = leader.resign();
    let (error, state) = within(&runtime, "the error", future::zip(resigning, leader.changed(Leading))).await;
    let took = Instant::now().saturating_since(begin);
    assert_eq!((error.unwrap_err().kind(), state), (ErrorKind::Unavailable, Lost));
    assert!(took < Duration::from_secs(4), "{took:?}");
    proxy.mend().unwrap();
    eventually(&runtime, "the lock node gone", || async { operator.locks().await.is_empty().then_some(()) })
        .await;
}

async fn a_slow_network_is_no_reason_to_step_down(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let (proxy, far) = world.far_for(Duration::from_secs(5));
    let leader = world.lead(&far, "leader").await;
    // A round trip of 100 ms, as to the other side of the world.
    proxy.delay(Duration::from_millis(50));
    let change = leader.changed(Leading);
    for_a_while(&runtime, Duration::from_secs(4), "it is in doubt", change).await;
    leader.store(b"x").await.unwrap();
    proxy.delay(Duration::ZERO);
}

async fn observers_tell_of_an_outage_and_recover_from_it(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let first = world.leader("first").await;
    let (proxy, far) = world.far();
    let mut observed = Observed::new(&runtime, far.observe());
    observed.leader("first").await;
    // A blip is nobody's business.
    proxy.sever();
    proxy.mend().unwrap();
    for_a_while(&runtime, Duration::from_millis(800), "an item for a blip", observed.next()).await;
    proxy.sever();
    let error = observed.error().await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Its session expires; errors come once a second at most.
    let begin = Instant::now();
    let mut errors = 0;
    while Instant::now().saturating_since(begin) < Duration::from_secs(6) {
        // And nothing else: what was seen before the outage may be long over.
        let item = within(&runtime, "another error", observed.next()).await;
        assert!(item.unwrap_err().is_temporary());
        errors += 1;
    }
    let took = Instant::now().saturating_since(begin);
    assert!(errors <= took.as_secs() + 1, "{errors} errors in {took:?}");
    first.resign().await.unwrap();
    let second = world.leader("second").await;
    proxy.mend().unwrap();
    assert_eq!(observed.leader("second").await.epoch, second.epoch());
    second.resign().await.unwrap();
    observed.until("nobody lead", |item| matches!(item, Ok(None))).await.unwrap();
}
