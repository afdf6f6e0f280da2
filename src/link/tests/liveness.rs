//! Peers that say nothing.

use super::streams::{Fault, Faulty};
use super::*;
use core::sync::atomic::Ordering;

#[test]
fn an_idle_link_lives_on_and_tells_the_memory_of_the_connecting_side() {
    run(|runtime| async move {
        let host = Host::new(&runtime, steady(config("master"), 30)).await;
        let ((near, _n, _), (far, mut far_inbox, _)) = host.pair(&steady(config("chat-1"), 30)).await;
        assert!(futures_lite::future::poll_once(far_inbox.next()).await.is_none());
        pause(&runtime, 1500).await;
        assert!(!near.is_closed() && !far.is_closed());
        assert!(far.peer_rss().is_some_and(|bytes| bytes > 1 << 20));
        assert!(near.peer_rss().is_none(), "only who is asked tells");
        assert!(futures_lite::future::poll_once(far_inbox.next()).await.is_none(), "no heartbeat surfaces");
    });
}

#[test]
fn who_only_answers_bears_with_a_slower_rhythm() {
    run(|runtime| async move {
        let host = Host::new(&runtime, steady(config("master"), 100)).await;
        // By its own rhythm it would be impatient after 40 ms.
        let ((near, _n, _), (far, _f, _)) = host.pair(&steady(config("chat-1"), 2)).await;
        pause(&runtime, 800).await;
        assert!(!near.is_closed() && !far.is_closed());
    });
}

#[test]
fn a_silent_opener_is_dead_after_the_patience() {
    run(|runtime| async move {
        let host = Host::new(&runtime, beating(config("master"), 40)).await;
        let mut stream = host.raw().await;
        let start = Instant::now();
        let _session = handshake::open(&mut *stream, &config("mute"), "test").await.unwrap();
        let (link, mut inbox, _) = host.links.recv().await.unwrap();
        assert_eq!(inbox.next().await, Err(Closed::Silent(Duration::from_millis(120))));
        assert!(since(start) >= Duration::from_millis(120) && since(start) < Duration::from_secs(5));
        link.ended().await;
    });
}

#[test]
fn a_silent_acceptor_is_dead_after_the_patience() {
    run(|runtime| async move {
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (put, keep) = async_channel::bounded(1);
        runtime.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let session = handshake::accept(&mut *stream, &beating(config("b"), 40), "test").await.unwrap();
            put.send((stream, session)).await.unwrap();
        }));
        let near = connect(&runtime, &beating(config("a"), 40), "127.0.0.1", port).await;
        let (_link, mut inbox, _) = near.unwrap();
        assert_eq!(inbox.next().await, Err(Closed::Silent(Duration::from_millis(120))));
        drop(keep);
    });
}

/// The host is gone or the network cut: no end of file ever comes, and what is sent is lost.
#[test]
fn a_half_open_connection_is_noticed_on_both_sides() {
    run(|runtime| async move {
        let beating = |id| beating(config(id), 500);
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (put, get) = async_channel::bounded(1);
        let there = Arc::clone(&runtime);
        runtime.spawn(Box::pin(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = Faulty::new(stream, Fault::None);
            let hole = Arc::clone(&stream.hole);
            let parts = accept(&there, &beating("b"), Box::new(stream), "test").await.unwrap();
            put.send((parts, hole)).await.unwrap();
        }));
        let (near, mut near_inbox, _) = connect(&runtime, &beating("a"), "127.0.0.1", port).await.unwrap();
        let ((far, mut far_inbox, _), hole) = get.recv().await.unwrap();
        near.send(text("before")).await.unwrap();
        assert_eq!(far_inbox.next().await, Ok(text("before")));
        hole.store(true, Ordering::SeqCst);
        far.send(text("lost")).await.unwrap();
        assert_eq!(far_inbox.next().await, Err(Closed::Silent(Duration::from_millis(1500))));
        assert!(
            matches!(near_inbox.next().await, Err(Closed::Silent(_) | Closed::Ended(_))),
            "whichever comes first"
        );
    });
}
