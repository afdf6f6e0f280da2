//! Backends that die, freeze and answer late.

use super::*;
use crate::{HandlerError, Request};
use tangelo_core::{ErrorKind, Instant};

fn slow(app: &App) {
    app.handler("chat.chatHandler.hang", async |_, _| {
        core::future::pending::<Result<(), HandlerError>>().await
    });
    app.handler("chat.chatHandler.where", async |request: Request, _| Ok(request.app().id().to_owned()));
    app.method("chat.chatRemote.hang", async |_, (): ()| {
        core::future::pending::<tangelo_core::Result<()>>().await
    });
}

#[test]
fn a_backend_that_dies_in_mid_request_is_told_at_once_and_the_next_goes_to_another() {
    run(|mut fleet| async move {
        let (front, _) = fleet.start("connector-1", |_| ()).await;
        let one = fleet.start("chat-1", slow).await;
        let two = fleet.start("chat-2", slow).await;
        fleet.introduce(&[&front, &one.0, &two.0]);
        let client = Tester::new(&front, 1);
        let first = client.ask("chat.chatHandler.where", "{}").await;
        let (died, (wire, other)) =
            if first == "chat-1" { (1, (one.1, "chat-2")) } else { (2, (two.1, "chat-1")) };
        let begun = Instant::now();
        let striking = async {
            front.sleep(Duration::from_millis(100)).await;
            wire.cut();
            core::future::pending::<i64>().await
        };
        assert_eq!(client.code("chat.chatHandler.hang", "{}").or(striking).await, 503);
        assert!(Instant::now().saturating_since(begun) < SOON);
        // Until the master has said so, it is one that cannot be reached; then there is the other.
        assert_eq!(client.code("chat.chatHandler.where", "{}").await, 503);
        front.shared().servers_changed(&[], &fleet.servers[died..=died]);
        assert_eq!(client.ask("chat.chatHandler.where", "{}").await, other);
    });
}

#[test]
fn a_call_that_is_given_up_is_forgotten_and_the_link_goes_with_the_last_that_is_not() {
    run(|mut fleet| async move {
        let (front, (back, _wire)) = fleet.pair(|_| (), slow).await;
        let hangs = front.clone();
        let call =
            async || hangs.call("chat-1", "chat.chatRemote.hang", b"null".to_vec(), Duration::MAX).await;
        let given_up = async {
            front.sleep(Duration::from_millis(100)).await;
            Ok(b"given up".to_vec())
        };
        assert_eq!(call().or(given_up).await.unwrap(), b"given up");
        assert_eq!(front.shared().peers().unwrap().waiting("chat-1"), 0);
        // The server is said to have gone, and may answer yet what it has been asked.
        let (answer, answered) = async_channel::bounded(1);
        back.remote("chat.late", move |_, _| {
            let answered = answered.clone();
            async move { Ok(answered.recv().await.unwrap_or_default()) }
        });
        let asking = front.clone();
        let (tell, told) = async_channel::bounded(1);
        front.spawn(async move {
            let outcome = asking.call("chat-1", "chat.late", Vec::new(), SOON).await;
            tell.send(outcome).await.unwrap();
        });
        while front.shared().peers().unwrap().waiting("chat-1") == 0 {
            front.sleep(Duration::from_millis(1)).await;
        }
        front.shared().servers_changed(&[], &fleet.servers[1..]);
        answer.send(b"late".to_vec()).await.unwrap();
        assert_eq!(told.recv().await.unwrap().unwrap(), b"late");
    });
}

#[test]
fn a_backend_that_is_frozen_or_hangs_ends_with_the_time() {
    run(|mut fleet| async move {
        let (front, (_back, wire)) = fleet.pair(|_| (), slow).await;
        let client = Tester::new(&front, 1);
        assert_eq!(client.ask("chat.chatHandler.where", "{}").await, "chat-1");
        front.request_timeout(Duration::from_millis(100));
        assert_eq!(client.code("chat.chatHandler.hang", "{}").await, 504);
        wire.freeze();
        assert_eq!(client.code("chat.chatHandler.where", "{}").await, 504);
        // Its answer comes too late, and is nobody else's.
        wire.thaw();
        front.request_timeout(SOON);
        assert_eq!(client.ask("chat.chatHandler.where", "{}").await, "chat-1");
    });
}

#[test]
fn of_many_calls_each_ends_with_its_own_time() {
    run(|mut fleet| async move {
        let (front, _back) = fleet.pair(|_| (), slow).await;
        let (tell, told) = async_channel::unbounded();
        let begun = Instant::now();
        for limit in [60_000, 2100, 700, 1400] {
            let (app, tell) = (front.clone(), tell.clone());
            front.spawn(async move {
                let rpc = app.rpc().timeout(Duration::from_millis(limit)).to("chat-1");
                let error = rpc.call::<_, ()>("chat.chatRemote.hang", &()).await.unwrap_err();
                let _ = tell.send((limit, error.kind(), Instant::now())).await;
            });
        }
        for expected in [700, 1400, 2100] {
            let (limit, kind, at) = told.recv().await.unwrap();
            assert_eq!((limit, kind), (expected, ErrorKind::Timeout));
            assert!(at.saturating_since(begun) >= Duration::from_millis(limit));
        }
        assert!(told.is_empty());
        assert!(Instant::now().saturating_since(begun) < SOON);
    });
}

#[test]
fn a_backend_forgets_handlers_that_hang() {
    run(|mut fleet| async move {
        // More than may be worked on at once for one frontend.
        let (front, (back, _)) = fleet.pair(|_| (), slow).await;
        back.request_timeout(Duration::from_millis(50));
        front.request_timeout(SOON);
        let (tell, told) = async_channel::unbounded();
        for id in 0..1500 {
            let (client, tell) = (Tester::new(&front, id), tell.clone());
            front.spawn(async move {
                let _ = tell.send(client.code("chat.chatHandler.hang", "{}").await).await;
            });
        }
        for _ in 0..1500 {
            assert_eq!(told.recv().await, Ok(504));
        }
        assert_eq!(Tester::new(&front, 1).ask("chat.chatHandler.where", "{}").await, "chat-1");
    });
}

#[test]
fn what_is_too_large_for_a_link_is_an_error() {
    run(|mut fleet| async move {
        let (front, _back) = fleet
            .pair(
                |_| (),
                |app| {
                    app.handler("chat.chatHandler.long", async |request: Request, _| {
                        Ok("x".repeat(request.json::<usize>()?))
                    });
                },
            )
            .await;
        let client = Tester::new(&front, 1);
        assert_eq!(client.code("chat.chatHandler.long", "9000000").await, 500);
        assert_eq!(client.ask("chat.chatHandler.long", "3").await, "xxx");
        assert_eq!(client.code("chat.chatHandler.long", &" ".repeat(9_000_000)).await, 500);
        assert_eq!(client.ask("chat.chatHandler.long", "1").await, "x");
    });
}
