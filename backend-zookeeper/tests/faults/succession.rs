//! Who leads next, among candidates and children of every kind.

use crate::on_both_runtimes;
use crate::support::{Operator, World, campaign, eventually, for_a_while, within};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use zookeeper_client::{Acls, CreateMode};

on_both_runtimes!(
    pomelo_lock_sequence_9_to_10_keeps_the_leader,
    pomelo_predecessor_gone_between_list_and_watch_leaves_nobody_deaf,
    both_predecessors_gone_at_once_leave_nobody_deaf,
    priority_decides_and_never_preempts,
    a_hand_over_names_one_of_several_with_the_same_id,
    a_chosen_successor_that_is_gone_at_once_holds_nobody_up,
    a_candidate_that_does_not_take_its_turn_is_passed_over,
    children_of_every_kind_break_nothing,
    a_lock_node_deleted_by_somebody_is_made_again,
    a_lock_made_anew_gives_the_same_names_again,
    campaigns_that_come_and_go_leave_nothing_behind,
);

/// Makes and deletes children of `lock` until the next one gets the sequence `next`.
async fn advance_to(operator: &Operator, next: i64) {
    let options = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
    loop {
        let (_, sequence) = operator.client.create(&operator.below("lock/x-"), b"", &options).await.unwrap();
        let path = format!("{}{sequence}", operator.below("lock/x-"));
        operator.client.delete(&path, None).await.unwrap();
        if sequence.into_i64() + 1 >= next {
            return;
        }
    }
}

async fn pomelo_lock_sequence_9_to_10_keeps_the_leader(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    operator.make().await;
    advance_to(&operator, 9).await;
    let leader = world.leader("m").await;
    let mut standbys = Vec::new();
    for priority in [0, 99] {
        standbys.push(world.standby("m", priority).await);
    }
    let locks = operator.locks().await;
    assert_eq!(locks, ["m-0000000009", "m-0000000010", "m-0000000011"]);
    let [low, high] = &mut standbys[..] else { panic!() };
    let second = future::or(low.as_mut(), high.as_mut());
    for_a_while(&runtime, Duration::from_secs(1), "a healthy leader was replaced", second).await;
    assert_eq!(leader.state(), LeadershipState::Leading);
    assert_eq!(operator.published().await["lock"], "m-0000000009");
    leader.resign().await.unwrap();
    let next = within(&runtime, "the highest priority", high).await.unwrap();
    assert_eq!(operator.published().await["lock"], "m-0000000011");
    next.resign().await.unwrap();
    within(&runtime, "the last one", low).await.unwrap();
}

async fn pomelo_predecessor_gone_between_list_and_watch_leaves_nobody_deaf(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let coordinators = [world.coordinator(), world.coordinator(), world.coordinator()];
    let mut rng = fastrand::Rng::with_seed(11);
    let mut last = Epoch(0);
    for round in 0..40 {
        let leader = world.lead(&coordinators[0], "leader").await;
        assert!(leader.epoch() > last);
        let predecessor = world.standby_on(&coordinators[1], "predecessor", 0).await;
        let mut deaf = campaign(&coordinators[2], "deaf", 0);
        // Somewhere among its first looks and watches, both that stand before it vanish.
        let begun = async {
            runtime.sleep(Duration::from_micros(rng.u64(0..6000))).await;
            None
        };
        let early = future::or(async { Some(deaf.as_mut().await) }, begun).await;
        assert!(early.is_none(), "elected beside a leader: {early:?}");
        drop(predecessor);
        if rng.bool() {
            runtime.sleep(Duration::from_micros(rng.u64(0..1000))).await;
        }
        drop(leader);
        let next = within(&runtime, &format!("whoever is left in round {round}"), deaf).await.unwrap();
        last = next.epoch();
        next.resign().await.unwrap();
    }
}

async fn both_predecessors_gone_at_once_leave_nobody_deaf(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    for _ in 0..10 {
        let leader = world.leader("leader").await;
        let mut before = world.standby("before", 0).await;
        let mut after = world.standby("after", 0).await;
        let mut writer = operator.client.new_multi_writer();
        for lock in operator.locks().await.iter().filter(|lock| !lock.starts_with("after-")) {
            writer.add_delete(&operator.below(&format!("lock/{lock}")), None).unwrap();
        }
        writer.commit().await.unwrap();
        let next = within(&runtime, "the one that is left", &mut after).await.unwrap();
        let lost = within(&runtime, "the old leader", leader.changed(LeadershipState::Leading)).await;
        assert_eq!(lost, LeadershipState::Lost);
        // The other one stands again and gets its turn.
        next.resign().await.unwrap();
        let again = within(&runtime, "the one that stands again", &mut before).await.unwrap();
        assert!(again.epoch() > next.epoch() && next.epoch() > leader.epoch());
    }
}

