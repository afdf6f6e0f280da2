//! Laws 6 and 7: a new leader adopts, and a deliberate stop is state.

use super::*;

fn adopted(world: &mut World, id: &str, alive: bool) {
    let incarnation = world.server(id).record.incarnation;
    world.feed(Input::Adopted { id: id.into(), incarnation, alive });
}

/// A process that the last master launched and could not record.
fn unrecorded(world: &World, id: &str, incarnation: u64) -> Register {
    Register {
        id: id.into(),
        incarnation: Incarnation(incarnation),
        process: process(555),
        cpus: None,
        phase: Phase::Starting,
        status: String::new(),
        epoch: Epoch(world.machine.epoch.0 - 1),
        rss_bytes: 0,
        age: Duration::ZERO,
        known: Digest::default(),
    }
}

#[test]
fn pomelo_after_a_leader_change_no_server_is_restarted_and_all_keep_their_pids() {
    for answered_first in [true, false] {
        let mut old = World::started(vec![def("a", true), def("b", false)]);
        old.pass(Duration::from_secs(1));
        let pids = [old.pid("a"), old.pid("b")];
        let mut new = old.succeed();
        for id in ["a", "b"] {
            if answered_first {
                adopted(&mut new, id, true);
            }
            let register = new.registration(id, Phase::Up);
            let link = new.register(register);
            assert!(new.welcomed(link));
            assert!(new.sent(
                link,
                |m| matches!(m, Message::Welcome(Welcome { servers: Some(s), .. }) if s.len() == 2)
            ));
            if !answered_first {
                adopted(&mut new, id, true);
            }
        }
        new.pass(10 * MINUTE);
        assert_eq!((new.orders(), [new.pid("a"), new.pid("b")]), (0, pids));
        assert_eq!((new.shown("a"), new.shown("b")), (ServerState::Up, ServerState::Up));
        assert_eq!(new.count(|action| matches!(action, Action::Adopt { .. })), 2);
        assert_eq!(new.count(|action| matches!(action, Action::Settled { up: 2, failed: 0 })), 1);
    }
}

#[test]
fn after_a_leader_change_nobody_is_told_what_all_know() {
    let mut old = World::started(vec![def("a", true), def("b", false)]);
    old.pass(Duration::from_secs(1));
    let mut new = old.succeed();
    let known = ["a", "b"].map(|id| Digest::of(&new.server(id).info()));
    let known = Digest::default().with(known[0]).with(known[1]);
    let list = |world: &World, link| {
        world.sent(link, |m| matches!(m, Message::Welcome(Welcome { servers: Some(_), .. })))
    };
    adopted(&mut new, "a", true);
    let a = new.registration("a", Phase::Up);
    let a = new.register(Register { known, ..a });
    assert!(new.welcomed(a) && !list(&new, a));
    adopted(&mut new, "b", true);
    let b = new.registration("b", Phase::Up);
    let b = new.register(b);
    assert!(new.welcomed(b) && list(&new, b), "it has missed something");
    new.pass(10 * MINUTE);
    let told = |action: &Action| matches!(action, Action::Broadcast { message: Message::Servers { .. }, .. });
    assert_eq!(new.count(told), 0);
}

#[test]
fn what_a_start_wanted_to_run_and_runs_is_wanted_no_more() {
    let old = World::started(vec![def("a", false)]);
    let mut new = World::reign(2, setup(Mode::Start, vec![def("a", false)]), old.stored.clone(), true);
    let is_due = |world: &World| world.stored.as_ref().unwrap().servers[0].due;
    adopted(&mut new, "a", true);
    new.pass(Duration::from_secs(1));
    assert!(is_due(&new));
    let a = new.registration("a", Phase::Up);
    new.register(a);
    new.pass(Duration::from_secs(1));
    assert!(!is_due(&new), "a successor would launch it anew after a crash");
}

