//! Methods, called from server to server.

use super::*;
use crate::{Caller, Session};
use serde::{Deserialize, Serialize};
use tangelo_core::{Error, ErrorKind};

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Kick {
    uid: String,
    room: String,
}

fn methods(app: &App) {
    app.method("chat.chatRemote.kick", async |caller: Caller, Kick { uid, room }| {
        Ok(format!("{} kicks {uid} out of {room} at {}", caller.id(), caller.app().id()))
    });
    app.method("chat.chatRemote.deny", async |_, (): ()| {
        Err::<(), _>(Error::new(ErrorKind::Denied, "not by you"))
    });
    app.method("chat.chatRemote.panic", async |_, (): ()| -> tangelo_core::Result<()> {
        panic!("on demand")
    });
    app.method("connector.remote.echo", async |_, text: String| Ok(text));
}

fn kick() -> Kick {
    Kick { uid: "ann".into(), room: "lobby".into() }
}

#[test]
fn methods_are_typed_and_errors_keep_their_kinds() {
    run(|mut fleet| async move {
        let (front, (_back, wire)) = fleet.pair(methods, methods).await;
        let chat = front.rpc().timeout(SOON).to("chat-1");
        let said: String = chat.call("chat.chatRemote.kick", &kick()).await.unwrap();
        assert_eq!(said, "connector-1 kicks ann out of lobby at chat-1");
        // A field more is no matter; one that is missing is.
        let more = serde_json::json!({"uid": "ben", "room": "lobby", "since": 1});
        let said: String = chat.call("chat.chatRemote.kick", &more).await.unwrap();
        assert!(said.contains("ben"), "{said}");
        let kind =
            async |method: &str, args: Value| chat.call::<_, u8>(method, &args).await.unwrap_err().kind();
        assert_eq!(kind("chat.chatRemote.kick", serde_json::json!({"uid": "x"})).await, ErrorKind::Invalid);
        assert_eq!(kind("chat.chatRemote.kick", serde_json::json!(kick())).await, ErrorKind::Protocol);
        assert_eq!(kind("chat.chatRemote.deny", Value::Null).await, ErrorKind::Denied);
        assert_eq!(kind("chat.chatRemote.panic", Value::Null).await, ErrorKind::Io);
        assert_eq!(kind("chat.chatRemote.none", Value::Null).await, ErrorKind::NotFound);
        assert_eq!(kind("tangelo.session", Value::Null).await, ErrorKind::Invalid);
        assert_eq!(kind("", Value::Null).await, ErrorKind::Invalid);
        let unknown = front.rpc().to("chat-9").call::<_, ()>("chat.chatRemote.deny", &()).await;
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
        wire.cut();
        let error = chat.call::<_, ()>("chat.chatRemote.deny", &()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
}

#[test]
fn a_server_calls_itself_and_where_its_sessions_are() {
    run(|mut fleet| async move {
        let (front, (back, _)) = fleet.pair(methods, methods).await;
        let client = Tester::new(&front, 1);
        let session = Session::here(&front, &client.client);
        let echo: String =
            front.rpc().to("connector-1").call("connector.remote.echo", "hello").await.unwrap();
        assert_eq!(echo, "hello");
        let calling = front.rpc().for_session(&session);
        let said: String = calling.call("chat.chatRemote.kick", &kick()).await.unwrap();
        assert!(said.ends_with("at chat-1"), "{said}");
        let error = calling.call::<_, ()>("area.areaRemote.enter", &()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let error = back.rpc().to("chat-1").call::<_, ()>("chat.chatRemote.panic", &()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    });
}