async fn priority_decides_and_never_preempts(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let leader = world.leader("leader").await;
    let mut low = world.standby("low", -1).await;
    let mut middle = world.standby("middle", 0).await;
    let mut high = world.standby("high", 7).await;
    let names: Vec<_> = world.coordinator().candidates().await.unwrap().into_iter().map(|c| c.id).collect();
    assert_eq!(names, ["high", "middle", "low"]);
    for_a_while(&runtime, Duration::from_millis(500), "preempted", high.as_mut()).await;
    leader.resign().await.unwrap();
    for (next, name) in [(&mut high, "high"), (&mut middle, "middle"), (&mut low, "low")] {
        let leader = within(&runtime, name, next).await.unwrap();
        leader.resign().await.unwrap();
    }
}

async fn a_hand_over_names_one_of_several_with_the_same_id(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("m").await;
    let first = world.standby("m", 5).await;
    let coordinator = world.coordinator();
    let mut candidate = crate::support::candidate("m", 0);
    candidate.port = 4000;
    let chosen = async { coordinator.campaign(candidate).await };
    let mut chosen = std::pin::pin!(chosen);
    let stands = eventually(&runtime, "the other one", || async {
        (world.coordinator().candidates().await.unwrap().len() == 2).then_some(())
    });
    future::or(async { panic!("won: {:?}", chosen.as_mut().await) }, stands).await;
    for nobody in ["x", "127.0.0.1:9", "127.0.0.1"] {
        let error = leader.hand_over(nobody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("those that do: m, m"), "{error}");
        assert_eq!(leader.state(), LeadershipState::Leading);
    }
    leader.hand_over("127.0.0.1:4000").await.unwrap();
    assert_eq!(leader.state(), LeadershipState::Lost);
    let next = within(&runtime, "the chosen one", chosen).await.unwrap();
    assert_eq!(operator.published().await["port"], 4000);
    assert!(next.epoch() > leader.epoch());
    assert_eq!(leader.hand_over("m").await.unwrap_err().kind(), ErrorKind::Fenced);
    drop(first);
}

async fn a_chosen_successor_that_is_gone_at_once_holds_nobody_up(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    let mut other = world.standby("other", 0).await;
    // A successor is named that dies before it can lead.
    operator.publish(br#"{"epoch": 500, "successor": "dead-0000000099"}"#).await;
    let begin = Instant::now();
    drop(leader);
    let next = within(&runtime, "the other one", &mut other).await.unwrap();
    let waited = Instant::now().saturating_since(begin);
    assert!(waited < Duration::from_millis(900), "waited {waited:?} for a dead one");
    assert_eq!(next.epoch(), Epoch(501));
}

async fn a_candidate_that_does_not_take_its_turn_is_passed_over(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    let mut standby = world.standby("standby", 0).await;
    // As a frozen master leaves it: it stands in front, and does nothing.
    let data = br#"{"id":"frozen","host":"127.0.0.1","port":1,"priority":9,"nonce":"f"}"#;
    let options = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
    operator.client.create(&operator.below("lock/frozen-"), data, &options).await.unwrap();
    let begin = Instant::now();
    leader.resign().await.unwrap();
    let next = within(&runtime, "the next one", &mut standby).await.unwrap();
    let waited = Instant::now().saturating_since(begin);
    assert!(waited > Duration::from_millis(900), "it has had no time: {waited:?}");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    let candidates = world.coordinator().candidates().await.unwrap();
    assert_eq!(candidates.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["frozen"]);
    // Handing over to it is possible, and harms nobody for long.
    let mut again = world.standby("again", 0).await;
    next.hand_over("frozen").await.unwrap();
    within(&runtime, "the one after it", &mut again).await.unwrap();
}

async fn children_of_every_kind_break_nothing(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    operator.make().await;
    let ours = br#"{"id":"a","host":"h","port":1,"priority":99,"nonce":"x"}"#;
    let child = async |name: &str, data: &[u8], mode: CreateMode, acls: Acls<'_>| {
        let path = operator.below(&format!("lock/{name}"));
        operator.client.create(&path, data, &mode.with_acls(acls)).await.unwrap();
    };
    let all = Acls::anyone_all();
    child("garbage", b"\xff\xfe", CreateMode::Persistent, all).await;
    child("master-server-1-", b"master-server-1", CreateMode::EphemeralSequential, all).await;
    child("empty-", b"", CreateMode::EphemeralSequential, all).await;
    child("for-ever-", ours, CreateMode::PersistentSequential, all).await;
    child("no-sequence", ours, CreateMode::Ephemeral, all).await;
    child("-0000000000000000000000000000000001", ours, CreateMode::Persistent, all).await;
    child("größe-0000000001", b"{}", CreateMode::Persistent, all).await;
    // Nobody else may read it, and it may be anybody's.
    let stranger = Operator::connect(&world, Some("stranger:x")).await;
    let path = stranger.below("lock/secret-");
    let options = CreateMode::EphemeralSequential.with_acls(Acls::creator_all());
    stranger.client.create(&path, ours, &options).await.unwrap();

    let leader = world.leader("größe/ / x").await;
    let standby = world.standby("standby", 0).await;
    assert_eq!(world.coordinator().candidates().await.unwrap().len(), 1);
    leader.resign().await.unwrap();
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert!(next.epoch() > leader.epoch());
    assert_eq!(operator.locks().await.len(), 9, "{:?}", operator.locks().await);
}

