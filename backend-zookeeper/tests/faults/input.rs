//! What stands in `<path>`, or does not, and was not written by a master.

use crate::on_both_runtimes;
use crate::support::{World, campaign, eventually, for_a_while, within};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use zookeeper_client::{Acls, CreateMode};

on_both_runtimes!(
    a_missing_path_is_an_error_that_says_how_to_make_it,
    a_missing_path_is_made_if_that_is_wished,
    a_root_in_the_connect_string_is_made_too,
    pomelos_json_names_nobody_and_is_replaced,
    another_applications_node_is_refused_at_the_start,
    a_leader_publishes_itself_again_over_what_somebody_writes,
    a_leader_whose_address_is_overwritten_is_not_replaced,
    a_path_that_is_deleted_under_masters_is_waited_for,
    wrong_settings_are_refused,
);

fn strict(world: &World) -> ZooKeeperConfig {
    ZooKeeperConfig { create: false, ..world.config() }
}

async fn a_missing_path_is_an_error_that_says_how_to_make_it(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let coordinator = world.coordinator_with(strict(&world));
    let begin = Instant::now();
    let error = within(&runtime, "an error", campaign(&coordinator, "m", 0)).await.unwrap_err();
    assert!(Instant::now().saturating_since(begin) < Duration::from_secs(5));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    for part in [&format!("create {}", world.path), "\"create\": true", "does not exist", "create /test;"] {
        assert!(text.contains(part), "{text}");
    }
    let mut observed = crate::support::Observed::new(&runtime, coordinator.observe());
    assert_eq!(observed.error().await.kind(), ErrorKind::NotFound);
    assert_eq!(coordinator.candidates().await.unwrap_err().kind(), ErrorKind::NotFound);
    // Once it is made, as Pomelo's users do, all goes well, and is seen at once.
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    operator.client.mkdir(&world.path, &options).await.unwrap();
    let begin = Instant::now();
    observed.until("nobody lead", |item| matches!(item, Ok(None))).await.unwrap();
    // By a watch: it looks by itself only once a second.
    assert!(Instant::now().saturating_since(begin) < Duration::from_millis(900));
    let leader = world.lead(&coordinator, "m").await;
    assert_eq!(observed.leader("m").await.epoch, leader.epoch());
}

async fn a_missing_path_is_made_if_that_is_wished(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let config = ZooKeeperConfig { path: format!("{}/deep/er", world.path), ..world.config() };
    let both = [world.coordinator_with(config.clone()), world.coordinator_with(config)];
    // Two at once.
    let mut campaigns = [campaign(&both[0], "a", 0), campaign(&both[1], "b", 0)];
    let [a, b] = &mut campaigns;
    let first = within(&runtime, "a leader", future::or(a.as_mut(), b.as_mut())).await.unwrap();
    assert_eq!(first.epoch(), Epoch(1));
}

async fn a_root_in_the_connect_string_is_made_too(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let server = format!("{}{}/game", world.ensemble.connect_string(), world.path);
    let config = ZooKeeperConfig { server, path: "/pomelo/master".into(), ..world.config() };
    let coordinator = world.coordinator_with(ZooKeeperConfig { create: false, ..config.clone() });
    let error = within(&runtime, "an error", campaign(&coordinator, "m", 0)).await.unwrap_err();
    let full = format!("create {}/game/pomelo/master", world.path);
    assert!(error.to_string().contains(&full), "{error}");
    let leader = world.lead(&world.coordinator_with(config.clone()), "m").await;
    leader.store(b"state").await.unwrap();
    let data = operator.client.get_data(&operator.below("game/pomelo/master")).await.unwrap().0;
    assert!(String::from_utf8_lossy(&data).contains("\"id\":\"m\""), "{data:?}");
    let mut seen = crate::support::Observed::new(&runtime, world.coordinator_with(config).observe());
    assert_eq!(seen.leader("m").await.epoch, leader.epoch());
}

