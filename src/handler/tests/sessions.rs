//! Sessions, from their frontend and from backends.

use super::*;
use crate::sync::Mutex;
use crate::{HandlerError, Request, Session};
use serde_json::json;
use tangelo_core::ErrorKind;

/// Handlers that do with the session what the body says; the same for every type.
fn puppet(server_type: &'static str) -> impl Fn(&App) {
    move |app| {
        app.handler(&format!("{server_type}.puppet.do"), async |request: Request, session: Session| {
            let mut done = Vec::new();
            for (what, with) in request.json::<Vec<(String, String)>>()? {
                let result = match what.as_str() {
                    "bind" => session.bind(&with).await,
                    "unbind" => session.unbind().await,
                    "push" => session.push("onDone", &with).await,
                    "kick" => session.kick(&with).await,
                    "set" => session.set("room", with),
                    "settings" => session.push_settings().await,
                    "fill" => session.set("fill", "x".repeat(with.len() * 10_000)),
                    _ => return Err(HandlerError::new(400, "unknown")),
                };
                done.push(result.map_or_else(|error| format!("{:?}", error.kind()), |()| "ok".into()));
            }
            Ok(json!([session.uid(), session.get::<String>("room"), done]))
        });
    }
}

#[test]
fn what_is_done_with_a_session_is_the_same_here_and_there() {
    run(|mut fleet| async move {
        let (front, _back) = fleet.pair(puppet("connector"), puppet("chat")).await;
        for (id, route) in [(1, "connector.puppet.do"), (2, "chat.puppet.do")] {
            let client = Tester::new(&front, id);
            let ask = async |body: Value| client.ask(route, &body.to_string()).await;
            let (uid, none) = (format!("user-{id}"), json!(null));
            assert_eq!(ask(json!([["bind", uid], ["bind", uid]])).await, json!([uid, none, ["ok", "ok"]]));
            assert_eq!(client.client.uid().as_deref(), Some(&*uid));
            assert_eq!(ask(json!([["bind", "other"]])).await, json!([uid, none, ["AlreadyExists"]]));
            assert_eq!(ask(json!([["bind", ""]])).await, json!([uid, none, ["Invalid"]]));
            // Set, but not handed over.
            assert_eq!(ask(json!([["set", "attic"]])).await, json!([uid, "attic", ["ok"]]));
            assert_eq!(ask(json!([])).await, json!([uid, none, []]));
            let set = json!([["set", "lobby"], ["settings", ""], ["settings", ""]]);
            assert_eq!(ask(set).await, json!([uid, "lobby", ["ok", "ok", "ok"]]));
            assert_eq!(ask(json!([])).await, json!([uid, "lobby", []]));
            let full = json!([["fill", "1234567"], ["settings", ""], ["fill", "1"], ["settings", ""]]);
            assert_eq!(ask(full).await, json!([uid, "lobby", ["ok", "Invalid", "ok", "ok"]]));
            client.notify(route, &json!([["push", "one"], ["push", "two"]]).to_string()).await;
            let pushed = ["one", "two"].map(|text| (String::from("onDone"), json!(text)));
            assert_eq!(client.heard(2).await, pushed);
            assert_eq!(
                ask(json!([["unbind", ""], ["unbind", ""]])).await,
                json!([none, "lobby", ["ok", "ok"]])
            );
            assert_eq!(client.client.uid(), None);
            let gone = json!([["kick", "enough"], ["push", "late"], ["bind", "late"], ["kick", "again"]]);
            client.notify(route, &gone.to_string()).await;
            assert!(client.client.is_closed());
            let error = Session::here(&front, &client.client).push("onDone", "late").await.unwrap_err();
            assert_eq!(
                (error.kind(), error.message()),
                (ErrorKind::NotFound, &*format!("session {id} at connector-1 has closed"))
            );
        }
    });
}

