//! Law 5: at most one incarnation of an id is registered.

use super::*;

#[test]
fn pomelo_duplicate_id_is_refused_and_the_healthy_one_stays() {
    let mut world = World::started(vec![def("a", true)]);
    let healthy = world.server("a").link.unwrap();
    let pid = world.pid("a");
    let mut other = world.registration("a", Phase::Starting);
    other.process = process(999);
    let link = world.register(other);
    assert!(world.refused(link) && !world.welcomed(link));
    world.feed(Input::LinkClosed { link, silent: false });
    world.pass(MINUTE);
    assert_eq!(
        (world.server("a").link, world.pid("a"), world.shown("a")),
        (Some(healthy), pid, ServerState::Up)
    );
    assert_eq!(world.count(|action| matches!(action, Action::Broadcast { .. })), 0);
}

#[test]
fn strangers_and_ghosts_are_refused() {
    let mut world = World::started(vec![def("a", true)]);
    world.crash("a");
    world.up("a");
    let real = world.registration("a", Phase::Starting);
    let unknown = Register { id: "zzz".into(), ..real.clone() };
    let old = Register { incarnation: Incarnation(1), process: process(1), ..real.clone() };
    let next = Register { incarnation: Incarnation(3), process: process(3), ..real.clone() };
    let far = Register { incarnation: Incarnation(999), process: process(4), ..real };
    for register in [unknown, old, next, far] {
        let link = world.register(register.clone());
        assert!(world.refused(link), "{register:?}");
    }
    assert_eq!(world.shown("a"), ServerState::Up);
}

#[test]
fn nobody_takes_the_place_of_a_server_that_is_down() {
    let mut world = World::started(vec![def("a", true)]);
    let register = world.registration("a", Phase::Up);
    world.request(Request::Stop(select("a")));
    world.crash("a");
    let ghost = world.register(register.clone());
    let next = world.register(Register { incarnation: Incarnation(2), process: process(2), ..register });
    assert!(world.refused(ghost) && world.refused(next));
    assert_eq!(world.shown("a"), ServerState::Stopped);
}

/// A server whose second launch is not answered yet, and what its process would register with.
fn launching(pid: u64) -> (World, Register) {
    let mut world = World::start(vec![def("a", true)]);
    world.launches_work = false;
    world.crash("a");
    world.pass(Duration::from_millis(500));
    let register = Register {
        id: "a".into(),
        incarnation: Incarnation(2),
        process: process(pid),
        cpus: None,
        phase: Phase::Starting,
        status: String::new(),
        epoch: Epoch(0),
        rss_bytes: 0,
        age: Duration::ZERO,
        known: Digest::default(),
    };
    (world, register)
}

fn launched(result: Result<ProcessRef>) -> Input {
    Input::Launched { id: "a".into(), incarnation: Incarnation(2), result }
}

#[test]
fn a_process_that_registers_before_its_launch_is_answered_waits_for_the_answer() {
    let (mut world, register) = launching(50);
    let link = world.register(register);
    assert!(!world.welcomed(link));
    world.feed(launched(Ok(process(50))));
    assert!(world.welcomed(link));
    world.says(link, Phase::Up);
    assert_eq!((world.shown("a"), world.pid("a")), (ServerState::Up, Some(50)));
    assert_eq!(world.count(|action| matches!(action, Action::Adopt { .. })), 0, "its launcher watches it");
}

#[test]
fn whoever_pretends_to_be_what_is_being_launched_never_works() {
    let (mut world, register) = launching(66);
    let impostor = world.register(register);
    world.feed(launched(Ok(process(51))));
    assert!(world.refused(impostor) && !world.welcomed(impostor));
    world.up("a");
    assert_eq!((world.shown("a"), world.pid("a")), (ServerState::Up, Some(51)));
}

