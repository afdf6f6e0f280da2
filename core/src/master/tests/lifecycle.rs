//! Laws 5, 7, 8 and 9: launches, crashes, liveness, crash loops.

use super::*;
use crate::master::Report;
use crate::restart::RestartPolicy;

#[test]
fn a_server_that_dies_is_back_at_once_with_the_next_incarnation() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    let b = world.pid("b");
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
    assert_eq!(world.server("a").record.incarnation, Incarnation(2));
    world.up("a");
    assert_eq!((world.shown("a"), world.pid("b")), (ServerState::Up, b));
    assert_eq!(world.server("a").row(world.now).restarts, 1);
}

#[test]
fn a_server_without_auto_restart_stays_down_and_says_so() {
    let mut world = World::started(vec![def("a", false)]);
    world.crash("a");
    world.pass(10 * MINUTE);
    assert_eq!((world.launches("a"), world.shown("a")), (0, ServerState::Failed));
    assert!(world.server("a").row(world.now).detail.contains("auto-restart is off"));
    let mut next = world.succeed();
    next.pass(10 * MINUTE);
    assert_eq!((next.launches("a"), next.shown("a")), (0, ServerState::Failed));
}

#[test]
fn pomelo_crash_before_registering_counts() {
    let mut world = World::start(vec![def("a", true)]);
    world.crash("a");
    assert_eq!(world.launches("a"), 2);
    assert_eq!(world.server("a").record.restarts, 1);
}

#[test]
fn pomelo_restart_needs_neither_three_seconds_nor_netstat() {
    let mut world = World::started(vec![def("a", true)]);
    let before = world.now;
    world.crash("a");
    assert_eq!((world.launches("a"), world.now), (1, before));
}

#[test]
fn a_crash_loop_ends_in_failed_and_start_forgives_it() {
    let mut world = World::start(vec![def("a", true)]);
    for _ in 0..20 {
        if world.pid("a").is_some() {
            world.crash("a");
        }
        world.pass(Duration::from_secs(1));
    }
    assert_eq!((world.launches("a"), world.shown("a")), (6, ServerState::Failed));
    let ticket = world.request(Request::Start(select("a")));
    assert_eq!(world.launches("a"), 7);
    world.up("a");
    assert!(world.done(ticket));
    assert_eq!(world.server("a").record.restarts, 0);
}

#[test]
fn a_thousand_restarts_leave_nothing_behind() {
    let restart =
        RestartPolicy { max_restarts: 3, window: Duration::from_secs(1), ..RestartPolicy::default() };
    let mut world = World::started(vec![ServerDef { restart, ..def("a", true) }]);
    for n in 0..1000 {
        world.crash("a");
        world.pass(Duration::from_secs(1));
        world.up("a");
        assert_eq!(world.server("a").record.incarnation, Incarnation(n + 2));
        world.log.clear();
    }
    let size = format!("{:?}", world.machine).len();
    assert!(size < 6000, "{size} bytes of state");
    assert_eq!(world.machine.store.waiting(), 0);
}

#[test]
fn pomelo_late_removed_of_an_old_incarnation_changes_nothing() {
    let mut world = World::started(vec![def("a", true)]);
    world.crash("a");
    world.up("a");
    world.log.clear();
    let late = || Input::Exited { id: "a".into(), incarnation: Incarnation(1), exit: Exit::Code(0) };
    world.feed(late());
    world.feed(Input::Adopted { id: "a".into(), incarnation: Incarnation(1), alive: false });
    let result = Ok(process(77));
    world.feed(Input::Launched { id: "a".into(), incarnation: Incarnation(1), result });
    world.pass(MINUTE);
    assert_eq!((world.launches("a"), world.shown("a"), world.orders()), (0, ServerState::Up, 0));
}

#[test]
fn an_end_that_is_heard_of_before_the_launch_is_not_lost() {
    let mut world = World::start(vec![def("a", true)]);
    world.launches_work = false;
    world.crash("a");
    assert_eq!(world.launches("a"), 2, "incarnation 2 is launched, and not answered");
    world.crash("a");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.launches("a"), 3);
    let result = Ok(process(77));
    world.feed(Input::Launched { id: "a".into(), incarnation: Incarnation(2), result });
    assert_eq!(world.pid("a"), None, "the late answer names a process that is gone");
    let result = Ok(process(78));
    world.feed(Input::Launched { id: "a".into(), incarnation: Incarnation(3), result });
    assert_eq!(world.pid("a"), Some(78));
    world.crash("a");
    world.crash("a");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.launches("a"), 4, "a second end of the same process is none");
}

#[test]
fn a_launch_that_fails_for_now_is_tried_again_and_one_that_cannot_work_is_not() {
    for (kind, launches) in [(ErrorKind::Io, 2), (ErrorKind::Invalid, 1), (ErrorKind::Unsupported, 1)] {
        let mut world = World::reign(1, setup(Mode::Start, vec![def("a", true)]), None, false);
        world.launches_work = false;
        world.store_works = true;
        world.answer_store(Ok(()));
        let result = Err(Error::new(kind, "no"));
        world.feed(Input::Launched { id: "a".into(), incarnation: Incarnation(1), result });
        assert_eq!(world.launches("a"), launches, "{kind:?}");
    }
}

