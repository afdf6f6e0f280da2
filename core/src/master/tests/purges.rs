//! Law 12: when a life of a frontend is over, its members are purged, by id and incarnation.

use super::*;
use crate::channel::Frontend;

/// A frontend that nobody restarts.
fn gate(id: &str) -> ServerDef {
    ServerDef { auto_restart: false, ..frontend(id) }
}

fn purging(mode: Mode, declared: Vec<ServerDef>) -> Setup {
    Setup { purges: true, ..setup(mode, declared) }
}

/// A cluster of these servers, all up, whose leader purges.
fn started(declared: Vec<ServerDef>) -> World {
    let ids: Vec<String> = declared.iter().map(|def| def.id.clone()).collect();
    let mut world = World::reign(1, purging(Mode::Start, declared), None, true);
    ids.iter().for_each(|id| _ = world.up(id));
    world.pass(Duration::from_secs(1));
    world
}

/// The next reign, a moment after it has begun.
fn reign(world: &World, mode: Mode, declared: Vec<ServerDef>) -> World {
    let setup = purging(mode, declared);
    let mut next = World::reign(world.machine.epoch.0 + 1, setup, world.stored.clone(), true);
    next.pass(Duration::from_millis(10));
    next
}

fn succeed(world: &World) -> World {
    reign(world, Mode::TakeOver, vec![])
}

/// Somebody starts the cluster with these servers.
fn start_again(world: &World, declared: Vec<ServerDef>) -> World {
    reign(world, Mode::Start, declared)
}

impl World {
    /// What was to be purged, in order.
    fn purges(&self) -> Vec<(&str, u64)> {
        let purges = self.log.iter().filter_map(|action| match action {
            Action::Purge(Frontend { sid, incarnation }) => Some((&**sid, incarnation.0)),
            _ => None,
        });
        purges.collect()
    }

    fn purged(&mut self, sid: &str, incarnation: u64) {
        self.feed(Input::Purged(Frontend { sid: sid.into(), incarnation: Incarnation(incarnation) }));
        self.pass(Duration::from_millis(10));
    }

    /// What `list` shows.
    fn outstanding(&self) -> Vec<(String, u64)> {
        let rows = self.machine.listing(self.now).channels.expect("there are channels").purges;
        rows.into_iter().map(|row| (row.id, row.incarnation.0)).collect()
    }

    /// The process of a server that was stopped ends, and so on, until the cluster has.
    fn end(&mut self, ids: &[&str]) {
        self.request(Request::Stop(Selection::default()));
        for id in ids {
            self.crash(id);
        }
        self.pass(MINUTE);
        assert_eq!(self.exits(), 1);
    }
}

#[test]
fn a_frontend_that_dies_is_purged_once_that_is_stored_and_a_backend_is_not() {
    let mut world = started(vec![gate("g"), def("a", false)]);
    assert!(world.purges().is_empty() && world.outstanding().is_empty());
    world.store_works = false;
    world.crash("a");
    world.crash("g");
    world.pass(MINUTE);
    assert_eq!((world.purges(), world.outstanding()), (vec![], vec![("g".into(), 1)]));
    world.answer_store(Err(unavailable()));
    world.pass(MINUTE);
    assert!(world.purges().is_empty());
    world.answer_store(Ok(()));
    assert_eq!(world.purges(), [("g", 1)]);
    assert_eq!(world.stored.as_ref().unwrap().servers[0].process, None);
    world.store_works = true;
    world.purged("g", 1);
    world.pass(MINUTE);
    assert_eq!((world.purges(), world.outstanding()), (vec![("g", 1)], vec![]));
    assert_eq!(world.stored.as_ref().unwrap().servers[0].purged, Incarnation(1));
    assert!(succeed(&world).purges().is_empty(), "it is done");
}

