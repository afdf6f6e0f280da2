//! A reader that does not keep up.

use super::*;
use core::sync::atomic::{AtomicU32, Ordering};
use tangelo_core::ErrorKind;

#[test]
fn a_reader_that_does_not_read_stops_the_sender_and_neither_looks_dead() {
    run(|runtime| async move {
        let queue = QueueLimits { messages: 10, bytes: 1 << 20 };
        let config = LinkConfig { queue, ..steady(config("a"), 40) };
        let host = Host::new(&runtime, config.clone()).await;
        let ((near, mut near_inbox, _), (far, mut far_inbox, _)) = host.pair(&config).await;
        for (link, inbox) in [(&near, &mut far_inbox), (&far, &mut near_inbox)] {
            let mut sent = 0;
            let filled = async {
                loop {
                    link.send(text(&sent.to_string())).await.unwrap();
                    sent += 1;
                }
            };
            // Longer than the patience of 800 ms.
            filled.or(pause(&runtime, 1500)).await;
            assert_eq!(sent, 20, "ten wait there, ten wait here");
            let error = link.try_send(&text("no room")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.is_temporary());
            for i in 0..sent {
                assert_eq!(inbox.next().await, Ok(text(&i.to_string())));
            }
            link.send(text("last")).await.unwrap();
            assert_eq!(inbox.next().await, Ok(text("last")));
        }
        assert!(!near.is_closed() && !far.is_closed());
    });
}

#[test]
fn the_bytes_of_a_queue_are_bounded_too() {
    run(|runtime| async move {
        let queue = QueueLimits { messages: 1000, bytes: 100_000 };
        let config = LinkConfig { queue, ..config("a") };
        let host = Host::new(&runtime, config.clone()).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config).await;
        let large = "x".repeat(30_000);
        let sent = AtomicU32::new(0);
        let filled = async {
            loop {
                near.send(text(&large)).await.unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
        };
        let full = async {
            while sent.load(Ordering::Relaxed) < 6 {
                pause(&runtime, 5).await;
            }
            pause(&runtime, 300).await;
        };
        filled.or(full).await;
        let sent = sent.into_inner();
        assert!((6..=8).contains(&sent), "three or four there, three here, not {sent}");
        for _ in 0..sent {
            assert_eq!(far_inbox.next().await, Ok(text(&large)));
        }
        // Larger than the whole queue, and still it passes, since the queue is empty.
        let huge = text(&"y".repeat(1_000_000));
        near.send(huge.clone()).await.unwrap();
        assert!(far_inbox.next().await == Ok(huge));
        near.send(text("after")).await.unwrap();
        assert_eq!(far_inbox.next().await, Ok(text("after")));
    });
}

#[test]
fn a_dropped_inbox_throws_messages_away_and_the_sender_goes_on() {
    run(|runtime| async move {
        let queue = QueueLimits { messages: 4, bytes: 1 << 20 };
        let config = LinkConfig { queue, ..config("a") };
        let host = Host::new(&runtime, config.clone()).await;
        let ((near, mut near_inbox, _), (far, far_inbox, _)) = host.pair(&config).await;
        drop(far_inbox);
        for _ in 0..100 {
            near.send(text("to nobody")).await.unwrap();
        }
        far.send(text("but I can speak")).await.unwrap();
        assert_eq!(near_inbox.next().await, Ok(text("but I can speak")));
    });
}

#[test]
fn a_cancelled_send_takes_no_room() {
    run(|runtime| async move {
        let queue = QueueLimits { messages: 2, bytes: 1 << 20 };
        let config = LinkConfig { queue, ..config("a") };
        let host = Host::new(&runtime, config.clone()).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config).await;
        for i in 0..4 {
            near.send(text(&i.to_string())).await.unwrap();
        }
        for _ in 0..50 {
            assert!(futures_lite::future::poll_once(near.send(text("cancelled"))).await.is_none());
        }
        let waiting = near.clone();
        runtime.spawn(Box::pin(async move { waiting.send(text("4")).await.unwrap() }));
        for i in 0..5 {
            assert_eq!(far_inbox.next().await, Ok(text(&i.to_string())));
        }
    });
}
