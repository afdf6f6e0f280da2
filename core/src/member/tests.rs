use super::*;
use crate::config::ServerDef;
use crate::process::ProcessRef;
use alloc::string::ToString;
use alloc::vec;

fn at(ms: u64) -> Instant {
    Instant::from_boot(Duration::from_millis(ms))
}

fn agent() -> Machine {
    let register = Register {
        id: "chat-1".into(),
        incarnation: Incarnation(1),
        process: ProcessRef { host: "127.0.0.1".into(), pid: 7, start_time: 9 },
        cpus: None,
        phase: Phase::Starting,
        status: String::new(),
        epoch: Epoch(1),
        rss_bytes: 0,
        age: Duration::ZERO,
        known: Digest::default(),
    };
    Machine::new(at(0), register, 1)
}

fn leader(port: u16, epoch: u64) -> Input {
    Input::Leader(Some(LeaderInfo { id: "master".into(), host: "h".into(), port, epoch: Epoch(epoch) }))
}

fn welcome(epoch: u64, servers: Vec<ServerInfo>) -> Input {
    Input::Message(Message::Welcome(Welcome {
        epoch: Epoch(epoch),
        servers: Some(servers),
        all_started: false,
    }))
}

fn server(id: &str, incarnation: u64) -> ServerInfo {
    ServerInfo { def: ServerDef::new(id, "chat", "h"), incarnation: Incarnation(incarnation) }
}

fn connect(port: u16) -> Action {
    Action::Connect { host: "h".to_string(), port }
}

/// An agent that a master of this epoch has welcomed.
fn welcomed(epoch: u64, servers: Vec<ServerInfo>) -> Machine {
    let mut agent = agent();
    assert_eq!(agent.handle(at(0), leader(1, epoch)), [connect(1)]);
    assert!(matches!(agent.handle(at(0), Input::Connected(true))[..], [Action::Send(Message::Register(_))]));
    assert!(agent.handle(at(0), welcome(epoch, servers)).contains(&Action::Start));
    agent
}

#[test]
fn components_start_once_and_only_after_the_first_welcome() {
    let mut agent = welcomed(1, vec![]);
    assert!(agent.is_welcome());
    agent.handle(at(1), Input::Disconnected);
    agent.handle(at(100), Input::Tick);
    agent.handle(at(100), Input::Connected(true));
    assert_eq!(agent.handle(at(100), welcome(1, vec![])), []);
    assert!(agent.is_welcome());
}

#[test]
fn whoever_registers_again_says_what_it_knows_and_keeps_it_if_the_master_says_nothing_else() {
    let mut agent = welcomed(1, vec![server("a", 1), server("b", 1), server("c", 1)]);
    let added = vec![server("b", 2), server("d", 1)];
    let removed = vec![("a".into(), Incarnation(1)), ("c".into(), Incarnation(0))];
    agent.handle(at(1), Input::Message(Message::Servers { added, removed }));
    agent.handle(at(2), leader(2, 2));
    let actions = agent.handle(at(3), Input::Connected(true));
    let [Action::Send(Message::Register(register))] = &actions[..] else { panic!("{actions:?}") };
    let known = [server("b", 2), server("c", 1), server("d", 1)];
    let digest = known.iter().fold(Digest::default(), |digest, server| digest.with(Digest::of(server)));
    assert_eq!(register.known, digest);
    let same = Welcome { epoch: Epoch(2), servers: None, all_started: false };
    assert_eq!(agent.handle(at(4), Input::Message(Message::Welcome(same))), []);
    assert!(agent.is_welcome());
    assert!(agent.servers().values().eq(&known));
}

#[test]
fn it_retries_for_ever_with_a_pause_that_grows_to_five_seconds() {
    let mut agent = welcomed(1, vec![]);
    agent.handle(at(0), Input::Disconnected);
    let mut now = agent.next_deadline().unwrap();
    assert_eq!(agent.handle(now, Input::Tick), [connect(1)]);
    let mut last = Duration::ZERO;
    for _ in 0..1000 {
        assert_eq!(agent.handle(now, Input::Connected(false)), []);
        let due = agent.next_deadline().unwrap();
        last = due.saturating_since(now);
        now = due;
        assert_eq!(agent.handle(now, Input::Tick), [connect(1)]);
    }
    assert!(last >= RETRY.1 / 2 && last <= RETRY.1, "{last:?}");
}

#[test]
fn a_new_leader_is_tried_at_once_whatever_the_pause() {
    let mut agent = agent();
    agent.handle(at(0), leader(1, 1));
    for _ in 0..10 {
        agent.handle(at(0), Input::Connected(false));
    }
    assert_eq!(agent.handle(at(1), leader(2, 2)), [connect(2)]);
}

#[test]
fn pomelo_servers_read_master_json_only_but_ours_follow_the_published_leader() {
    let mut agent = welcomed(1, vec![]);
    assert_eq!(agent.handle(at(5), leader(2, 2)), [Action::Disconnect, connect(2)]);
}