async fn a_lock_node_deleted_by_somebody_is_made_again(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    let mut standby = world.standby("standby", 0).await;
    let locks = operator.locks().await;
    let lock = locks.iter().find(|lock| lock.starts_with("standby-")).unwrap();
    operator.client.delete(&operator.below(&format!("lock/{lock}")), None).await.unwrap();
    let again = async {
        eventually(&runtime, "a new lock node", || async {
            let locks = operator.locks().await;
            locks.iter().any(|other| other.starts_with("standby-") && other != lock).then_some(())
        })
        .await;
        None
    };
    let won = future::or(async { Some(standby.as_mut().await) }, again).await;
    assert!(won.is_none(), "{won:?}");
    assert_eq!(leader.state(), LeadershipState::Leading);
    leader.resign().await.unwrap();
    within(&runtime, "the standby", standby).await.unwrap();
}

async fn a_lock_made_anew_gives_the_same_names_again(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let coordinator = world.coordinator();
    let leader = world.lead(&coordinator, "m").await;
    leader.store(b"kept").await.unwrap();
    assert_eq!(operator.locks().await, ["m-0000000000"]);
    // Somebody deletes everything, the stored state with its epoch too.
    operator.delete_all().await;
    let lost = within(&runtime, "the loss", leader.changed(LeadershipState::Leading)).await;
    assert_eq!(lost, LeadershipState::Lost);
    let again = world.lead(&coordinator, "m").await;
    assert_eq!(operator.locks().await, ["m-0000000000"], "this test is about a name given twice");
    assert!(again.epoch() > leader.epoch(), "{} after {}", again.epoch(), leader.epoch());
    assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(again.load().await.unwrap(), None);
    drop(leader);
    for_a_while(
        &runtime,
        Duration::from_millis(300),
        "the old reign's end has hurt the new one",
        again.changed(LeadershipState::Leading),
    )
    .await;
    let mut standby = world.standby("standby", 0).await;
    again.resign().await.unwrap();
    within(&runtime, "the standby", &mut standby).await.unwrap();
}

async fn campaigns_that_come_and_go_leave_nothing_behind(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let coordinators = [world.coordinator(), world.coordinator(), world.coordinator()];
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..60 {
        let mut campaigns: Vec<_> = coordinators.iter().map(|c| campaign(c, "c", 0)).collect();
        for one in &mut campaigns {
            let wait = async {
                runtime.sleep(Duration::from_micros(rng.u64(0..15_000))).await;
                None
            };
            drop(future::or(async { Some(one.await) }, wait).await);
        }
    }
    eventually(&runtime, "all lock nodes gone", || async { operator.locks().await.is_empty().then_some(()) })
        .await;
    let published = eventually(&runtime, "the address taken back", || async {
        Some(operator.published().await).filter(|published| published.get("id").is_none())
    })
    .await;
    let epoch = published["epoch"].as_u64().unwrap_or_default();
    assert!(world.leader("next").await.epoch() > Epoch(epoch));
}
