//! Requests of the command line: each is answered exactly once.

use super::*;
use crate::config::Secret;

fn failed(world: &World, ticket: Ticket) -> Option<String> {
    match world.answer(ticket)? {
        Response::Failed { message, .. } => Some(message.clone()),
        _ => None,
    }
}

#[test]
fn what_is_true_already_is_answered_at_once() {
    let mut world = World::started(vec![def("a", true)]);
    world.pass(MINUTE);
    for request in [Request::AwaitStart, Request::Start(select("a"))] {
        let ticket = world.request(request);
        assert!(world.done(ticket));
    }
    world.request(Request::Stop(select("a")));
    world.crash("a");
    let again = world.request(Request::Stop(select("a")));
    assert!(world.done(again));
}

#[test]
fn await_start_waits_for_all_and_names_those_that_failed() {
    let mut world = World::start(vec![def("a", true), def("b", false)]);
    let ticket = world.request(Request::AwaitStart);
    world.up("a");
    assert!(world.answer(ticket).is_none());
    world.crash("b");
    assert!(failed(&world, ticket).unwrap().contains("b: killed by signal 9"));
}

#[test]
fn stop_is_answered_when_the_process_is_gone_and_it_is_killed_if_it_does_not_go() {
    let mut world = World::started(vec![def("a", true)]);
    let link = world.server("a").link.unwrap();
    let ticket = world.request(Request::Stop(select("a")));
    assert_eq!(world.stops(), [link]);
    world.pass(Duration::from_secs(15));
    assert_eq!((world.signals(Signal::Kill), world.answer(ticket).is_none()), (0, true));
    world.pass(Duration::from_secs(2));
    assert_eq!(world.signals(Signal::Kill), 1);
    world.crash("a");
    assert!(world.done(ticket));
    world.pass(10 * MINUTE);
    assert_eq!((world.launches("a"), world.shown("a")), (0, ServerState::Stopped));
}

#[test]
fn a_stopping_server_that_links_again_and_again_gains_no_time() {
    let mut world = World::started(vec![def("a", true)]);
    world.request(Request::Stop(select("a")));
    for _ in 0..17 {
        world.close("a", false);
        let link = world.register(world.registration("a", Phase::Up));
        assert_eq!(world.stops().last(), Some(&link), "it is told again: the order may have been lost");
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(world.signals(Signal::Kill), 1);
}

#[test]
fn stop_before_the_launch_was_ordered_launches_nothing() {
    let mut world = World::reign(1, setup(Mode::Start, vec![def("a", true)]), None, false);
    let ticket = world.request(Request::Stop(select("a")));
    world.store_works = true;
    world.answer_store(Ok(()));
    world.pass(MINUTE);
    assert!(world.done(ticket));
    assert_eq!((world.launches("a"), world.shown("a")), (0, ServerState::Stopped));
    world.request(Request::Start(select("a")));
    world.up("a");
    assert_eq!((world.launches("a"), world.shown("a")), (1, ServerState::Up));
}

#[test]
fn stop_and_kill_while_a_launch_is_not_answered_reach_the_process_afterwards() {
    for (request, signal) in
        [(Request::Stop(select("a")), Signal::Terminate), (Request::Kill(select("a")), Signal::Kill)]
    {
        let mut world = World::start(vec![def("a", true)]);
        world.launches_work = false;
        world.crash("a");
        let ticket = world.request(request);
        world.pass(MINUTE);
        assert_eq!(world.orders() - world.launches("a"), 0);
        world.feed(Input::Launched { id: "a".into(), incarnation: Incarnation(2), result: Ok(process(9)) });
        assert_eq!(world.signals(signal), 1);
        world.crash("a");
        assert!(world.done(ticket));
        assert_eq!(world.launches("a"), 2);
    }
}

#[test]
fn a_launch_that_fails_while_it_is_being_stopped_is_a_stop() {
    let mut world = World::start(vec![def("a", true)]);
    world.launches_work = false;
    world.crash("a");
    let ticket = world.request(Request::Stop(select("a")));
    let result = Err(Error::new(ErrorKind::Invalid, "no such program"));
    world.feed(Input::Launched { id: "a".into(), incarnation: Incarnation(2), result });
    assert!(world.done(ticket));
    assert_eq!(world.shown("a"), ServerState::Stopped);
}

#[test]
fn stop_during_backoff_and_while_unlinked() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.crash("a");
    world.crash("a");
    assert_eq!(world.shown("a"), ServerState::Backoff);
    let a = world.request(Request::Stop(select("a")));
    assert!(world.done(a));
    world.close("b", false);
    let b = world.request(Request::Stop(select("b")));
    assert_eq!(world.signals(Signal::Terminate), 1);
    world.crash("b");
    assert!(world.done(b));
    world.pass(10 * MINUTE);
    assert_eq!((world.launches("a"), world.launches("b")), (1, 0));
}

