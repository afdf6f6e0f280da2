//! How links end.

use super::*;
use tangelo_core::ErrorKind;

#[test]
fn a_close_sends_what_is_queued_and_tells_why() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, mut near_inbox, _), (_far, mut far_inbox, _)) = host.pair(&config("chat-1")).await;
        for i in 0..1000 {
            near.send(text(&i.to_string())).await.unwrap();
        }
        near.close("going home");
        near.close("twice is once");
        assert_eq!(near_inbox.next().await, Err(Closed::Local("going home".into())));
        assert_eq!(near.send(text("late")).await.unwrap_err().kind(), ErrorKind::Unavailable);
        near.ended().await;
        let (messages, closed) = rest(&mut far_inbox).await;
        assert_eq!(messages.len(), 1000);
        assert_eq!(closed, Closed::Ended("closed by the peer: going home".into()));
        assert_eq!(far_inbox.next().await, Err(closed), "and again");
    });
}

#[test]
fn dropping_all_handles_closes_the_link_after_the_queue_was_sent() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, near_inbox, _), (far, mut far_inbox, _)) = host.pair(&config("chat-1")).await;
        let clone = near.clone();
        for i in 0..500 {
            near.send(text(&i.to_string())).await.unwrap();
        }
        drop(near);
        drop(near_inbox);
        clone.send(text("a clone keeps it open")).await.unwrap();
        assert!(!clone.is_closed());
        drop(clone);
        let (messages, closed) = rest(&mut far_inbox).await;
        assert_eq!(messages.len(), 501);
        assert!(matches!(closed, Closed::Ended(_)), "{closed}");
        far.ended().await;
        assert!(far.is_closed());
    });
}

#[test]
fn an_inbox_alone_keeps_the_link_open() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, mut near_inbox, _), (far, _far_inbox, _)) = host.pair(&config("chat-1")).await;
        drop(near);
        far.send(text("hello")).await.unwrap();
        assert_eq!(near_inbox.next().await, Ok(text("hello")));
    });
}

#[test]
fn a_close_towards_a_peer_that_reads_nothing_ends_with_the_flush_timeout() {
    run(|runtime| async move {
        let queue = QueueLimits { messages: 4, bytes: 1 << 20 };
        let flush_timeout = Duration::from_millis(200);
        let config = LinkConfig { queue, flush_timeout, ..config("a") };
        let host = Host::new(&runtime, config.clone()).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config).await;
        for _ in 0..8 {
            near.send(text("unread")).await.unwrap();
        }
        let start = Instant::now();
        near.close("no time");
        near.ended().await;
        assert!((flush_timeout..Duration::from_secs(10)).contains(&since(start)), "{:?}", since(start));
        let (messages, closed) = rest(&mut far_inbox).await;
        assert_eq!(messages.len(), 4);
        assert!(matches!(closed, Closed::Ended(_)), "{closed}");
    });
}

#[test]
fn a_peer_that_vanishes_ends_a_blocked_send() {
    run(|runtime| async move {
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (up, vanish) = async_channel::bounded::<()>(1);
        runtime.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _session = handshake::accept(&mut *stream, &config("b"), "test").await.unwrap();
            vanish.recv().await.unwrap();
        }));
        let (near, mut inbox, _) = connect(&runtime, &config("a"), "127.0.0.1", port).await.unwrap();
        let sender = near.clone();
        let (failed, failure) = async_channel::bounded(1);
        let large = "x".repeat(100_000);
        runtime.spawn(Box::pin(async move {
            loop {
                if let Err(error) = sender.send(text(&large)).await {
                    failed.send(error).await.unwrap();
                }
            }
        }));
        pause(&runtime, 100).await;
        up.send(()).await.unwrap();
        let error = failure.recv().await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let closed = inbox.next().await.unwrap_err();
        assert!(matches!(closed, Closed::Ended(_)), "{closed}");
    });
}

#[test]
fn both_sides_may_close_at_once() {
    run(|runtime| async move {
        let flush_timeout = Duration::from_secs(30);
        let patient = |id| LinkConfig { flush_timeout, ..config(id) };
        let host = Host::new(&runtime, patient("master")).await;
        for _ in 0..50 {
            let ((near, _n, _), (far, _f, _)) = host.pair(&patient("chat-1")).await;
            near.close("me");
            far.close("me too");
            let start = Instant::now();
            near.ended().await;
            far.ended().await;
            assert!(since(start) < flush_timeout / 3, "nobody waited for a timeout");
        }
    });
}

#[test]
fn a_dropped_server_frees_its_port_and_its_links_go_on() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config("chat-1")).await;
        let port = host.port;
        drop(host.server);
        // The task that listens has yet to notice.
        let listener = loop {
            if let Ok(listener) = runtime.listen("127.0.0.1", port).await {
                break listener;
            }
            pause(&runtime, 5).await;
        };
        drop(listener);
        let error = connect(&runtime, &config("late"), "127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        near.send(text("still here")).await.unwrap();
        assert_eq!(far_inbox.next().await, Ok(text("still here")));
    });
}