#[test]
fn a_restart_does_not_wait_for_a_purge_and_the_end_of_a_life_needs_one_store() {
    let mut world = started(vec![frontend("g")]);
    world.store_works = false;
    world.crash("g");
    assert_eq!((world.launches("g"), world.purges()), (2, vec![]));
    assert!(world.held.is_none(), "what follows is gathered with it");
    world.pass(Duration::from_millis(10));
    world.answer_store(Ok(()));
    assert_eq!(world.purges(), [("g", 1)]);
}

#[test]
fn a_later_death_covers_the_earlier_one() {
    let mut world = started(vec![frontend("g")]);
    world.crash("g");
    world.pass(Duration::from_millis(10));
    world.crash("g");
    world.pass(Duration::from_millis(10));
    assert_eq!((world.purges(), world.outstanding()), (vec![("g", 1), ("g", 2)], vec![("g".into(), 2)]));
    world.purged("g", 1);
    assert_eq!(world.outstanding(), [("g".into(), 2)], "the answer to the earlier one is not the later's");
    world.purged("g", 2);
    assert!(world.outstanding().is_empty());
}

#[test]
fn a_stopped_frontend_is_purged_too() {
    let mut world = started(vec![frontend("g"), def("a", true)]);
    world.request(Request::Stop(select("g")));
    assert!(world.purges().is_empty(), "it still runs");
    world.crash("g");
    world.pass(Duration::from_millis(10));
    assert_eq!(world.purges(), [("g", 1)]);
}

#[test]
fn past_its_deadline_a_leader_purges_nothing_and_its_successor_does() {
    let mut world = started(vec![gate("g")]);
    world.feed(Input::Leadership { state: LeadershipState::Suspended, deadline: world.now });
    world.crash("g");
    world.pass(MINUTE);
    assert!(world.purges().is_empty());
    let mut next = succeed(&world);
    assert!(next.purges().is_empty(), "it may live");
    next.feed(Input::Adopted { id: "g".into(), incarnation: Incarnation(1), alive: false });
    next.pass(Duration::from_millis(10));
    assert_eq!(next.purges(), [("g", 1)]);
}

#[test]
fn what_a_leader_has_not_done_its_successor_does() {
    let mut world = started(vec![gate("g"), frontend("h"), frontend("i")]);
    world.crash("g");
    world.crash("h");
    world.pass(Duration::from_millis(10));
    assert_eq!(world.purges(), [("g", 1), ("h", 1)]);
    let mut next = succeed(&world);
    assert_eq!(next.purges(), [("g", 1), ("h", 1)], "and the lives that may still go on are left alone");
    assert_eq!(next.outstanding(), [("g".into(), 1), ("h".into(), 1)]);
    next.purged("g", 1);
    next.purged("h", 1);
    assert!(succeed(&next).purges().is_empty());
}

#[test]
fn a_life_that_is_reserved_may_still_begin_and_is_not_purged() {
    let mut world = started(vec![gate("g")]);
    assert_eq!(world.stored.as_ref().unwrap().servers[0].reserved, Incarnation(2));
    world.crash("g");
    world.pass(Duration::from_millis(10));
    let mut next = succeed(&world);
    assert_eq!(next.purges(), [("g", 1)]);
    next.request(Request::Start(select("g")));
    assert_eq!(next.server("g").record.incarnation, Incarnation(3));
    next.up("g");
    next.pass(MINUTE);
    assert_eq!(next.purges(), [("g", 1)]);
}

#[test]
fn a_leader_without_shared_channels_purges_nothing_and_one_that_has_them_again_does() {
    let mut world = World::started(vec![gate("g")]);
    world.crash("g");
    world.pass(MINUTE);
    assert!(world.purges().is_empty() && world.machine.listing(world.now).channels.is_none());
    assert_eq!(succeed(&world).purges(), [("g", 1)]);
}