#[test]
fn pomelo_promotion_starts_what_is_missing_and_only_what_says_auto_restart() {
    let old = World::started(vec![def("a", true), def("b", false), def("c", true)]);
    let mut new = old.succeed();
    adopted(&mut new, "a", false);
    adopted(&mut new, "b", false);
    assert_eq!((new.launches("a"), new.launches("b"), new.launches("c")), (1, 0, 0));
    assert_eq!(new.shown("b"), ServerState::Failed);
    assert!(new.server("a").record.incarnation > Incarnation(1));
}

#[test]
fn an_adopted_process_that_never_registers_is_replaced_after_the_grace() {
    let old = World::started(vec![def("a", true), def("b", false)]);
    let mut new = old.succeed();
    adopted(&mut new, "a", true);
    adopted(&mut new, "b", true);
    // 6 s until it has noticed that its old master is silent, and the 3 s that every lost link has.
    new.pass(Duration::from_millis(8900));
    assert_eq!(new.orders(), 0);
    new.pass(Duration::from_millis(200));
    assert_eq!((new.signals(Signal::Terminate), new.launches("a")), (1, 0));
    assert_eq!(new.shown("b"), ServerState::Failed);
    new.crash("a");
    assert_eq!(new.launches("a"), 1);
}

#[test]
fn pomelo_stop_list_survives_a_master_change_and_is_cleared_by_start() {
    let mut old = World::started(vec![def("a", true)]);
    old.request(Request::Stop(select("a")));
    old.crash("a");
    let mut new = old.succeed();
    new.pass(10 * MINUTE);
    assert_eq!((new.launches("a"), new.shown("a")), (0, ServerState::Stopped));
    let ticket = new.request(Request::Start(select("a")));
    new.up("a");
    assert!(new.done(ticket));
    let mut third = new.succeed();
    adopted(&mut third, "a", false);
    assert_eq!(third.launches("a"), 1);
}

#[test]
fn a_stop_that_the_last_master_could_not_finish_is_finished() {
    let mut old = World::started(vec![def("a", true), def("b", true)]);
    old.request(Request::Stop(select("a")));
    old.request(Request::Stop(select("b")));
    let mut new = old.succeed();
    adopted(&mut new, "a", true);
    assert_eq!(new.signals(Signal::Terminate), 1, "it may never have heard of it");
    let register = new.registration("b", Phase::Up);
    let link = new.register(register);
    assert_eq!(new.stops(), [link]);
    new.crash("a");
    new.crash("b");
    new.pass(10 * MINUTE);
    assert_eq!((new.launches("a"), new.launches("b")), (0, 0));
}

#[test]
fn a_restart_that_the_last_master_could_not_finish_is_finished() {
    for registers in [true, false] {
        let mut old = World::started(vec![def("a", false)]);
        old.request(Request::Restart { selection: select("a"), rolling: false });
        let mut new = old.succeed();
        if registers {
            let register = new.registration("a", Phase::Stopping);
            new.register(register);
        }
        new.crash("a");
        assert_eq!((new.launches("a"), new.server("a").record.restarts), (1, 0), "due, so no crash");
    }
}

#[test]
fn failed_stays_failed_across_masters() {
    let mut old = World::started(vec![def("a", false)]);
    old.crash("a");
    let mut new = old.succeed();
    new.pass(10 * MINUTE);
    assert_eq!((new.shown("a"), new.launches("a")), (ServerState::Failed, 0));
    let mut start = World::reign(9, setup(Mode::Start, vec![def("a", false)]), new.stored.clone(), true);
    start.up("a");
    assert_eq!(start.shown("a"), ServerState::Up, "unless somebody starts the cluster");
}

#[test]
fn a_launch_that_could_not_be_recorded_is_never_repeated_under_its_number() {
    let mut old = World::started(vec![def("a", true)]);
    old.store_works = false;
    old.launches_work = false;
    old.crash("a");
    assert_eq!((old.launches("a"), old.server("a").record.incarnation), (1, Incarnation(2)));
    let mut new = old.succeed();
    adopted(&mut new, "a", false);
    assert_eq!(new.server("a").record.incarnation, Incarnation(3));
    let register = unrecorded(&new, "a", 2);
    let link = new.register(register);
    assert!(new.refused(link), "it was never welcomed, so nothing is lost with it");
}

