//! What a master does for its guard.

use super::processes::{Master, limit};
use super::world::World;
use core::time::Duration;
use rustix::process::Signal;
use tangelo_services::clock;
use tangelo_services::zookeeper::Options;

#[test]
fn a_guard_that_is_killed_has_a_successor_that_knows_what_is_held() {
    let world = World::new(Options::default());
    for runtime in ["tokio", "smol"] {
        let mut master = Master::start(&world.spec(runtime));
        let (guard, lock) = master.lead();
        guard.signal(Signal::KILL);
        let next = master.guard();
        assert_ne!(next.pid, guard.pid);
        let watch = world.watch(&lock);
        let killed = clock::now();
        master.kill();
        assert!(watch.gone(killed) < Duration::from_secs(2));
    }
}

#[test]
fn a_guard_that_does_not_answer_is_replaced() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.ask_ms = 1000;
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    guard.freeze();
    let next = master.guard();
    assert!(guard.ends_within(limit()), "the frozen guard stays behind");
    let watch = world.watch(&lock);
    let killed = clock::now();
    master.kill();
    assert!(watch.gone(killed) < Duration::from_secs(2));
    assert!(next.ends_within(limit()));
}