#[test]
fn a_frontend_that_is_declared_no_longer_is_not_forgotten_before_it_is_purged() {
    let mut world = started(vec![gate("g"), def("a", true)]);
    world.crash("g");
    world.pass(Duration::from_millis(10));
    let rest = vec![def("a", true)];
    let without = start_again(&world, rest.clone());
    assert!(without.machine.index("g").is_none());
    assert_eq!(without.purges(), [("g", 2)], "also what was reserved: nobody launches it any more");
    let mut next = succeed(&without);
    assert_eq!((next.purges(), next.outstanding()), (vec![("g", 2)], vec![("g".into(), 2)]));
    next.purged("g", 2);
    assert!(succeed(&next).purges().is_empty());
    let back = start_again(&next, vec![gate("g"), def("a", true)]);
    assert_eq!(back.server("g").record.incarnation, Incarnation(3), "its lives go on");
    let mut added = succeed(&next);
    added.request(Request::Add(vec![gate("g")]));
    assert_eq!(added.server("g").record.incarnation, Incarnation(3), "its lives go on");
}

#[test]
fn a_frontend_that_becomes_a_backend_is_purged_all_the_same() {
    let mut world = started(vec![gate("g")]);
    world.crash("g");
    world.pass(Duration::from_millis(10));
    let next = start_again(&world, vec![def("g", false)]);
    assert_eq!(next.purges(), [("g", 1)]);
}

#[test]
fn lives_go_on_after_the_end_of_a_cluster_or_the_store_would_refuse_the_next_one() {
    let mut world = started(vec![frontend("g"), def("a", true)]);
    world.end(&["g", "a"]);
    let mut stored = world.stored.clone().unwrap();
    assert!(stored.ended && stored.servers.is_empty());
    assert_eq!(stored.past["g"].incarnation, Incarnation(2));
    assert!(!stored.past.contains_key("a"));
    // Whoever has not heard of the end takes it for history.
    stored.ended = false;
    world.stored = Some(stored);
    for mode in [Mode::Start, Mode::TakeOver] {
        let mut next = reign(&world, mode, vec![frontend("g")]);
        assert_eq!(next.server("g").record.incarnation, Incarnation(3));
        assert_eq!(next.purges(), [("g", 2)], "what the end has left");
        next.up("g");
        next.purged("g", 2);
        assert!(next.machine.past.is_empty() && next.outstanding().is_empty());
    }
}

#[test]
fn the_end_of_a_cluster_gives_purges_a_moment_and_not_more() {
    let mut world = started(vec![frontend("g")]);
    world.request(Request::Stop(Selection::default()));
    world.crash("g");
    world.pass(Duration::from_millis(100));
    assert_eq!((world.purges(), world.exits()), (vec![("g", 1)], 0));
    let mut in_time = succeed(&world);
    assert_eq!((in_time.purges(), in_time.exits()), (vec![("g", 1)], 0), "it carries the end through");
    in_time.purged("g", 1);
    assert_eq!(in_time.exits(), 1);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.exits(), 1);
    let past = world.stored.as_ref().unwrap().past["g"];
    assert!(past.purged < Incarnation(1), "the next cluster purges it");
}

#[test]
fn a_state_of_before_purges_is_read_and_what_it_knows_is_over_is_purged() {
    let mut world = started(vec![gate("g")]);
    world.crash("g");
    world.pass(Duration::from_millis(10));
    let text = String::from_utf8(world.stored.as_ref().unwrap().encode().unwrap()).unwrap();
    let old = text.replace(r#","fronted":true,"purged":0"#, "").replace(r#","past":{}"#, "");
    assert!(!old.contains("purged") && !old.contains("past"), "{old}");
    world.stored = Some(ClusterState::decode(old.as_bytes()).unwrap());
    assert_eq!(succeed(&world).purges(), [("g", 1)]);
}

#[test]
fn what_has_left_the_cluster_is_bounded() {
    let mut world = started(vec![def("a", true)]);
    for n in 0..=crate::config::MAX_SERVERS {
        let mut record = ServerRecord::new(gate(&format!("g{n:05}")));
        (record.incarnation, record.reserved) = (Incarnation(1), Incarnation(1));
        record.purged = Incarnation(u64::from(n == 7));
        world.machine.bury(&record);
    }
    assert_eq!(world.machine.past.len(), crate::config::MAX_SERVERS);
    assert!(!world.machine.past.contains_key("g00007"), "what is done goes first");
}