#[test]
fn an_unrecorded_process_that_registers_in_time_is_adopted() {
    let mut old = World::started(vec![def("a", true), def("b", false)]);
    old.store_works = false;
    old.launches_work = false;
    old.crash("a");
    let mut new = World::reign(2, setup(Mode::TakeOver, vec![]), old.stored.clone(), false);
    let register = unrecorded(&new, "a", 2);
    let early = new.register(register.clone());
    assert!(!new.refused(early), "whether incarnation 1 is gone is not known yet");
    adopted(&mut new, "a", false);
    let link = new.register(register);
    new.store_works = true;
    new.answer_store(Ok(()));
    assert!(new.welcomed(link));
    assert_eq!((new.launches("a"), new.pid("a")), (0, Some(555)));
    assert_eq!(new.stored.as_ref().unwrap().servers[0].process, Some(process(555)));
    adopted(&mut new, "a", false);
    new.pass(Duration::from_secs(1));
    assert_eq!(new.launches("a"), 1, "it is watched: its end is heard of");
}

#[test]
fn an_unrecorded_process_of_a_stopped_server_is_stopped() {
    let mut old = World::started(vec![def("a", true)]);
    old.request(Request::Stop(select("a")));
    old.crash("a");
    let mut state = old.stored.clone().unwrap();
    state.servers[0].reserved = Incarnation(2);
    let mut new = World::reign(2, setup(Mode::TakeOver, vec![]), Some(state), true);
    let register = unrecorded(&new, "a", 2);
    let link = new.register(register);
    assert_eq!(new.stops(), [link]);
    new.crash("a");
    assert_eq!((new.shown("a"), new.launches("a")), (ServerState::Stopped, 0));
}

#[test]
fn added_servers_survive_a_master_change() {
    let mut old = World::started(vec![def("a", true)]);
    old.request(Request::Add(vec![def("b", true)]));
    old.up("b");
    let mut new = old.succeed();
    adopted(&mut new, "b", false);
    assert_eq!(new.launches("b"), 1);
    let start = World::reign(9, setup(Mode::Start, vec![def("a", true)]), old.stored.clone(), true);
    assert!(start.machine.index("b").is_some());
}

#[test]
fn a_start_on_what_still_runs_starts_nothing_twice() {
    let old = World::started(vec![def("a", true)]);
    let declared = vec![def("a", true), def("b", true)];
    let mut new = World::reign(2, setup(Mode::Start, declared), old.stored.clone(), true);
    assert_eq!((new.launches("a"), new.launches("b")), (0, 1));
    let register = new.registration("a", Phase::Up);
    new.register(register);
    new.pass(MINUTE);
    assert_eq!((new.launches("a"), new.shown("a")), (0, ServerState::Up));
}

#[test]
fn a_fresh_cluster_starts_only_what_was_chosen_and_the_rest_is_stopped() {
    let only = Some(vec!["b".to_string()]);
    let setup = Setup { only, ..setup(Mode::Start, vec![def("a", true), def("b", true)]) };
    let world = World::reign(1, setup, None, true);
    assert_eq!((world.launches("a"), world.launches("b")), (0, 1));
    assert_eq!(world.shown("a"), ServerState::Stopped);
}

#[test]
fn the_stored_state_survives_its_encoding() {
    let mut world = World::started(vec![def("a", true), frontend("g")]);
    world.request(Request::Stop(select("a")));
    let state = world.stored.clone().unwrap();
    assert_eq!(ClusterState::decode(&state.encode().unwrap()).unwrap(), state);
    assert!(ClusterState::decode(b"{").is_err());
    let later = String::from_utf8(state.encode().unwrap()).unwrap();
    let error =
        ClusterState::decode(later.replacen("\"format\":1", "\"format\":2", 1).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("format 2"), "{error}");
}
