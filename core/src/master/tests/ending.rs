//! Law 11: the end of the cluster is ordered and bounded.

use super::*;
use crate::master::{StandbyInfo, ending};
use crate::wire::{MasterRole, MasterRow, MasterState};

fn standby(world: &mut World) -> LinkId {
    let link = LinkId(world.serial());
    let info = StandbyInfo(MasterRow {
        id: "standby".into(),
        host: "127.0.0.1".into(),
        port: 3006,
        pid: 1,
        role: MasterRole::Standby,
        epoch: Epoch(1),
        state: MasterState::Ready,
    });
    world.feed(Input::Standby { link, info });
    link
}

#[test]
fn frontends_stop_first_then_backends_then_standbys_then_the_state_then_the_master() {
    let mut world = World::started(vec![def("a", true), frontend("g")]);
    let (a, g) = (world.server("a").link.unwrap(), world.server("g").link.unwrap());
    let s = standby(&mut world);
    let ticket = world.request(Request::Stop(Selection::default()));
    assert_eq!(world.stops(), [g]);
    world.crash("g");
    assert_eq!(world.stops(), [g, a]);
    world.crash("a");
    assert_eq!(world.stops(), [g, a, s]);
    assert_eq!((world.exits(), world.answer(ticket).is_none()), (0, true));
    world.feed(Input::LinkClosed { link: s, silent: false });
    assert!(world.done(ticket));
    assert_eq!(world.exits(), 1);
    let state = world.stored.as_ref().unwrap();
    assert!(state.ended && !state.ending && state.servers.is_empty());
    assert_eq!((world.launches("a"), world.launches("g")), (0, 0));
    let exit = world.log.iter().position(|a| matches!(a, Action::Exit)).unwrap();
    let reply = world.log.iter().position(|a| matches!(a, Action::Reply { .. })).unwrap();
    assert!(reply < exit, "whoever asked is answered before the master goes");
    world.pass(10 * MINUTE);
    assert_eq!(world.exits(), 1);
}

#[test]
fn a_standby_that_never_goes_is_not_waited_for_and_does_not_bring_the_cluster_back() {
    let mut world = World::started(vec![def("a", true)]);
    standby(&mut world);
    world.feed(Input::End);
    world.crash("a");
    world.pass(Duration::from_secs(4));
    assert_eq!(world.exits(), 1);
    let left = World::reign(2, setup(Mode::TakeOver, vec![def("a", true)]), world.stored.clone(), true);
    assert_eq!((left.launches("a"), left.exits()), (0, 1));
    let again = World::reign(3, setup(Mode::Start, vec![def("a", true)]), left.stored.clone(), true);
    assert_eq!((again.launches("a"), again.exits()), (1, 0));
}

#[test]
fn a_server_of_a_host_that_is_away_is_not_waited_for_for_ever() {
    let mut world = World::started(vec![def("a", true), frontend("g")]);
    let ticket = world.request(Request::Stop(Selection::default()));
    // Its hooks have their time, and then a kill has its own; but nobody is told that it is gone.
    world.pass(Duration::from_secs(30));
    assert!(world.signals(Signal::Kill) > 0 && world.answer(ticket).is_none());
    world.pass(Duration::from_secs(10));
    world.crash("a");
    let Some(Response::Failed { kind: ErrorKind::Unavailable, message }) = world.answer(ticket) else {
        panic!("{:?}", world.answer(ticket))
    };
    assert!(message.contains("but not g on 127.0.0.1"), "{message}");
    assert_eq!((world.exits(), world.stored.as_ref().unwrap().ended), (1, true));
}

#[test]
fn a_standby_that_comes_late_is_told_too() {
    let mut world = World::started(vec![def("a", true)]);
    standby(&mut world);
    world.feed(Input::End);
    world.crash("a");
    let late = standby(&mut world);
    assert_eq!(world.stops().last(), Some(&late));
}

#[test]
fn a_successor_finishes_an_end_that_was_under_way() {
    let mut old = World::started(vec![def("a", true), frontend("g")]);
    old.feed(Input::End);
    old.crash("g");
    let mut new = old.succeed();
    new.feed(Input::Adopted { id: "a".into(), incarnation: Incarnation(1), alive: true });
    assert_eq!(new.orders(), 1);
    let register = new.registration("a", Phase::Up);
    new.register(register);
    new.crash("a");
    assert_eq!((new.exits(), new.launches("a"), new.launches("g")), (1, 0, 0));
}

#[test]
fn somebody_who_starts_the_cluster_anew_does_not_inherit_its_end() {
    let mut old = World::started(vec![def("a", true), frontend("g")]);
    old.feed(Input::End);
    old.crash("g");
    let declared = vec![def("a", true), frontend("g")];
    let mut new = World::reign(2, setup(Mode::Start, declared), old.stored.clone(), true);
    new.up("g");
    let register = new.registration("a", Phase::Up);
    new.register(register);
    assert_eq!((new.shown("a"), new.shown("g"), new.exits()), (ServerState::Up, ServerState::Up, 0));
}

#[test]
fn an_end_while_things_start_launches_nothing_more() {
    let mut world = World::reign(1, setup(Mode::Start, vec![def("a", true), frontend("g")]), None, false);
    world.feed(Input::End);
    world.store_works = true;
    world.answer_store(Ok(()));
    assert_eq!((world.launches("a") + world.launches("g"), world.exits()), (0, 1));

    let mut world = World::start(vec![def("a", true), frontend("g"), def("b", true)]);
    world.launches_work = false;
    world.crash("b");
    world.feed(Input::End);
    assert_eq!(world.signals(Signal::Terminate), 1);
    world.crash("g");
    world.crash("a");
    assert_eq!(world.exits(), 0, "one launch is not answered yet");
    world.feed(Input::Launched { id: "b".into(), incarnation: Incarnation(2), result: Ok(process(7)) });
    world.crash("b");
    assert_eq!((world.exits(), world.launches("b")), (1, 2));
}

#[test]
fn a_server_that_registers_during_the_end_is_stopped() {
    let mut world = World::start(vec![def("a", true), frontend("g")]);
    world.feed(Input::End);
    let a = world.up("a");
    assert_eq!(world.stops(), [a]);
}

#[test]
fn kill_overtakes_an_end_and_both_are_answered() {
    let mut world = World::started(vec![def("a", true), frontend("g")]);
    let stop = world.request(Request::Stop(Selection::default()));
    let kill = world.request(Request::Kill(Selection::default()));
    assert_eq!(world.signals(Signal::Kill), 2);
    let other = world.request(Request::Start(select("a")));
    assert!(matches!(world.answer(other), Some(Response::Failed { .. })));
    world.crash("a");
    world.crash("g");
    assert!(world.done(stop) && world.done(kill));
}

#[test]
fn a_store_that_does_not_answer_cannot_keep_the_cluster_from_ending() {
    let mut world = World::started(vec![def("a", true), frontend("g")]);
    world.store_works = false;
    let ticket = world.request(Request::Stop(Selection::default()));
    world.pass(ending::PATIENCE / 2);
    assert_eq!(world.orders(), 0);
    world.pass(ending::PATIENCE);
    world.crash("g");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.stops().len(), 2);
    world.crash("a");
    world.pass(MINUTE);
    assert!(
        matches!(world.answer(ticket), Some(Response::Failed { message, .. }) if message.contains("standby"))
    );
    assert_eq!(world.exits(), 1);
}
