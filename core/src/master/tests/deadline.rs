//! Law 2: a leader stops by its own clock.

use super::*;
use crate::coordinator::LeadershipState::{Leading, Lost, Suspended};

fn leads(world: &mut World, state: LeadershipState, deadline: Instant) {
    world.feed(Input::Leadership { state, deadline });
}

#[test]
fn suspended_still_acts_until_the_deadline() {
    let mut world = World::started(vec![def("a", true)]);
    let deadline = world.now + Duration::from_secs(4);
    leads(&mut world, Suspended, deadline);
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
}

#[test]
fn pomelo_frozen_master_acts_no_more_after_its_deadline() {
    let mut world = World::started(vec![def("a", true), def("b", true), def("c", false)]);
    world.close("a", true);
    let deadline = world.now + Duration::from_secs(3);
    leads(&mut world, Leading, deadline);
    world.freeze(Duration::from_secs(12));
    world.feed(Input::Tick);
    world.crash("b");
    world.request(Request::Kill(select("c")));
    let mut stranger = world.registration("a", Phase::Up);
    stranger.process = process(999);
    let refused = world.register(stranger);
    world.feed(Input::End);
    world.pass(10 * MINUTE);
    assert_eq!(world.orders(), 0, "{:?}", world.log);
    assert!(!world.refused(refused));
    leads(&mut world, Lost, deadline);
    world.pass(10 * MINUTE);
    assert_eq!(world.orders(), 0);
}

#[test]
fn past_the_deadline_the_timers_do_not_spin() {
    let mut world = World::started(vec![def("a", true)]);
    world.close("a", true);
    let deadline = world.now;
    leads(&mut world, Suspended, deadline);
    let mut ticks = 0;
    let end = world.now + MINUTE;
    while let Some(due) = world.machine.next_deadline().filter(|due| *due < end) {
        world.now = world.now.max(due);
        world.feed(Input::Tick);
        ticks += 1;
        assert!(ticks <= 600, "it looks again ten times a second at most");
    }
}

#[test]
fn what_was_asked_past_the_deadline_is_done_when_the_deadline_moves_on() {
    let mut world = World::started(vec![def("a", true), def("b", true), def("c", true)]);
    let deadline = world.now;
    leads(&mut world, Suspended, deadline);
    let stop = world.request(Request::Stop(select("a")));
    let restart = world.request(Request::Restart { selection: select("b"), rolling: false });
    world.crash("c");
    world.pass(MINUTE);
    assert_eq!((world.orders(), world.answer(stop).is_none()), (0, true));
    let deadline = world.now + 1000 * MINUTE;
    leads(&mut world, Leading, deadline);
    assert_eq!((world.stops().len(), world.launches("c")), (2, 1));
    world.crash("a");
    world.crash("b");
    world.up("b");
    world.up("c");
    assert!(world.done(stop) && world.done(restart));
}

#[test]
fn a_store_answered_past_the_deadline_counts_when_it_moves_on() {
    let mut world = World::reign(1, setup(Mode::Start, vec![def("a", true)]), None, false);
    let deadline = world.now;
    leads(&mut world, Suspended, deadline);
    world.answer_store(Ok(()));
    assert_eq!(world.launches("a"), 0);
    let deadline = world.now + MINUTE;
    leads(&mut world, Leading, deadline);
    assert_eq!(world.launches("a"), 1);
}

#[test]
fn a_server_that_came_back_while_the_master_could_not_act_is_not_killed_for_it() {
    let mut world = World::started(vec![def("a", true)]);
    let deadline = world.now + Duration::from_secs(1);
    leads(&mut world, Leading, deadline);
    world.close("a", false);
    world.pass(MINUTE);
    let link = world.register(world.registration("a", Phase::Up));
    assert!(!world.welcomed(link), "a welcome is an order to work");
    let deadline = world.now + 1000 * MINUTE;
    leads(&mut world, Leading, deadline);
    assert!(world.welcomed(link));
    world.pass(MINUTE);
    assert_eq!((world.orders(), world.shown("a")), (0, ServerState::Up));
}

#[test]
fn a_server_whose_link_was_away_while_the_master_could_not_act_gets_its_grace() {
    let mut world = World::started(vec![def("a", true)]);
    let deadline = world.now + Duration::from_secs(1);
    leads(&mut world, Leading, deadline);
    world.close("a", true);
    world.pass(MINUTE);
    let deadline = world.now + 1000 * MINUTE;
    leads(&mut world, Leading, deadline);
    world.pass(Duration::from_millis(2500));
    assert_eq!(world.orders(), 0);
    world.pass(Duration::from_millis(600));
    assert_eq!(world.signals(Signal::Kill), 1);
}

#[test]
fn pomelo_a_master_that_wakes_within_its_deadline_does_not_kill_a_healthy_server() {
    let mut world = World::started(vec![def("a", true)]);
    for sleep in [4500, 2990] {
        world.close("a", false);
        world.freeze(Duration::from_millis(sleep));
        world.feed(Input::Tick);
        world.pass(Duration::from_millis(100));
        world.register(world.registration("a", Phase::Up));
        world.pass(MINUTE);
        assert_eq!((world.orders(), world.shown("a")), (0, ServerState::Up), "after {sleep} ms");
    }
}

#[test]
fn while_the_coordinator_is_away_no_server_is_to_blame_for_not_finding_the_leader() {
    let mut world = World::started(vec![def("a", true)]);
    world.close("a", false);
    let deadline = world.now + MINUTE;
    leads(&mut world, Suspended, deadline);
    world.pass(Duration::from_secs(20));
    assert_eq!(world.orders(), 0);
    leads(&mut world, Leading, deadline);
    world.pass(Duration::from_millis(2900));
    assert_eq!(world.orders(), 0);
    world.pass(Duration::from_millis(200));
    assert_eq!(world.signals(Signal::Terminate), 1);
}

#[test]
fn a_member_that_has_seen_a_later_epoch_ends_this_reign() {
    let mut world = World::started(vec![def("a", true)]);
    let register = Register { epoch: Epoch(2), ..world.registration("a", Phase::Up) };
    world.register(register);
    assert_eq!(world.count(|action| matches!(action, Action::StepDown)), 1);
    leads(&mut world, Lost, Instant::default());
    leads(&mut world, Leading, Instant::from_boot(1_000_000 * MINUTE));
    world.crash("a");
    world.pass(MINUTE);
    assert_eq!(world.launches("a"), 0, "lost is for good");
    assert_eq!(world.count(|action| matches!(action, Action::StepDown)), 1);
}

#[test]
fn whoever_waits_is_told_when_the_leadership_is_lost() {
    let mut world = World::start(vec![def("a", true), def("b", true)]);
    world.up("b");
    let waits = world.request(Request::AwaitStart);
    let end = world.request(Request::Stop(Selection::default()));
    leads(&mut world, Lost, Instant::default());
    for ticket in [waits, end] {
        assert!(matches!(world.answer(ticket), Some(Response::Failed { .. })));
    }
}
