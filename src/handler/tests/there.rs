//! Messages that a backend answers.

use super::*;
use crate::{HandlerError, Request, Session};
use alloc::collections::BTreeMap;
use serde_json::json;

/// Says who is asked, by whom.
fn who(app: &App) {
    app.handler("chat.chatHandler.who", async |request: Request, session: Session| {
        let body: Value = request.json()?;
        let seen = (session.frontend_id().to_owned(), session.id(), session.uid());
        Ok(json!({"at": session.app().id(), "session": seen, "room": session.get::<String>("room"), "body": body}))
    });
    app.handler("chat.chatHandler.panic", |_, _| -> core::future::Ready<Result<(), HandlerError>> {
        panic!("on demand")
    });
}

#[test]
fn a_backend_sees_the_session_and_answers() {
    run(|mut fleet| async move {
        let (front, _back) = fleet.pair(who, who).await;
        let client = Tester::new(&front, 5);
        let who =
            json!({"at": "chat-1", "session": ["connector-1", 5, null], "room": null, "body": [1, "ä"]});
        assert_eq!(client.ask("chat.chatHandler.who", "[1,\"ä\"]").await, who);
        client.client.bind("ann").unwrap();
        client.client.set_settings([("room".into(), json!("lobby"))].into_iter().collect());
        let who = json!({"at": "chat-1", "session": ["connector-1", 5, "ann"], "room": "lobby", "body": {}});
        assert_eq!(client.ask("chat.chatHandler.who", "{}").await, who);
        assert_eq!(client.code("chat.chatHandler.none", "{}").await, 404);
        assert_eq!(client.code("chat.chatHandler.panic", "{}").await, 500);
        assert_eq!(client.code("chat.chatHandler.who", "no JSON").await, 400);
        client.notify("chat.chatHandler.who", "{}").await;
        client.heard_nothing().await;
    });
}

#[test]
fn the_same_user_is_at_the_same_backend_whatever_the_frontend_and_others_are_spread() {
    run(|mut fleet| async move {
        let mut apps = Vec::new();
        for id in ["connector-1", "connector-2", "chat-1", "chat-2", "chat-3"] {
            apps.push(fleet.start(id, who).await.0);
        }
        fleet.introduce(&apps.iter().collect::<Vec<_>>());
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        for n in 0..60 {
            let mut places = Vec::new();
            for (frontend, session) in [(0, n), (1, 1000 + n)] {
                let client = Tester::new(&apps[frontend], session);
                client.client.bind(&format!("user-{n}")).unwrap();
                places
                    .push(client.ask("chat.chatHandler.who", "{}").await["at"].as_str().unwrap().to_owned());
            }
            assert_eq!(places[0], places[1]);
            *at.entry(places.remove(0)).or_default() += 1;
        }
        assert!(at.len() == 3 && at.values().all(|count| *count > 8), "{at:?}");
    });
}

#[test]
fn the_application_may_choose() {
    run(|mut fleet| async move {
        let choose = |app: &App| {
            app.route("chat", |session, servers| {
                assert!(servers.iter().all(|server| server.def.server_type == "chat"), "of one type");
                match session.get::<String>("room")?.as_str() {
                    "panic" => panic!("on demand"),
                    room => Some(room.to_owned()),
                }
            });
        };
        let (front, _) = fleet.start("connector-1", choose).await;
        let (one, _) = fleet.start("chat-1", who).await;
        let (two, _) = fleet.start("chat-2", who).await;
        fleet.introduce(&[&front, &one, &two]);
        let client = Tester::new(&front, 1);
        assert_eq!(client.code("chat.chatHandler.who", "{}").await, 503, "it chose nobody");
        for chosen in ["chat-2", "chat-1", "chat-2"] {
            client.client.set_settings([("room".into(), json!(chosen))].into_iter().collect());
            assert_eq!(client.ask("chat.chatHandler.who", "{}").await["at"], chosen);
        }
        for (chosen, code) in [("connector-1", 503), ("chat-9", 503), ("panic", 500)] {
            client.client.set_settings([("room".into(), json!(chosen))].into_iter().collect());
            assert_eq!(client.code("chat.chatHandler.who", "{}").await, code, "{chosen}");
        }
    });
}
