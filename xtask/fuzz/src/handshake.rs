//! A client that sends what it likes, when it likes: handshakes, and everything that a connection
//! may be told.

use core::time::Duration;
use serde_json::Value;
use std::sync::Arc;
use tangelo_core::Instant;
use tangelo_core::client::connection::kick_body;
use tangelo_core::client::{
    Accept, Action, CloseReason, Connection, DecodeError, Dictionary, HandshakeRequest, Message, MessageKind,
    Package, PackageType, Protobuf, Protos, Refusal, Settings, State,
};

/// Plays `bytes` as what happens to a connection, one step after the other.
pub(crate) fn run(bytes: &[u8]) {
    shaken(bytes);
    let mut steps = Steps(bytes);
    let settings = Arc::new(settings(&mut steps));
    let mut now = Instant::from_boot(Duration::from_secs(1));
    let mut client = Connection::new(now, Arc::clone(&settings));
    let mut beats = 0;
    while let Some(step) = steps.byte() {
        let before = client.state();
        match step % 8 {
            0 => {
                now = now + Duration::from_millis(u64::from(steps.byte().unwrap_or(0)).pow(3));
                beats = 0;
            }
            1 => {
                let deadline = client.next_deadline();
                let closed = client.poll(now);
                assert_eq!(closed.is_some(), deadline.is_some_and(|deadline| now >= deadline));
                assert_eq!(closed, closed.and_then(|_| client.closed()));
            }
            2 => {
                let accepted = client.accept();
                assert_eq!(accepted, before == State::Asked);
                assert!(!accepted || client.state() == State::WaitAck);
            }
            3 => ended(&mut client, steps.byte().unwrap_or(0)),
            4 => client.slept(now, Duration::from_secs(u64::from(steps.byte().unwrap_or(0)))),
            _ => beats += handle(&mut client, &settings, now, &mut steps),
        }
        assert!(beats <= settings.max_idle, "heartbeats at one moment are bounded");
        if let State::Closed(_) = before {
            assert_eq!(client.state(), before, "what is closed stays closed, for the first reason");
        }
        if let Some(deadline) = client.next_deadline() {
            assert!(deadline <= now + settings.timeout.max(settings.handshake_timeout));
        }
    }
}

/// Gives the connection a package; how many heartbeats it answers with.
fn handle(client: &mut Connection, settings: &Settings, now: Instant, steps: &mut Steps<'_>) -> u32 {
    let before = client.state();
    let kind = PackageType::from_byte(steps.byte().unwrap_or(0) % 5 + 1).expect("a type");
    let body = steps.body();
    match client.handle(now, Package { kind, body }) {
        Action::Nothing => assert!(client.closed().is_none()),
        Action::Handshake(request) => {
            assert_eq!((before, client.state()), (State::Inited, State::Asked));
            assert_eq!(HandshakeRequest::parse(body), Ok(request));
        }
        Action::Working { heartbeat } => {
            assert_eq!((before, client.state()), (State::WaitAck, State::Working));
            assert_eq!(heartbeat, settings.heartbeat.is_some());
        }
        Action::Heartbeat => {
            assert_eq!((before, client.state()), (State::Working, State::Working));
            return 1;
        }
        Action::Message(message) => {
            assert_eq!(before, State::Working);
            assert!(matches!(message.kind, MessageKind::Request | MessageKind::Notify));
            assert_eq!(Message::decode(body), Ok(message));
        }
        Action::Close(reason) => {
            assert_eq!(client.state(), State::Closed(reason));
            assert!(!reason.name().is_empty());
        }
    }
    0
}

fn ended(client: &mut Connection, how: u8) {
    let first = client.closed();
    let reason = match how % 4 {
        0 => client.close(CloseReason::ByClient),
        1 => client.refuse(Refusal::OldClient),
        2 => client.malformed(DecodeError::Truncated),
        _ => client.close(CloseReason::Kicked),
    };
    assert_eq!(Some(reason), client.closed());
    assert!(first.is_none_or(|first| first == reason));
    let body: Value = serde_json::from_slice(&kick_body(reason.name())).expect("JSON");
    assert_eq!(body["reason"], reason.name());
}

/// Whatever the client says, the answer is JSON that says what it should.
fn shaken(bytes: &[u8]) {
    let Ok(request) = HandshakeRequest::parse(bytes) else { return };
    let dictionary = Dictionary::new(["chat.chatHandler.send"], ["onChat"]);
    let protobuf = Protobuf::new(Protos::default(), Protos::default());
    let accept = Accept::new(Some(Duration::from_millis(2500)), Some(&dictionary), Some(&protobuf));
    let body = accept.body(&request, Some(&request.user));
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&body["code"], &body["sys"]["heartbeat"]), (&200.into(), &2.5.into()));
    let known = request.dict_version().as_deref() == Some(dictionary.version());
    assert_eq!(body["sys"].get("dict").is_none(), known);
    let _ = (request.client_type(), request.client_version(), request.proto_version());
}

fn settings(steps: &mut Steps<'_>) -> Settings {
    let choice = steps.byte().unwrap_or(0);
    let seconds = |byte: Option<u8>| Duration::from_secs(u64::from(byte.unwrap_or(0)));
    Settings {
        heartbeat: (choice & 1 == 0).then(|| Duration::from_millis(u64::from(choice) * 100)),
        timeout: seconds(steps.byte()),
        handshake_timeout: seconds(steps.byte()),
        max_idle: u32::from(choice >> 4),
        ..Settings::default()
    }
}

/// What is left of the input.
struct Steps<'a>(&'a [u8]);

impl<'a> Steps<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// A body: one of those that come often, or what follows.
    fn body(&mut self) -> &'a [u8] {
        match self.byte().unwrap_or(0) {
            0 => b"",
            1 => br#"{"sys":{"type":"js-websocket","version":"0.0.1"},"user":{}}"#,
            2 => b"\x00\x01\x01r{}",
            length => {
                let (body, rest) = self.0.split_at(usize::from(length).min(self.0.len()));
                self.0 = rest;
                body
            }
        }
    }
}