#[test]
fn start_of_a_stopping_server_brings_it_back_and_answers_both() {
    let mut world = World::started(vec![def("a", true)]);
    let stop = world.request(Request::Stop(select("a")));
    let start = world.request(Request::Start(select("a")));
    assert!(failed(&world, stop).unwrap().contains("started again"));
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
    world.up("a");
    assert!(world.done(start));
    assert_eq!(world.server("a").record.restarts, 0);
}

#[test]
fn kill_asks_nobody_and_overtakes_a_stop() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.request(Request::Kill(select("a")));
    assert_eq!((world.stops().len(), world.signals(Signal::Kill)), (0, 1));
    world.request(Request::Stop(select("b")));
    world.request(Request::Kill(select("b")));
    assert_eq!(world.signals(Signal::Kill), 2);
}

#[test]
fn restart_of_a_failed_server_forgives_it() {
    let mut world = World::started(vec![def("a", false)]);
    world.crash("a");
    let ticket = world.request(Request::Restart { selection: select("a"), rolling: false });
    world.up("a");
    assert!(world.done(ticket));
    assert_eq!(world.server("a").record.failed, None);
}

#[test]
fn rolling_restarts_one_after_the_other() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    let selection = Selection { ids: vec![], server_type: Some("chat".into()) };
    let ticket = world.request(Request::Restart { selection, rolling: true });
    for id in ["a", "b"] {
        assert_eq!(world.stops().last().copied(), world.server(id).link);
        assert!(world.answer(ticket).is_none());
        world.crash(id);
        world.up(id);
    }
    assert!(world.done(ticket));
    assert_eq!(world.stops().len(), 2);
}

#[test]
fn rolling_ends_with_the_first_that_fails_and_leaves_the_others_alone() {
    let mut world = World::started(vec![def("a", false), def("b", false)]);
    let b = world.pid("b");
    let ticket = world.request(Request::Restart { selection: Selection::default(), rolling: true });
    world.crash("a");
    world.crash("a");
    assert!(failed(&world, ticket).unwrap().starts_with("not up: a: "));
    assert_eq!((world.pid("b"), world.shown("b")), (b, ServerState::Up));
}

#[test]
fn rolling_is_answered_though_the_cluster_ends() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    let ticket = world.request(Request::Restart { selection: Selection::default(), rolling: true });
    world.feed(Input::End);
    world.crash("a");
    world.crash("b");
    assert!(failed(&world, ticket).is_some());
    assert_eq!((world.launches("a"), world.launches("b"), world.exits()), (0, 0, 1));
}

#[test]
fn add_brings_a_server_in_once() {
    let mut world = World::started(vec![def("a", true)]);
    let first = world.request(Request::Add(vec![def("b", true)]));
    let second = world.request(Request::Add(vec![def("b", true)]));
    assert!(failed(&world, second).unwrap().contains("duplicate id"));
    world.up("b");
    assert!(world.done(first));
    assert_eq!(world.launches("b"), 1);
    let twice = world.request(Request::Add(vec![def("c", true), def("c", true)]));
    assert!(failed(&world, twice).is_some());
    assert_eq!(world.machine.index("c"), None, "all or none");
}

#[test]
fn a_server_beyond_loopback_is_not_added_without_a_secret() {
    let outer = |id| ServerDef { host: "0.0.0.0".into(), ..def(id, true) };
    let mut world = World::started(vec![def("a", true)]);
    let ticket = world.request(Request::Add(vec![def("b", true), outer("c")]));
    assert!(failed(&world, ticket).unwrap().starts_with("server c: host 0.0.0.0 is beyond"));
    assert_eq!(world.machine.index("b"), None, "all or none");
    world.machine.setup.master.secret = Secret::new("correct horse battery").ok();
    let ticket = world.request(Request::Add(vec![outer("c")]));
    world.up("c");
    assert!(world.done(ticket));
}

#[test]
fn whoever_does_not_exist_is_named() {
    let mut world = World::started(vec![def("a", true)]);
    for request in [Request::Stop(select("x")), Request::Start(select("x")), Request::Kill(select("x"))] {
        let ticket = world.request(request);
        assert_eq!(failed(&world, ticket).unwrap(), "there is no server x: there are a");
    }
    assert_eq!(world.orders(), 0);
}
