use super::*;
use serde_json::Value;

const HANDSHAKE: Package<'_> = Package { kind: PackageType::Handshake, body: br#"{"sys":{},"user":{}}"# };
const ACK: Package<'_> = Package { kind: PackageType::HandshakeAck, body: b"" };
const HEARTBEAT: Package<'_> = Package { kind: PackageType::Heartbeat, body: b"" };
const REQUEST: Package<'_> = Package { kind: PackageType::Data, body: b"\x00\x01\x01r{}" };

fn at(ms: u64) -> Instant {
    Instant::from_boot(Duration::from_millis(ms))
}

fn new(settings: Settings) -> Connection {
    Connection::new(at(0), Arc::new(settings))
}

fn working(settings: Settings) -> Connection {
    let mut client = new(settings);
    assert!(matches!(client.handle(at(0), HANDSHAKE), Action::Handshake(_)));
    assert!(client.accept());
    assert!(matches!(client.handle(at(0), ACK), Action::Working { .. }));
    client
}

#[test]
fn a_client_comes_in_and_the_server_beats_first() {
    let mut client = new(Settings::default());
    assert_eq!(client.max_body(), 16 << 10);
    let Action::Handshake(request) = client.handle(at(1), HANDSHAKE) else { panic!("{client:?}") };
    assert_eq!(request.user, Value::Object(Default::default()));
    assert!(client.accept());
    assert!(!client.accept(), "once is enough");
    assert_eq!(client.handle(at(2), ACK), Action::Working { heartbeat: true });
    assert!(client.is_working());
    assert_eq!(client.max_body(), 64 << 10);
    let Action::Message(message) = client.handle(at(3), REQUEST) else { panic!("{client:?}") };
    assert_eq!((message.id, message.body), (Some(1), &b"{}"[..]));
    assert_eq!(client.handle(at(4), HEARTBEAT), Action::Heartbeat, "each is answered at once");
}

#[test]
fn without_heartbeats_none_is_sent_and_silence_is_borne() {
    let mut client = new(Settings { heartbeat: None, ..Settings::default() });
    client.handle(at(0), HANDSHAKE);
    assert!(client.accept());
    assert_eq!(client.handle(at(0), ACK), Action::Working { heartbeat: false });
    assert_eq!(client.handle(at(0), HEARTBEAT), Action::Nothing);
    assert_eq!((client.next_deadline(), client.poll(at(1 << 40))), (None, None));
}

#[test]
fn a_client_that_does_not_finish_its_handshake_is_closed_after_10_s() {
    let mut slow = new(Settings::default());
    for step in 0..3 {
        assert_eq!(slow.next_deadline(), Some(at(10_000)), "{step}");
        assert_eq!(slow.poll(at(9_999)), None);
        let mut dead = slow.clone();
        assert_eq!(dead.poll(at(10_000)), Some(CloseReason::HandshakeTimeout));
        assert!(!dead.accept(), "the application's answer is too late");
        match step {
            0 => drop(slow.handle(at(5_000), HANDSHAKE)),
            _ => drop(slow.accept()),
        }
    }
}

#[test]
fn any_package_is_a_sign_of_life() {
    let mut client = working(Settings::default());
    for (time, package) in [(50_000, REQUEST), (100_000, HEARTBEAT), (150_000, HANDSHAKE)] {
        assert_eq!(client.poll(at(time)), None);
        client.handle(at(time), package);
        assert_eq!(client.next_deadline(), Some(at(time + 60_000)));
    }
    assert_eq!(client.poll(at(209_999)), None);
    assert_eq!(client.poll(at(210_000)), Some(CloseReason::HeartbeatTimeout));
    assert_eq!((client.next_deadline(), client.poll(at(300_000))), (None, None));
}

#[test]
fn a_server_that_was_frozen_for_100_s_does_not_close_its_clients_for_it() {
    let mut client = working(Settings::default());
    client.slept(at(100_010), Duration::from_secs(100));
    assert_eq!(client.poll(at(100_010)), None);
    assert_eq!(client.next_deadline(), Some(at(160_000)));
    client.slept(at(100_010), Duration::from_secs(1 << 40));
    assert_eq!(client.next_deadline(), Some(at(160_010)), "never later than from now on");
}

