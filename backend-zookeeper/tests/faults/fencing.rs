//! A leader that has been deposed and does not know it.

use crate::on_both_runtimes;
use crate::support::{World, campaign, for_a_while, within};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::LeadershipState::{Leading, Lost};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};

on_both_runtimes!(
    pomelo_set_data_is_fenced,
    a_leader_whose_lock_node_is_deleted_stops_at_once,
    a_leader_stops_when_another_is_published,
    a_deposed_leader_stands_again,
);

async fn pomelo_set_data_is_fenced(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let (proxy, far) = world.far_for(Duration::from_secs(20));
    let old = world.lead(&far, "old").await;
    old.store(b"old").await.unwrap();
    let standby = world.standby("new", 0).await;
    // It hears of nothing, and by its own clock it leads for a while.
    proxy.cut();
    operator.depose().await;
    let new = within(&runtime, "the standby", standby).await.unwrap();
    assert_eq!(new.load().await.unwrap().unwrap(), b"old");
    let published = operator.published().await;
    assert_ne!(old.state(), Lost);
    assert!(old.deadline() > Instant::now());
    // What it writes now is on its way until the network is mended.
    let late = async {
        runtime.sleep(Duration::from_millis(100)).await;
        proxy.mend().unwrap();
    };
    let (stored, ()) = within(&runtime, "the refusal", future::zip(old.store(b"late"), late)).await;
    assert_eq!(stored.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(old.state(), Lost);
    assert_eq!(old.load().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(old.hand_over("new").await.unwrap_err().kind(), ErrorKind::Fenced);
    old.resign().await.unwrap();
    drop(old);
    for_a_while(&runtime, Duration::from_millis(300), "the old one's end", new.changed(Leading)).await;
    assert_eq!(operator.published().await, published, "a deposed leader has published");
    assert_eq!(new.load().await.unwrap().unwrap(), b"old", "a deposed leader has written");
    new.store(b"new").await.unwrap();
}

async fn a_leader_whose_lock_node_is_deleted_stops_at_once(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    // Its next proof, which would show it too, is up to 5 s away.
    let leader = world.lead(&world.coordinator_for(Duration::from_secs(30)), "leader").await;
    let begin = Instant::now();
    let (state, ()) = future::zip(leader.changed(Leading), operator.depose()).await;
    let took = Instant::now().saturating_since(begin);
    assert_eq!(state, Lost);
    assert!(took < Duration::from_secs(2), "noticed after {took:?}");
    assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
    // What is left of it is cleared away.
    let gone = async {
        while operator.published().await.get("id").is_some() {
            runtime.sleep(Duration::from_millis(5)).await;
        }
    };
    within(&runtime, "the address taken back", gone).await;
    assert_eq!(operator.published().await["epoch"], leader.epoch().0);
}

async fn a_leader_stops_when_another_is_published(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    for keys in [r#""id":"x","host":"h","port":1,"lock":"x-0000000099","#, ""] {
        let leader = world.leader("leader").await;
        let epoch = leader.epoch().0 + 100;
        let later = format!(r#"{{{keys}"epoch":{epoch}}}"#);
        let published = operator.publish(later.as_bytes());
        let (state, ()) = within(&runtime, "the end", future::zip(leader.changed(Leading), published)).await;
        assert_eq!(state, Lost, "{later}");
        drop(leader);
        let next = world.leader("next").await;
        assert_eq!(next.epoch().0, epoch + 1, "after {later}");
    }
    // One of no higher epoch, whose lock node lives.
    let leader = world.leader("leader").await;
    let standby = world.standby("standby", 0).await;
    let locks = operator.locks().await;
    let lock = locks.iter().find(|lock| lock.starts_with("standby-")).unwrap();
    let epoch = leader.epoch().0;
    let other = format!(r#"{{"id":"standby","host":"h","port":1,"epoch":{epoch},"lock":"{lock}"}}"#);
    let published = operator.publish(other.as_bytes());
    let (state, ()) = within(&runtime, "the end", future::zip(leader.changed(Leading), published)).await;
    assert_eq!(state, Lost);
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert!(next.epoch() > leader.epoch());
}

async fn a_deposed_leader_stands_again(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let coordinators = [world.coordinator(), world.coordinator()];
    let mut leader = world.lead(&coordinators[0], "m0").await;
    let mut at = 0;
    for _ in 0..6 {
        let other = 1 - at;
        let standby = world.standby_on(&coordinators[other], &format!("m{other}"), 0).await;
        operator.depose().await;
        let next = within(&runtime, "the standby", standby).await.unwrap();
        within(&runtime, "the loss", leader.changed(Leading)).await;
        let mut again = campaign(&coordinators[at], &format!("m{at}"), 0);
        for_a_while(&runtime, Duration::from_millis(50), "two lead", again.as_mut()).await;
        assert!(next.epoch() > leader.epoch());
        drop(again);
        (leader, at) = (next, other);
    }
}