#[test]
fn a_launch_that_always_fails_is_not_tried_for_ever() {
    for (auto_restart, launches) in [(false, 1), (true, 6)] {
        let mut world = World::reign(1, setup(Mode::Start, vec![def("a", auto_restart)]), None, false);
        world.launches_work = false;
        world.store_works = true;
        world.answer_store(Ok(()));
        for _ in 0..20 {
            let incarnation = world.server("a").record.incarnation;
            let result = Err(Error::new(ErrorKind::Io, "no file"));
            world.feed(Input::Launched { id: "a".into(), incarnation, result });
            world.pass(Duration::from_secs(1));
        }
        assert_eq!((world.launches("a"), world.shown("a")), (launches, ServerState::Failed));
        assert!(world.server("a").row(world.now).detail.contains("it cannot be launched: no file"));
    }
}

#[test]
fn a_host_that_is_away_is_no_crash_loop_and_the_server_comes_back_with_it() {
    let mut world = World::started(vec![def("a", true), def("b", false)]);
    world.launches_work = false;
    world.crash("a");
    let away = |world: &mut World| {
        let incarnation = world.server("a").record.incarnation;
        let result = Err(Error::new(ErrorKind::Unavailable, "its host is away"));
        world.feed(Input::Launched { id: "a".into(), incarnation, result });
    };
    for _ in 0..100 {
        away(&mut world);
        world.pass(Duration::from_secs(10));
    }
    let launches = world.launches("a");
    assert!((50..=150).contains(&launches), "neither given up nor in a hurry: {launches}");
    away(&mut world);
    assert_eq!(world.shown("a"), ServerState::Backoff);
    assert!(world.server("a").row(world.now).detail.contains("its host is away"));
    world.launches_work = true;
    world.pass(Duration::from_secs(10));
    world.up("a");
    assert_eq!(world.shown("a"), ServerState::Up);
}

#[test]
fn a_lost_link_is_given_time_to_come_back() {
    let mut world = World::started(vec![def("a", true)]);
    world.close("a", false);
    world.pass(Duration::from_secs(2));
    assert_eq!((world.shown("a"), world.orders()), (ServerState::Up, 0));
    world.register(world.registration("a", Phase::Up));
    world.pass(MINUTE);
    assert_eq!((world.shown("a"), world.orders()), (ServerState::Up, 0));
}

#[test]
fn a_server_whose_link_stays_away_is_terminated_then_killed_then_replaced() {
    let mut world = World::started(vec![def("a", true)]);
    world.close("a", false);
    world.pass(Duration::from_secs(3));
    assert_eq!((world.signals(Signal::Terminate), world.signals(Signal::Kill)), (1, 0));
    world.pass(Duration::from_secs(16));
    assert_eq!((world.signals(Signal::Kill), world.launches("a")), (1, 0), "no second copy while one lives");
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
}

#[test]
fn pomelo_frozen_server_does_not_stay_registered() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.close("a", true);
    world.pass(Duration::from_secs(4));
    assert_eq!(world.signals(Signal::Kill), 1, "it would not hear a request");
    let removed = |action: &Action| matches!(action, Action::Broadcast { message: Message::Servers { removed, .. }, .. } if removed.len() == 1);
    assert_eq!(world.count(removed), 1);
}

#[test]
fn a_process_that_does_not_die_at_once_is_killed_again_and_never_doubled() {
    let mut world = World::started(vec![def("a", true)]);
    world.close("a", true);
    world.pass(Duration::from_secs(12));
    assert!(world.signals(Signal::Kill) > 3);
    assert_eq!(world.launches("a"), 0);
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
}

#[test]
fn a_hung_server_without_auto_restart_is_left_to_a_person() {
    let mut world = World::started(vec![def("a", false)]);
    world.close("a", true);
    world.pass(MINUTE);
    assert_eq!((world.shown("a"), world.orders()), (ServerState::Failed, 0));
    assert!(world.pid("a").is_some());
    world.register(world.registration("a", Phase::Up));
    assert_eq!(world.shown("a"), ServerState::Up, "it may come back by itself");
    world.close("a", true);
    world.pass(MINUTE);
    world.request(Request::Restart { selection: select("a"), rolling: false });
    assert_eq!(world.signals(Signal::Terminate), 1);
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
}

#[test]
fn a_server_that_never_comes_up_is_replaced() {
    let mut world = World::start(vec![def("a", true)]);
    let link = world.register(world.registration("a", Phase::Starting));
    world.pass(MINUTE);
    assert_eq!(world.signals(Signal::Kill), 1);
    world.crash("a");
    assert_eq!(world.launches("a"), 2);
    world.feed(Input::LinkClosed { link, silent: false });
    world.up("a");
    assert_eq!(world.shown("a"), ServerState::Up);
}

#[test]
fn a_server_that_somebody_signalled_is_replaced_and_its_time_to_stop_is_bounded() {
    let mut world = World::started(vec![def("a", true)]);
    let link = world.server("a").link.unwrap();
    world.says(link, Phase::Stopping);
    assert_eq!(world.shown("a"), ServerState::Stopping);
    world.pass(MINUTE);
    assert!(world.signals(Signal::Kill) > 0);
    world.crash("a");
    assert_eq!(world.launches("a"), 1);
}

#[test]
fn what_is_reported_follows_what_happens() {
    let mut world = World::start(vec![def("a", true)]);
    world.up("a");
    let reports = world.log.iter().filter_map(|action| match action {
        Action::Report { what, .. } => Some(what.clone()),
        _ => None,
    });
    let reports: Vec<Report> = reports.collect();
    assert!(
        matches!(reports[..], [Report::Launching { .. }, Report::Up { adopted: false, .. }]),
        "{reports:?}"
    );
    assert_eq!(world.count(|action| matches!(action, Action::Settled { up: 1, failed: 0 })), 1);
}