#[test]
fn a_leader_of_the_past_is_not_followed_and_its_orders_are_refused() {
    let mut agent = welcomed(5, vec![]);
    assert_eq!(agent.handle(at(1), leader(9, 4)), []);
    let stop = |epoch| Input::Message(Message::Stop { epoch: Epoch(epoch), timeout: Duration::from_secs(1) });
    assert_eq!(agent.handle(at(1), stop(4)), []);
    let refused = Input::Message(Message::Refused { epoch: Epoch(4), why: "old".into() });
    assert_eq!(agent.handle(at(1), refused), [Action::Disconnect]);
    agent.handle(at(100), Input::Tick);
    agent.handle(at(100), Input::Connected(true));
    assert_eq!(agent.handle(at(100), welcome(4, vec![])), [Action::Disconnect]);
    agent.handle(at(900), Input::Tick);
    agent.handle(at(900), Input::Connected(true));
    agent.handle(at(900), welcome(5, vec![]));
    assert!(matches!(agent.handle(at(900), stop(5))[..], [Action::Stop { refused: None, .. }]));
}

#[test]
fn a_duplicate_is_told_so_and_stops() {
    let mut agent = agent();
    agent.handle(at(0), leader(1, 1));
    agent.handle(at(0), Input::Connected(true));
    let refused = Input::Message(Message::Refused { epoch: Epoch(1), why: "one too many".into() });
    assert!(matches!(agent.handle(at(0), refused)[..], [Action::Stop { refused: Some(_), .. }]));
    assert_eq!(agent.handle(at(1), Input::Disconnected), []);
    assert_eq!(agent.handle(at(60_000), leader(2, 2)), [], "it stops, and asks nobody again");
    assert_eq!(agent.next_deadline(), None);
}

#[test]
fn pomelo_736_a_late_removal_of_an_old_incarnation_is_ignored() {
    let mut agent = welcomed(1, vec![server("a", 2)]);
    let removed = |incarnation| {
        Input::Message(Message::Servers {
            added: vec![],
            removed: vec![("a".into(), Incarnation(incarnation))],
        })
    };
    assert_eq!(agent.handle(at(1), removed(1)), []);
    assert!(agent.servers().contains_key("a"));
    assert_eq!(agent.handle(at(1), removed(2)).len(), 1);
    assert!(agent.servers().is_empty());
}

#[test]
fn a_new_masters_welcome_replaces_the_list_and_reports_only_the_difference() {
    let mut agent = welcomed(1, vec![server("a", 1), server("b", 1)]);
    agent.handle(at(1), leader(2, 2));
    agent.handle(at(1), Input::Connected(true));
    let actions = agent.handle(at(1), welcome(2, vec![server("b", 1), server("c", 1)]));
    assert_eq!(actions, [Action::Servers { added: vec![server("c", 1)], removed: vec![server("a", 1)] }]);
}

#[test]
fn what_it_did_while_no_master_listened_is_in_the_next_registration() {
    let mut agent = welcomed(1, vec![]);
    agent.handle(at(1), Input::Disconnected);
    assert_eq!(agent.handle(at(1), Input::Phase(Phase::Up)), []);
    assert_eq!(agent.handle(at(1), Input::Status("12 rooms".into())), []);
    agent.handle(at(100), Input::Tick);
    let actions = agent.handle(at(100), Input::Connected(true));
    let [Action::Send(Message::Register(register))] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((register.phase, register.status.as_str()), (Phase::Up, "12 rooms"));
}

#[test]
fn once_it_has_heard_of_a_later_leader_an_earlier_one_is_of_the_past() {
    let mut agent = welcomed(1, vec![]);
    agent.handle(at(1), leader(3, 3));
    assert_eq!(agent.epoch(), Epoch(3));
    assert_eq!(agent.handle(at(2), leader(2, 2)), [], "the news came late");
    agent.handle(at(2), Input::Connected(true));
    assert_eq!(agent.handle(at(2), welcome(2, vec![])), [Action::Disconnect]);
}

#[test]
fn a_late_answer_to_an_attempt_that_was_given_up_changes_nothing() {
    let mut agent = welcomed(1, vec![]);
    assert_eq!(agent.handle(at(1), Input::Connected(true)), []);
    assert_eq!(agent.handle(at(1), Input::Connected(false)), []);
    assert!(agent.is_welcome());
    agent.handle(at(1), Input::Disconnected);
    let due = agent.next_deadline();
    agent.handle(at(2), Input::Disconnected);
    agent.handle(at(2), Input::Connected(true));
    assert_eq!(agent.next_deadline(), due);
}

#[test]
fn a_process_that_no_master_knows_goes_and_one_that_was_welcomed_stays_for_ever() {
    let mut unknown = agent();
    assert_eq!(unknown.handle(at(0), Input::Leader(None)), []);
    assert_eq!(unknown.next_deadline(), Some(at(60_000)));
    assert_eq!(unknown.handle(at(59_999), Input::Tick), []);
    let actions = unknown.handle(at(60_000), Input::Tick);
    assert!(matches!(actions[..], [Action::Stop { refused: Some(_), .. }]), "{actions:?}");
    assert_eq!(unknown.handle(at(60_001), leader(1, 1)), []);
    assert_eq!(unknown.next_deadline(), None);

    let mut known = welcomed(1, vec![]);
    known.handle(at(1), Input::Disconnected);
    assert_eq!(known.handle(at(10_000_000), Input::Tick), [connect(1)]);
}
