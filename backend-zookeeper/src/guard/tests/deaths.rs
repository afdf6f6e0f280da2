//! What becomes of a master's lock node when the master dies, and when it does not.

use super::processes::{Master, NEVER_MS, SOON, limit};
use super::world::World;
use alloc::vec::Vec;
use core::time::Duration;
use rustix::process::Signal;
use tangelo_services::clock;
use tangelo_services::zookeeper::{Ensemble, Options};
use zookeeper_client::{Acls, CreateMode};

/// Long enough for a guard to do what it must not do: it takes milliseconds.
const A_WHILE: Duration = Duration::from_secs(1);

/// Kills masters one after the other; how long each lock node lived on.
fn kills(world: &World, runtime: &str, rounds: usize) -> Vec<Duration> {
    let spec = world.spec(runtime);
    let mut times: Vec<_> = (0..rounds)
        .map(|_| {
            let mut master = Master::start(&spec);
            let (guard, lock) = master.lead();
            let watch = world.watch(&lock);
            let killed = clock::now();
            master.kill();
            let time = watch.gone(killed);
            assert!(guard.ends_within(limit()), "the guard stays behind");
            assert_eq!(world.report(), "Ok");
            time
        })
        .collect();
    times.sort();
    times
}

#[test]
fn the_lock_of_a_killed_master_is_deleted_in_milliseconds_and_its_guard_leaves() {
    let world = World::new(Options::stock());
    for (runtime, rounds) in [("tokio", 30), ("smol", 30)] {
        let times = kills(&world, runtime, rounds);
        let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{runtime}: from SIGKILL to the watch of the lock node: median {median:?}, most {most:?}");
        // The session alone would take 5 s.
        assert!(most < SOON, "{times:?}");
    }
}

#[test]
fn a_master_that_is_killed_in_the_instant_it_gets_its_lock_is_not_missed() {
    let world = World::new(Options::stock());
    for prepared in [true, false] {
        let mut master = Master::start(&world.spec("tokio"));
        // Else the guard has perhaps not even begun to run.
        let guard = prepared.then(|| master.guard());
        master.say("hold-and-die");
        let lock = master.lock();
        world.await_gone(&lock, clock::now() + SOON);
        drop(guard);
    }
}

#[test]
fn a_frozen_master_keeps_its_lock_until_its_session_ends() {
    let world = World::new(Options::default());
    let mut master = Master::start(&world.spec("tokio"));
    let (guard, lock) = master.lead();
    master.freeze();
    assert_eq!(world.watch(&lock).gone_within(A_WHILE), None, "a guard must not judge the living");
    assert!(!guard.ends_within(Duration::ZERO));
    master.signal(Signal::CONT);
    let watch = world.watch(&lock);
    let killed = clock::now();
    master.kill();
    assert!(watch.gone(killed) < SOON);
}

#[test]
fn without_master_and_guard_the_session_decides() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.timeout_ms = 3000;
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    let watch = world.watch(&lock);
    let killed = clock::now();
    // The guard first, or it would be quicker than we are; and the master must not start another meanwhile.
    master.freeze();
    guard.signal(Signal::KILL);
    master.kill();
    let time = watch.gone(killed);
    // The last sign of life was up to a third of the timeout before.
    assert!((Duration::from_millis(1500)..Duration::from_secs(6)).contains(&time), "{time:?}");
}

#[test]
fn a_node_of_that_name_that_another_session_owns_is_left_alone() {
    let world = World::new(Options::default());
    let mut master = Master::start(&world.spec("tokio"));
    let (guard, lock) = master.lead();
    let ours = world.run(async {
        let client = world.client();
        client.delete(&lock.path, None).await.unwrap();
        let options = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
        let (stat, _) = client.create(&lock.path, b"another's", &options).await.unwrap();
        stat.ephemeral_owner
    });
    master.kill();
    assert!(guard.ends_within(limit()));
    assert_eq!(world.report(), "Ok");
    assert_eq!(world.owner(&lock), Some(ours));
}

#[test]
fn what_is_released_is_left_alone() {
    let world = World::new(Options::default());
    let mut master = Master::start(&world.spec("smol"));
    let (guard, lock) = master.lead();
    master.tell("release");
    let watch = world.watch(&lock);
    master.kill();
    assert!(guard.ends_within(limit()));
    assert_eq!(watch.gone_within(A_WHILE), None);
}

#[test]
fn the_locks_of_earlier_sessions_of_the_same_process_go_with_it() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.timeout_ms = NEVER_MS;
    let mut master = Master::start(&spec);
    let (guard, first) = master.lead();
    master.say("hold");
    let second = master.lock();
    assert_ne!(first.owner, second.owner);
    let watches = [world.watch(&first), world.watch(&second)];
    let killed = clock::now();
    master.kill();
    for watch in watches {
        assert!(watch.gone(killed) < 4 * SOON);
    }
    assert!(guard.ends_within(limit()));
}

