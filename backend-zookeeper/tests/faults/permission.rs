//! Users, and what they may do.

use crate::on_both_runtimes;
use crate::support::{Observed, Operator, World, campaign, within};
use alloc::sync::Arc;
use tangelo_core::ErrorKind;
use tangelo_core::config::{Login, Password, ZooKeeperConfig};
use tangelo_core::runtime::Runtime;
use zookeeper_client::Error::NoAuth;
use zookeeper_client::{Acl, Acls, CreateMode, Permission};

on_both_runtimes!(
    set_acl_closes_everything_that_is_made,
    set_acl_closes_what_pomelo_has_left_open,
    wrong_credentials_are_refused_for_ever,
    masters_with_one_login_share_a_closed_path,
);

fn login(world: &World, user: &str, password: &str, set_acl: bool) -> ZooKeeperConfig {
    let login = Login { username: user.into(), password: Password::new(password) };
    ZooKeeperConfig { login: Some(login), set_acl, ..world.config() }
}

fn is_closed(acl: &[Acl]) -> bool {
    matches!(acl, [only] if only.scheme() == "digest" && only.id().starts_with("pomelo:") && only.permission() == Permission::ALL)
}

async fn set_acl_closes_everything_that_is_made(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let coordinator = world.coordinator_with(login(&world, "pomelo", "hush", true));
    let leader = world.lead(&coordinator, "leader").await;
    leader.store(b"state").await.unwrap();
    let mut owner = Operator::connect(&world, Some("pomelo:hush")).await;
    let lock = format!("lock/{}", owner.locks().await[0]);
    for path in ["", "lock", "state", &lock] {
        assert!(is_closed(&owner.acl(path).await), "{path}: {:?}", owner.acl(path).await);
    }
    for stranger in [None, Some("pomelo:wrong"), Some("other:hush")] {
        let other = Operator::connect(&world, stranger).await;
        assert_eq!(other.client.get_data(&world.path).await.unwrap_err(), NoAuth);
        assert_eq!(other.client.get_data(&other.below("state")).await.unwrap_err(), NoAuth);
        assert_eq!(other.client.set_data(&world.path, b"x", None).await.unwrap_err(), NoAuth);
        assert_eq!(other.client.delete(&other.below(&lock), None).await.unwrap_err(), NoAuth);
        let mode = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
        assert_eq!(other.client.create(&other.below("lock/x-"), b"", &mode).await.unwrap_err(), NoAuth);
    }
    owner = Operator::connect(&world, Some("pomelo:hush")).await;
    owner.depose().await;
}

async fn set_acl_closes_what_pomelo_has_left_open(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let open = world.operator().await;
    open.make().await;
    // A master without setACL has been here before, with its state.
    let leader = world.leader("open").await;
    leader.store(b"open").await.unwrap();
    leader.resign().await.unwrap();
    assert!(!is_closed(&open.acl("").await));
    let coordinator = world.coordinator_with(login(&world, "pomelo", "hush", true));
    let leader = world.lead(&coordinator, "closed").await;
    assert_eq!(leader.load().await.unwrap().unwrap(), b"open");
    leader.store(b"closed").await.unwrap();
    let owner = Operator::connect(&world, Some("pomelo:hush")).await;
    for path in ["", "lock", "state"] {
        assert!(is_closed(&owner.acl(path).await), "{path}: {:?}", owner.acl(path).await);
    }
    assert_eq!(open.client.get_data(&world.path).await.unwrap_err(), NoAuth);
}

async fn wrong_credentials_are_refused_for_ever(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let right = world.coordinator_with(login(&world, "pomelo", "hush", true));
    let leader = world.lead(&right, "leader").await;
    let without = ZooKeeperConfig { create: false, ..world.config() };
    for config in [login(&world, "pomelo", "wrong", true), login(&world, "other", "hush", false), without] {
        let coordinator = world.coordinator_with(config.clone());
        for _ in 0..2 {
            let error = within(&runtime, "an error", campaign(&coordinator, "m", 0)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            let text = format!("{error} {error:?}");
            assert!(text.contains(&world.path) && text.contains("zookeeper.json"), "{text}");
            assert!(!text.contains("hush") && !text.contains("wrong"), "a password is shown: {text}");
        }
        assert_eq!(coordinator.candidates().await.unwrap_err().kind(), ErrorKind::Denied);
        let mut observed = Observed::new(&runtime, coordinator.observe());
        assert_eq!(observed.error().await.kind(), ErrorKind::Denied);
    }
    leader.store(b"unhurt").await.unwrap();
}

async fn masters_with_one_login_share_a_closed_path(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let coordinators = [(); 3].map(|()| world.coordinator_with(login(&world, "pomelo", "hush", true)));
    let first = world.lead(&coordinators[0], "first").await;
    let mut observed = Observed::new(&runtime, coordinators[2].observe());
    assert_eq!(observed.leader("first").await.epoch, first.epoch());
    let standby = world.standby_on(&coordinators[1], "standby", 0).await;
    first.store(b"state").await.unwrap();
    // Its own wrecked session's node is deleted by another session of the same user.
    first.resign().await.unwrap();
    let next = within(&runtime, "the standby", standby).await.unwrap();
    assert_eq!(next.load().await.unwrap().unwrap(), b"state");
    assert_eq!(observed.leader("standby").await.epoch, next.epoch());
}
