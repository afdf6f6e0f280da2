//! A client comes in, asks, and is told something in protobuf.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde_json::json;
use tangelo_core::Instant;
use tangelo_core::client::connection::{Action, CloseReason, Connection, Settings};
use tangelo_core::client::{
    Accept, Dictionary, Message, Package, PackageType, Protobuf, Protos, Route, package,
};

/// Serves it; says what came of it.
pub(crate) fn served() -> String {
    let start = Instant::from_boot(Duration::from_secs(1));
    let settings = Arc::new(Settings::default());
    let mut client = Connection::new(start, Arc::clone(&settings));
    let dictionary = Dictionary::new(["chat.chatHandler.send"], ["onMove"]);
    let moves = json!({"onMove": {"required uInt32 x": 1, "repeated string names": 2}});
    let protobuf = Protobuf::new(Protos::parse(&moves).expect("definitions"), Protos::default());

    let hello = Package { kind: PackageType::Handshake, body: br#"{"sys":{"type":"c"}}"# };
    let Action::Handshake(request) = client.handle(start, hello) else { panic!("{client:?}") };
    assert!(client.accept());
    let told = Accept::new(settings.heartbeat, Some(&dictionary), Some(&protobuf)).body(&request, None);
    let acknowledged = Package { kind: PackageType::HandshakeAck, body: b"" };
    assert_eq!(client.handle(start, acknowledged), Action::Working { heartbeat: true });

    let mut asked = Vec::new();
    Message::request(1, Route::Code(1), b"{}").encode_into(&mut asked).expect("a message");
    let action = client.handle(start, Package { kind: PackageType::Data, body: &asked });
    let Action::Message(Message { id: Some(1), route: Some(Route::Code(code)), .. }) = action else {
        panic!("{action:?}");
    };
    assert_eq!(dictionary.route(code), Some("chat.chatHandler.send"));

    let body = protobuf.server().encode("onMove", &json!({"x": 300, "names": ["ann"]})).expect("a body");
    let code = dictionary.code("onMove").expect("a code");
    let (mut push, mut sent) = (Vec::new(), Vec::new());
    Message::push(Route::Code(code), &body).encode_into(&mut push).expect("a message");
    package::encode_into(&mut sent, PackageType::Data, &push).expect("a package");
    assert_eq!(sent, b"\x04\0\0\x0B\x07\0\x02\x08\xAC\x02\x12\x03ann");

    assert_eq!(client.poll(start + settings.timeout), Some(CloseReason::HeartbeatTimeout));
    format!("a client ({} bytes of handshake, {} of a push)", told.len(), sent.len())
}
