//! Law 6 and "written before done": what the store must know before anything follows from it.

use super::*;

fn unstored(declared: Vec<ServerDef>) -> World {
    World::reign(1, setup(Mode::Start, declared), None, false)
}

#[test]
fn written_before_launched() {
    let mut world = unstored(vec![def("a", true)]);
    assert_eq!(world.launches("a"), 0);
    world.answer_store(Ok(()));
    assert_eq!(world.launches("a"), 1);
    assert_eq!(world.stored.as_ref().unwrap().servers[0].reserved, Incarnation(1));
}

#[test]
fn the_next_incarnation_is_reserved_ahead_so_a_restart_does_not_wait() {
    let mut world = World::started(vec![def("a", true)]);
    world.store_works = false;
    world.crash("a");
    assert_eq!(world.launches("a"), 1, "at once, though the store is away");
    world.crash("a");
    world.pass(MINUTE);
    assert_eq!(world.launches("a"), 1, "but the one after it waits");
    world.store_works = true;
    world.answer_store(Ok(()));
    assert_eq!(world.launches("a"), 2);
}

#[test]
fn recorded_before_welcomed() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.pass(Duration::from_secs(1));
    world.store_works = false;
    // A store is under way that knows nothing of what follows.
    world.request(Request::Stop(select("b")));
    world.crash("a");
    let link = world.register(world.registration("a", Phase::Starting));
    world.answer_store(Ok(()));
    assert!(!world.welcomed(link), "what was stored then did not have its process");
    world.answer_store(Ok(()));
    assert!(world.welcomed(link));
    assert_eq!(world.stored.as_ref().unwrap().servers[0].process, world.server("a").record.process);
}

#[test]
fn written_before_others_hear_that_a_server_is_up() {
    let heard = |world: &World, wanted: fn(&Message) -> bool| {
        world.count(|action| matches!(action, Action::Broadcast { message, .. } if wanted(message)))
    };
    let added = |message: &Message| matches!(message, Message::Servers { added, .. } if !added.is_empty());
    let all_started = |message: &Message| matches!(message, Message::AllStarted);
    let mut world = World::start(vec![def("a", true)]);
    let link = world.register(world.registration("a", Phase::Starting));
    world.store_works = false;
    world.says(link, Phase::Up);
    world.pass(MINUTE);
    assert_eq!(world.shown("a"), ServerState::Up);
    assert_eq!((heard(&world, added), heard(&world, all_started)), (0, 0));
    world.answer_store(Ok(()));
    world.store_works = true;
    world.pass(MINUTE);
    assert!(world.stored.as_ref().unwrap().servers[0].up);
    assert_eq!((heard(&world, added), heard(&world, all_started)), (1, 1));
    let order = |wanted: fn(&Message) -> bool| {
        world.log.iter().position(|a| matches!(a, Action::Broadcast { message, .. } if wanted(message)))
    };
    assert!(order(added) < order(all_started), "who hears that all are up knows them");
}

#[test]
fn written_before_stopped_or_killed() {
    for request in [Request::Stop(select("a")), Request::Kill(select("a"))] {
        let mut world = World::started(vec![def("a", true)]);
        world.store_works = false;
        let ticket = world.request(request);
        assert_eq!(world.orders(), 0);
        world.answer_store(Ok(()));
        assert_eq!(world.orders(), 1);
        assert!(world.stored.as_ref().unwrap().servers[0].stopped);
        world.store_works = true;
        world.crash("a");
        world.answer_store(Ok(()));
        assert!(world.done(ticket));
    }
}

#[test]
fn a_store_that_is_slow_does_not_cost_a_server_its_time_to_stop() {
    let mut world = World::started(vec![def("a", true)]);
    world.store_works = false;
    world.request(Request::Stop(select("a")));
    for _ in 0..100 {
        world.pass(Duration::from_secs(1));
        world.answer_store(Err(unavailable()));
    }
    assert_eq!(world.orders(), 0, "not even killed: it was not asked yet");
    world.pass(Duration::from_secs(2));
    world.answer_store(Ok(()));
    assert_eq!((world.stops().len(), world.signals(Signal::Kill)), (1, 0));
    world.pass(Duration::from_secs(17));
    assert_eq!(world.signals(Signal::Kill), 1);
}

#[test]
fn a_store_that_fails_for_long_and_then_works_loses_nothing_and_piles_nothing_up() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.store_works = false;
    let ticket = world.request(Request::Restart { selection: select("b"), rolling: false });
    for n in 0..500 {
        world.answer_store(Err(unavailable()));
        world.pass(Duration::from_secs(2));
        if world.pid("a").is_some() && n % 10 == 0 {
            world.close("a", false);
            world.register(world.registration("a", Phase::Up));
        }
    }
    assert!(world.machine.store.waiting() < 10, "{} wait", world.machine.store.waiting());
    world.store_works = true;
    world.answer_store(Ok(()));
    assert_eq!(world.stops().len(), 1);
    world.crash("b");
    world.up("b");
    assert!(world.done(ticket));
    assert_eq!((world.shown("a"), world.launches("a")), (ServerState::Up, 0));
}

#[test]
fn a_failed_store_is_tried_again_with_a_growing_pause() {
    let mut world = unstored(vec![def("a", true)]);
    let mut pauses = vec![];
    for _ in 0..8 {
        world.answer_store(Err(unavailable()));
        let before = world.now;
        world.now = world.machine.next_deadline().unwrap();
        world.feed(Input::Tick);
        pauses.push(world.now.saturating_since(before).as_millis());
        assert!(world.held.is_some());
    }
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
}

#[test]
fn a_stale_answer_of_the_store_is_no_answer() {
    let mut world = unstored(vec![def("a", true)]);
    let version = world.held.as_ref().unwrap().0;
    world.feed(Input::Stored { version: version + 7, result: Ok(()) });
    assert_eq!(world.launches("a"), 0);
}

#[test]
fn fenced_means_lost_and_nothing_follows() {
    let mut world = World::started(vec![def("a", true)]);
    world.store_works = false;
    let ticket = world.request(Request::Stop(select("a")));
    world.answer_store(Err(Error::new(ErrorKind::Fenced, "a later epoch has begun")));
    assert_eq!(world.count(|action| matches!(action, Action::StepDown)), 1);
    assert!(matches!(world.answer(ticket), Some(Response::Failed { .. })));
    world.crash("a");
    world.pass(10 * MINUTE);
    let late = world.request(Request::Start(select("a")));
    assert!(matches!(world.answer(late), Some(Response::Failed { .. })));
    assert_eq!(world.orders(), 0);
    assert_eq!(world.machine.next_deadline(), None);
}