#[test]
fn a_guard_that_was_frozen_does_its_work_late() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.timeout_ms = NEVER_MS;
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    guard.freeze();
    master.kill();
    assert_eq!(world.watch(&lock).gone_within(A_WHILE), None);
    let watch = world.watch(&lock);
    let thawed = clock::now();
    guard.signal(Signal::CONT);
    assert!(watch.gone(thawed) < 4 * SOON);
}

/// ZooKeeper is away while the master dies. It keeps sessions over a restart, so the node is there when it is back.
#[test]
fn a_master_that_dies_while_zookeeper_is_away_is_not_forgotten() {
    let world = World::new(Options::default());
    for runtime in ["tokio", "smol"] {
        let mut spec = world.spec(runtime);
        spec.timeout_ms = NEVER_MS;
        let mut master = Master::start(&spec);
        let (guard, lock) = master.lead();
        world.ensemble.kill(0).unwrap();
        master.kill();
        assert!(!guard.ends_within(A_WHILE), "{}", world.report());
        world.ensemble.start_node(0).unwrap();
        world.ensemble.await_ready(limit()).unwrap();
        let back = clock::now();
        assert!(guard.ends_within(limit()));
        assert!(clock::now().saturating_sub(back) < 4 * SOON);
        assert_eq!(world.report(), "Ok");
        assert_eq!(world.owner(&lock), None);
    }
}

#[test]
fn a_guard_gives_up_when_the_session_must_have_ended() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.timeout_ms = 1000;
    let mut master = Master::start(&spec);
    let (guard, _) = master.lead();
    world.ensemble.kill(0).unwrap();
    let killed = clock::now();
    master.kill();
    assert!(guard.ends_within(limit()));
    let time = clock::now().saturating_sub(killed);
    assert!((Duration::from_secs(2)..Duration::from_secs(6)).contains(&time), "{time:?}");
    assert!(world.report().starts_with("Unavailable: "), "{}", world.report());
}

/// The connection of the guard is dead and nobody has noticed: its server stands still.
#[test]
fn a_server_that_stands_still_costs_no_more_than_its_stillness() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.timeout_ms = NEVER_MS;
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    world.ensemble.freeze(0).unwrap();
    master.kill();
    assert!(!guard.ends_within(2 * A_WHILE), "{}", world.report());
    world.ensemble.thaw(0).unwrap();
    assert!(guard.ends_within(limit()));
    assert_eq!(world.report(), "Ok");
    assert_eq!(world.owner(&lock), None);
}

#[test]
fn a_guard_that_is_let_go_leaves_and_deletes_nothing() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    (spec.linger_ms, spec.timeout_ms) = (1000, NEVER_MS);
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    let let_go = clock::now();
    master.tell("let-go");
    // It has waited for the master's death, in vain.
    assert!(guard.ends_within(limit()));
    assert!(clock::now().saturating_sub(let_go) > Duration::from_millis(900));
    assert_eq!(world.report(), "Ok");
    assert_eq!(world.owner(&lock), Some(lock.owner));
}

#[test]
fn a_master_that_lets_its_guard_go_and_ends_is_still_guarded() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.timeout_ms = NEVER_MS;
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    master.tell("let-go");
    let watch = world.watch(&lock);
    let killed = clock::now();
    master.kill();
    assert!(watch.gone(killed) < 4 * SOON);
    assert!(guard.ends_within(limit()));
}

/// The ZooKeeper node that the guard is connected to goes with the master. Its session moves to another one.
#[test]
fn a_zookeeper_node_that_dies_with_the_master_costs_a_reconnection() {
    let world = World::ensemble(3, Options::default());
    for fault in [Ensemble::kill, Ensemble::freeze] {
        let mut spec = world.spec("tokio");
        spec.timeout_ms = NEVER_MS;
        let mut master = Master::start(&spec);
        let (guard, lock) = master.lead();
        let watch = world.watch(&lock);
        let node = (0..3).find(|&i| guard.is_connected_to(world.ensemble.address(i).port())).unwrap();
        fault(&world.ensemble, node).unwrap();
        let killed = clock::now();
        master.kill();
        let time = watch.gone(killed);
        println!("with node {node}: from SIGKILL to the watch of the lock node: {time:?}");
        assert!(time < 4 * SOON, "{time:?}");
        assert!(guard.ends_within(limit()));
        assert_eq!(world.report(), "Ok");
        world.ensemble.kill(node).unwrap();
        world.ensemble.start_all().unwrap();
        world.ensemble.await_ready(limit()).unwrap();
    }
}