async fn pomelos_json_names_nobody_and_is_replaced(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    operator.make().await;
    for round in 0..3 {
        operator.publish(br#"{"id":"master-server-1","host":"127.0.0.1","port":3005}"#).await;
        let mut observed = world.observe();
        assert_eq!(observed.next().await.unwrap(), None, "it cannot be told whether it lives");
        let leader = world.leader("master-server-1").await;
        let seen = observed.leader("master-server-1").await;
        assert_eq!(seen.epoch, leader.epoch());
        let published = operator.published().await;
        assert_eq!((&published["host"], &published["port"]), (&"127.0.0.1".into(), &3005.into()));
        // Epochs grow past what others have written, by the version of the node.
        assert!(leader.epoch() > Epoch(round * 2), "{} in round {round}", leader.epoch());
        leader.resign().await.unwrap();
    }
}

async fn another_applications_node_is_refused_at_the_start(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    operator.make().await;
    for garbage in [&b"hello"[..], b"[1,2]", b"\xff\xfe\x00", b"42", br#"{"db":"mysql://prod"}"#] {
        operator.publish(garbage).await;
        let coordinator = world.coordinator();
        let error = within(&runtime, "an error", campaign(&coordinator, "m", 0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.contains(&world.path) && text.contains("choose another \"path\""), "{text}");
        let mut observed = world.observe();
        let error = observed.error().await;
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(
            error.to_string().contains("choose another \"path\""),
            "whoever only looks is told too: {error}"
        );
        eventually(&runtime, "its lock node gone", || async {
            operator.locks().await.is_empty().then_some(())
        })
        .await;
        let (data, _) = operator.client.get_data(&world.path).await.unwrap();
        assert_eq!(data, garbage, "it was not ours");
        operator.publish(b"").await;
        observed.until("nobody lead", |item| matches!(item, Ok(None))).await.unwrap();
    }
    let leader = world.leader("m").await;
    assert!(leader.epoch() >= Epoch(8), "{}", leader.epoch());
}

async fn a_leader_publishes_itself_again_over_what_somebody_writes(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    let mut standby = world.standby("standby", 0).await;
    let published = operator.published().await;
    for garbage in [&b"hello"[..], b"", b"{\"epoch\":0}", br#"{"id":"p","host":"h","port":1}"#] {
        operator.publish(garbage).await;
        let again = async {
            eventually(&runtime, "the address again", || async {
                (operator.published().await == published).then_some(())
            })
            .await;
            None
        };
        let second = future::or(async { Some(standby.as_mut().await) }, again).await;
        assert!(second.is_none(), "garbage has made a second leader: {second:?}");
        leader.store(b"state").await.unwrap();
    }
    let done = standby.as_mut();
    for_a_while(&runtime, Duration::from_millis(500), "the standby has given up", done).await;
    assert_eq!(leader.state(), LeadershipState::Leading);
    leader.resign().await.unwrap();
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert!(next.epoch() > leader.epoch());
}

async fn a_leader_whose_address_is_overwritten_is_not_replaced(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    let mut standby = world.standby("standby", 9).await;
    let epoch = leader.epoch().0;
    for vacant in [String::new(), "{}".into(), format!("{{\"epoch\":{epoch}}}"), "garbage".into()] {
        // So often that its address is not there most of the time: it publishes itself once a second.
        let overwritten = async {
            let begin = Instant::now();
            while Instant::now().saturating_since(begin) < Duration::from_secs(2) {
                operator.publish(vacant.as_bytes()).await;
                runtime.sleep(Duration::from_millis(20)).await;
            }
            None
        };
        // One that has known the leader, and one that has never heard of it.
        let mut fresh = campaign(&world.coordinator(), "fresh", 99);
        let both = future::or(standby.as_mut(), fresh.as_mut());
        let second = future::or(async { Some(both.await) }, overwritten).await;
        assert!(second.is_none(), "a second leader: {second:?}");
        assert_eq!(leader.state(), LeadershipState::Leading);
    }
    leader.resign().await.unwrap();
    operator.publish(b"").await;
    within(&runtime, "the standby", standby).await.unwrap();
}

async fn a_path_that_is_deleted_under_masters_is_waited_for(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    operator.make().await;
    let coordinators = [world.coordinator_with(strict(&world)), world.coordinator_with(strict(&world))];
    let leader = world.lead(&coordinators[0], "leader").await;
    let mut standby = world.standby_on(&coordinators[1], "standby", 0).await;
    operator.delete_all().await;
    within(&runtime, "the loss", leader.changed(LeadershipState::Leading)).await;
    // Both stand again, as masters do; the one that gave up would leave servers without any.
    let mut again = campaign(&coordinators[0], "again", 0);
    let ended = future::or(standby.as_mut(), again.as_mut());
    for_a_while(&runtime, Duration::from_millis(1500), "one has given up", ended).await;
    // Somebody else's garbage is no reason either.
    operator.make().await;
    operator.publish(b"garbage").await;
    let ended = future::or(standby.as_mut(), again.as_mut());
    for_a_while(&runtime, Duration::from_secs(4), "one has given up", ended).await;
    operator.publish(b"").await;
    let ended = future::or(standby.as_mut(), again.as_mut());
    let next = within(&runtime, "a leader", ended).await.unwrap();
    assert!(next.epoch() > leader.epoch());
}

async fn wrong_settings_are_refused(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    for config in [
        ZooKeeperConfig { server: "nowhere".into(), ..world.config() },
        ZooKeeperConfig { path: "relative".into(), ..world.config() },
        ZooKeeperConfig { set_acl: true, ..world.config() },
        ZooKeeperConfig { timeout: Duration::from_millis(1), ..world.config() },
    ] {
        let made = tangelo_zookeeper::ZooKeeperCoordinator::new(Arc::clone(&runtime), config);
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Invalid);
    }
}