#[test]
fn a_process_whose_launch_was_answered_with_an_error_is_kept_and_watched() {
    let (mut world, register) = launching(50);
    let link = world.register(register);
    world.feed(launched(Err(Error::new(ErrorKind::Timeout, "ssh did not answer"))));
    assert!(world.welcomed(link));
    assert_eq!(world.count(|action| matches!(action, Action::Adopt { .. })), 1);
    world.feed(Input::Adopted { id: "a".into(), incarnation: Incarnation(2), alive: true });
    world.says(link, Phase::Up);
    world.pass(MINUTE);
    assert_eq!((world.shown("a"), world.pid("a"), world.launches("a")), (ServerState::Up, Some(50), 2));
}

#[test]
fn an_early_process_that_goes_again_is_forgotten() {
    let (mut world, register) = launching(50);
    let first = world.register(register);
    world.feed(Input::LinkClosed { link: first, silent: false });
    world.feed(launched(Ok(process(50))));
    assert!(!world.welcomed(first));
    let (mut world, register) = launching(50);
    let first = world.register(register.clone());
    let second = world.register(register);
    assert_eq!(world.count(|a| matches!(a, Action::Close { link, .. } if *link == first)), 1);
    world.feed(launched(Ok(process(50))));
    assert!(world.welcomed(second));
}

#[test]
fn the_end_of_an_old_link_does_not_touch_the_new_one() {
    let mut world = World::started(vec![def("a", true)]);
    let old = world.server("a").link.unwrap();
    let new = world.register(world.registration("a", Phase::Up));
    assert_eq!(world.count(|a| matches!(a, Action::Close { link, .. } if *link == old)), 1);
    world.feed(Input::LinkClosed { link: old, silent: false });
    world.says(old, Phase::Stopping);
    world.pass(MINUTE);
    assert_eq!((world.server("a").link, world.shown("a"), world.orders()), (Some(new), ServerState::Up, 0));
}

#[test]
fn a_server_that_links_anew_is_not_withdrawn_meanwhile() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.pass(Duration::from_secs(1));
    world.log.clear();
    world.close("a", false);
    world.register(world.registration("a", Phase::Up));
    world.pass(MINUTE);
    let removed = |action: &Action| matches!(action, Action::Broadcast { message: Message::Servers { removed, .. }, .. } if !removed.is_empty());
    assert_eq!(world.count(removed), 0);
}

#[test]
fn a_link_stands_for_one_server() {
    let mut world = World::start(vec![def("a", true), def("b", true)]);
    let link = world.up("a");
    let message = Message::Register(world.registration("b", Phase::Up));
    world.feed(Input::Member { link, message });
    assert_eq!(world.count(|a| matches!(a, Action::Close { link: l, .. } if *l == link)), 1);
    assert_eq!(world.server("b").link, None);
    world.feed(Input::LinkClosed { link, silent: false });
    assert!(matches!(world.server("a").run, Run::Unlinked { .. }));
}

#[test]
fn what_a_server_says_before_its_welcome_is_acted_on_after_it() {
    let mut world = World::start(vec![def("a", true)]);
    // The next incarnation is on record.
    world.pass(Duration::from_secs(1));
    world.store_works = false;
    world.crash("a");
    let link = world.register(world.registration("a", Phase::Starting));
    world.says(link, Phase::Up);
    assert_eq!(world.shown("a"), ServerState::Starting);
    world.store_works = true;
    world.answer_store(Ok(()));
    assert!(world.welcomed(link));
    assert_eq!(world.shown("a"), ServerState::Up);
}

#[test]
fn a_newcomer_hears_of_everybody_and_everybody_of_the_newcomer() {
    let mut world = World::started(vec![def("a", true), def("b", true)]);
    world.pass(Duration::from_secs(1));
    world.crash("a");
    world.log.clear();
    let a = world.up("a");
    assert!(
        world.sent(
            a,
            |m| matches!(m, Message::Welcome(Welcome { servers: Some(s), .. }) if s.len() == 1 && s[0].def.id == "b")
        )
    );
    world.pass(Duration::from_secs(1));
    let news = world.log.iter().find_map(|action| match action {
        Action::Broadcast { message: Message::Servers { added, .. }, .. } => Some(added.clone()),
        _ => None,
    });
    assert_eq!(news.unwrap()[0].incarnation, Incarnation(2));
}