#[test]
fn what_does_not_belong_to_the_state_is_ignored_until_it_is_a_flood() {
    let mut client = new(Settings::default());
    for package in [ACK, HEARTBEAT, REQUEST] {
        assert_eq!(client.handle(at(0), package), Action::Nothing);
    }
    client.handle(at(0), HANDSHAKE);
    for package in [HANDSHAKE, ACK, HEARTBEAT, REQUEST] {
        assert_eq!(client.handle(at(0), package), Action::Nothing);
    }
    assert!(client.accept());
    for package in [HANDSHAKE, HEARTBEAT, REQUEST] {
        assert_eq!(client.handle(at(0), package), Action::Nothing);
    }
    client.handle(at(0), ACK);
    for n in 10..32 {
        assert_eq!(client.handle(at(0), HANDSHAKE), Action::Nothing, "{n}");
    }
    assert_eq!(client.handle(at(0), HANDSHAKE), Action::Close(CloseReason::Flood));
    assert_eq!(client.handle(at(0), REQUEST), Action::Close(CloseReason::Flood), "nothing is done any more");
}

#[test]
fn idle_packages_are_forgotten_ten_a_second() {
    let mut client = working(Settings { max_idle: 3, ..Settings::default() });
    for tenth in 0..100 {
        assert_eq!(client.handle(at(tenth * 100), HEARTBEAT), Action::Heartbeat, "{tenth}");
    }
    for (time, expected) in [
        (9_999, Action::Heartbeat),
        (9_999, Action::Heartbeat),
        (10_000, Action::Heartbeat),
        (10_050, Action::Close(CloseReason::Flood)),
    ] {
        assert_eq!(client.handle(at(time), HEARTBEAT), expected, "{time}");
    }
    // At a hundred beats a second twice as many may come.
    let fast = Settings { heartbeat: Some(Duration::from_millis(10)), max_idle: 3, ..Settings::default() };
    let mut client = working(fast);
    for beat in 0..1000 {
        assert_eq!(client.handle(at(beat * 5), HEARTBEAT), Action::Heartbeat, "{beat}");
    }
}

#[test]
fn messages_are_no_idle_packages() {
    let mut client = working(Settings::default());
    for _ in 0..10_000 {
        assert!(matches!(client.handle(at(0), REQUEST), Action::Message(_)));
    }
    let response = Package { kind: PackageType::Data, body: b"\x04\x01{}" };
    for _ in 0..32 {
        assert_eq!(client.handle(at(0), response), Action::Nothing, "only servers send it");
    }
    assert_eq!(client.handle(at(0), response), Action::Close(CloseReason::Flood));
}

#[test]
fn what_makes_no_sense_closes() {
    let broken = Package { kind: PackageType::Handshake, body: b"{" };
    let refused = Action::Close(CloseReason::Refused(Refusal::Failed));
    assert_eq!(new(Settings::default()).handle(at(0), broken), refused);
    let kick = Package { kind: PackageType::Kick, body: b"" };
    let unexpected = CloseReason::Unexpected(PackageType::Kick);
    assert_eq!(new(Settings::default()).handle(at(0), kick), Action::Close(unexpected));
    let empty = Package { kind: PackageType::Data, body: b"" };
    let malformed = CloseReason::Malformed(DecodeError::Truncated);
    assert_eq!(working(Settings::default()).handle(at(0), empty), Action::Close(malformed));
}

#[test]
fn the_first_reason_stays() {
    let mut client = working(Settings::default());
    assert_eq!(client.close(CloseReason::Slow), CloseReason::Slow);
    assert_eq!(client.close(CloseReason::ByClient), CloseReason::Slow);
    assert_eq!(client.refuse(Refusal::OldClient), CloseReason::Slow);
    assert_eq!(client.malformed(DecodeError::Truncated), CloseReason::Slow);
    assert_eq!((client.closed(), client.is_working()), (Some(CloseReason::Slow), false));
    assert_eq!(kick_body("he \"spams\""), br#"{"reason":"he \"spams\""}"#);
}