#[test]
fn a_session_that_has_closed_meanwhile_is_not_found_nor_is_its_number_in_another_life() {
    run(|mut fleet| async move {
        let sessions: Arc<Mutex<Vec<Session>>> = Arc::default();
        let kept = Arc::clone(&sessions);
        let (front, (back, _)) = fleet
            .pair(
                |_| (),
                |app| {
                    app.handler("chat.puppet.keep", move |_, session| {
                        kept.lock().push(session);
                        async { Ok(()) }
                    });
                },
            )
            .await;
        let client = Tester::new(&front, 1);
        client.ask("chat.puppet.keep", "{}").await;
        let session = sessions.lock()[0].clone();
        session.push("onDone", &1).await.unwrap();
        client.client.kick("enough");
        let error = session.bind("ann").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.message(), "session 1 at connector-1 has closed");
        // The frontend's next life has a session of the same number.
        let old = fleet.servers.remove(0);
        let (next, _) = fleet.start_life("connector-1", 2, |_| ()).await;
        let other = Tester::new(&next, 1);
        back.shared().servers_changed(&fleet.servers[1..], core::slice::from_ref(&old));
        fleet.introduce(&[&next]);
        assert_eq!(session.bind("ann").await.unwrap_err().kind(), ErrorKind::NotFound);
        other.ask("chat.puppet.keep", "{}").await;
        let session = sessions.lock()[1].clone();
        session.bind("ann").await.unwrap();
        assert_eq!(other.client.uid().as_deref(), Some("ann"));
        // Without a frontend, nothing.
        back.shared().servers_changed(&[], &fleet.servers[1..]);
        assert_eq!(session.unbind().await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_user_is_kicked_at_every_frontend() {
    run(|mut fleet| async move {
        let (one, _) = fleet.start("connector-1", |_| ()).await;
        let (two, wire) = fleet.start("connector-2", |_| ()).await;
        let (back, _) = fleet.start("chat-1", |_| ()).await;
        fleet.introduce(&[&one, &two, &back]);
        let bound = |app: &App, id, uid: &str| {
            let client = Tester::new(app, id);
            client.client.bind(uid).unwrap();
            client.client
        };
        let ann = [bound(&one, 1, "ann"), bound(&one, 2, "ann"), bound(&two, 1, "ann")];
        let ben = bound(&two, 2, "ben");
        assert_eq!(back.kick("ann", "enough").await.unwrap(), 3);
        assert!(ann.iter().all(Client::is_closed) && !ben.is_closed());
        assert_eq!(one.kick("ann", "enough").await.unwrap(), 0);
        assert_eq!(one.kick("", "enough").await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(one.kick("ann", &"x".repeat(1001)).await.unwrap_err().kind(), ErrorKind::Invalid);
        let cleo = bound(&one, 3, "cleo");
        wire.cut();
        let error = back.kick("cleo", "enough").await.unwrap_err();
        assert!(cleo.is_closed() && error.is_temporary(), "{error}");
        assert!(error.to_string().contains("connector-2 has not answered: 1 sessions"), "{error}");
    });
}

#[test]
fn what_is_told_of_a_session_comes_one_after_the_other() {
    run(|mut fleet| async move {
        let (tell, told) = async_channel::unbounded();
        let (app, _) = fleet
            .start("connector-1", |app| {
                let slowly = tell.clone();
                app.on_session_bound(|_| -> core::future::Ready<()> { panic!("takes nobody with it") });
                app.on_session_bound(move |session: Session| {
                    let tell = slowly.clone();
                    async move {
                        session.app().sleep(Duration::from_millis(100)).await;
                        let _ = tell.send(format!("bound {}", session.uid().unwrap())).await;
                    }
                });
                app.on_session_closed(move |session: Session| {
                    let tell = tell.clone();
                    async move {
                        let (uid, why) = (session.uid().unwrap(), session.close_reason().unwrap());
                        let _ = tell.send(format!("closed {uid}: {why}")).await;
                        Err::<(), _>("fails, which is logged")
                    }
                });
            })
            .await;
        let client = Tester::new(&app, 1);
        client.client.bind("ann").unwrap();
        client.client.kick("enough");
        // The connector says so when the connection is closed.
        handler::dispatch::closed(&app, &client.client, "kicked");
        handler::dispatch::bound(&app, &client.client);
        assert_eq!(told.recv().await.unwrap(), "bound ann");
        assert_eq!(told.recv().await.unwrap(), "closed ann: kicked");
        while !app.shared().events.is_idle() {
            app.sleep(Duration::from_millis(1)).await;
        }
        assert!(told.is_empty(), "nothing comes behind the end");
    });
}

#[test]
fn messages_reach_users_by_their_names_and_everybody() {
    run(|mut fleet| async move {
        let (one, _) = fleet.start("connector-1", |_| ()).await;
        let (two, wire) = fleet.start("connector-2", |_| ()).await;
        let (back, _) = fleet.start("chat-1", |_| ()).await;
        fleet.introduce(&[&one, &two, &back]);
        let (ann, ben, nobody) = (Tester::new(&one, 1), Tester::new(&two, 1), Tester::new(&two, 2));
        ann.client.bind("ann").unwrap();
        ben.client.bind("ben").unwrap();
        let users =
            [("ann", "connector-1"), ("ben", "connector-2"), ("cleo", "connector-2"), ("ann", "connector-9")];
        let report = back.push_by_uids("onNews", &json!({"n": 1}), &users).await.unwrap();
        assert_eq!((report.frontends, report.delivered), (3, 2));
        let missed: Vec<_> = report.unreached().collect();
        assert_eq!(missed, [("connector-2", "cleo"), ("connector-9", "ann")]);
        for client in [&ann, &ben] {
            assert_eq!(client.heard(1).await, [("onNews".into(), json!({"n": 1}))]);
        }
        for from in [&back, &one] {
            let report = from.broadcast("connector", "onAll", "hello").await.unwrap();
            assert_eq!((report.frontends, report.delivered, report.failed.len()), (2, 3, 0));
            for client in [&ann, &ben, &nobody] {
                assert_eq!(client.heard(1).await, [("onAll".into(), json!("hello"))]);
            }
        }
        assert_eq!(back.broadcast("gate", "onAll", "hello").await.unwrap().frontends, 0);
        assert_eq!(back.broadcast("connector", "", "hello").await.unwrap_err().kind(), ErrorKind::Invalid);
        wire.cut();
        let report = back.broadcast("connector", "onAll", "hello").await.unwrap();
        assert_eq!((report.delivered, report.failed.len(), report.failed[0].more), (1, 1, None));
        // A backend has no clients.
        let report = one.broadcast("chat", "onAll", "hello").await.unwrap();
        assert_eq!((report.delivered, report.failed[0].reason.kind), (0, ErrorKind::Unsupported));
    });
}
