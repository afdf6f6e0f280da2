//! Messages that the frontend answers itself.

use super::*;
use crate::{HandlerError, Request, Session};
use core::sync::atomic::{AtomicUsize, Ordering};
use serde_json::json;
use tangelo_core::{Error, ErrorKind};

fn configure(app: &App) {
    app.handler("connector.entry.double", async |request: Request, _| Ok(request.json::<i64>()? * 2));
    app.handler("connector.entry.teapot", async |_, _| {
        Err::<(), _>(HandlerError::new(418, "short and stout"))
    });
    app.handler("connector.entry.away", async |_, _| {
        Err::<(), _>(Error::new(ErrorKind::Unavailable, "10.0.0.7 is down").into())
    });
    app.handler("connector.entry.panic", async |_, _| -> Result<(), HandlerError> { panic!("on demand") });
    app.handler("connector.entry.hang", async |_, _| {
        core::future::pending::<Result<(), HandlerError>>().await
    });
    app.remote("secret.remote.run", |_, _| async { Ok(b"\"done\"".to_vec()) });
    app.method("connector.remote.run", async |_, (): ()| Ok("done"));
}

#[test]
fn every_request_is_answered_and_errors_have_codes() {
    run(|mut fleet| async move {
        let (app, _) = fleet.start("connector-1", configure).await;
        let client = Tester::new(&app, 1);
        assert_eq!(client.ask("connector.entry.double", "21").await, json!(42));
        let teapot = json!({"code": 418, "message": "short and stout"});
        assert_eq!(client.ask("connector.entry.teapot", "{}").await, teapot);
        let away = json!({"code": 503, "message": "unavailable"});
        assert_eq!(client.ask("connector.entry.away", "{}").await, away, "no address of ours");
        assert_eq!(client.code("connector.entry.double", "\"x\"").await, 400);
        assert_eq!(client.code("connector.entry.panic", "{}").await, 500);
        assert_eq!(client.code("connector.entry.none", "{}").await, 404);
        assert_eq!(client.code("", "{}").await, 404);
        assert_eq!(client.code("double", "21").await, 404);
        assert_eq!(client.code("chat.chatHandler.send", "{}").await, 503, "there is no such server");
    });
}

#[test]
fn clients_reach_handlers_and_nothing_else() {
    run(|mut fleet| async move {
        let (front, (back, _)) = fleet.pair(configure, configure).await;
        let client = Tester::new(&front, 1);
        for route in [
            "connector.remote.run",
            "secret.remote.run",
            "tangelo.request",
            "tangelo.session",
            "tangelo.push",
            "chat.remote.run",
        ] {
            assert!([404, 503].contains(&client.code(route, "{}").await), "{route}");
        }
        // A backend answers for its own type alone, whatever else is registered there.
        assert_eq!(back.server_type(), "chat");
        assert_eq!(client.code("chat.entry.double", "1").await, 404);
    });
}

#[test]
fn a_handler_that_hangs_ends_with_the_time() {
    run(|mut fleet| async move {
        let (app, _) = fleet.start("connector-1", configure).await;
        app.request_timeout(Duration::from_millis(50));
        assert_eq!(Tester::new(&app, 1).code("connector.entry.hang", "{}").await, 504);
    });
}

#[test]
fn notifies_are_carried_out_and_not_answered() {
    run(|mut fleet| async move {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let (app, _) = fleet
            .start("connector-1", |app| {
                app.handler("connector.entry.count", move |request: Request, _| {
                    assert!(request.is_notify());
                    counted.fetch_add(1, Ordering::Relaxed);
                    async { Err::<(), _>(HandlerError::new(1, "nobody reads it")) }
                });
            })
            .await;
        let client = Tester::new(&app, 1);
        client.notify("connector.entry.count", "{}").await;
        client.notify("connector.entry.none", "{}").await;
        assert_eq!(count.load(Ordering::Relaxed), 1);
        client.heard_nothing().await;
    });
}

#[test]
fn filters_change_refuse_and_see_what_came_of_it() {
    run(|mut fleet| async move {
        let (app, _) = fleet
            .start("connector-1", |app| {
                configure(app);
                app.before_filter(async |request: Request, session: Session| {
                    if session.get::<bool>("in") == Some(true) {
                        Ok(request)
                    } else {
                        Err(HandlerError::new(401, "no"))
                    }
                });
                app.before_filter(async |request: Request, _| {
                    let doubled = request.json::<i64>()? * 10;
                    Ok(request.with_body(doubled.to_string()))
                });
                app.after_filter(async |_, route: Arc<str>, answer: Result<Vec<u8>, HandlerError>| {
                    let answer =
                        answer.map_err(|error| HandlerError::new(error.code + 1000, error.message))?;
                    Ok([b"[\"", route.as_bytes(), b"\",", &answer, b"]"].concat())
                });
                app.after_filter(|_, _, answer| {
                    assert!(answer.as_ref().is_err() || answer.as_ref().is_ok_and(|a| a.len() < 40), "long");
                    async { answer }
                });
            })
            .await;
        let client = Tester::new(&app, 1);
        assert_eq!(client.code("connector.entry.double", "1").await, 1401);
        client.client.set_settings([("in".into(), json!(true))].into_iter().collect());
        assert_eq!(client.ask("connector.entry.double", "1").await, json!(["connector.entry.double", 20]));
        assert_eq!(client.code("connector.entry.double", "null").await, 1400, "refused by the second");
        assert_eq!(client.code("connector.entry.double", "100000000000").await, 500, "a filter panicked");
        assert_eq!(client.code("connector.entry.none", "1").await, 404);
    });
}

#[test]
fn what_cannot_be_registered_keeps_the_server_from_starting() {
    let mistake = |configure: &dyn Fn(&App)| {
        let app = App::for_tests();
        configure(&app);
        app.runtime().clone().block_on(Box::pin(async {
            let error = crate::app::start(&app).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }));
    };
    for route in ["send", "chat.send", "chat..send", "a.b.c.d", "tangelo.a.b", &format!("a.b.{:c<255}", "")] {
        mistake(&|app| _ = app.handler(route, async |_, _| Ok(())));
    }
    mistake(&|app| {
        app.handler("a.b.c", async |_, _| Ok(())).handler("a.b.c", async |_, _| Ok(()));
    });
    mistake(&|app| _ = app.method("tangelo.request", async |_, (): ()| Ok(())));
    mistake(&|app| _ = app.remote("tangelo.request", |_, _| async { Ok(Vec::new()) }));
    let app = App::for_tests();
    app.handler("b.b.c", async |_, _| Ok(())).handler("a.b.c", async |_, _| Ok(()));
    assert_eq!(handler::dispatch::routes(&app), ["a.b.c", "b.b.c"]);
}
