//! Messages there and back.

use super::*;
use tangelo_core::ErrorKind;
use tangelo_core::wire::{Call, MAX_MESSAGE, encode};

fn call(id: u64, size: usize) -> Message {
    Message::Call(Call { id, route: "r".into(), body: vec![0xA5; size] })
}

#[test]
fn both_sides_know_each_other_and_messages_go_both_ways() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, mut near_inbox, master), (far, mut far_inbox, server)) =
            host.pair(&config("chat-1")).await;
        assert_eq!((master.id.as_str(), server.id.as_str()), ("master", "chat-1"));
        assert_eq!(far.peer(), &server);
        near.send(text("ping?")).await.unwrap();
        assert_eq!(far_inbox.next().await, Ok(text("ping?")));
        far.try_send(&text("pong!")).unwrap();
        assert_eq!(near_inbox.next().await, Ok(text("pong!")));
        assert!(!near.is_closed());
    });
}

#[test]
fn a_message_at_the_limit_passes_and_a_larger_one_is_refused_at_the_sender() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config("chat-1")).await;
        let overhead = encode(&call(1, MAX_MESSAGE / 2)).unwrap().len() - MAX_MESSAGE / 2;
        let largest = call(1, MAX_MESSAGE - overhead);
        assert_eq!(encode(&largest).unwrap().len(), MAX_MESSAGE);
        near.send(largest.clone()).await.unwrap();
        let error = near.send(call(1, MAX_MESSAGE - overhead + 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        near.send(text("after")).await.unwrap();
        assert!(far_inbox.next().await == Ok(largest));
        assert_eq!(far_inbox.next().await, Ok(text("after")));
    });
}

#[test]
fn messages_of_all_sizes_arrive_once_and_in_order_in_both_directions() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, near_inbox, _), (far, far_inbox, _)) = host.pair(&config("chat-1")).await;
        let size = |i: u64| usize::try_from(i * i * 31 % 40_000).unwrap();
        let count = 300;
        for (link, mut inbox) in [(near.clone(), far_inbox), (far.clone(), near_inbox)] {
            let (done, wait) = async_channel::bounded::<()>(1);
            runtime.spawn(Box::pin(async move {
                for i in 0..count {
                    link.send(call(i, size(i))).await.unwrap();
                }
            }));
            runtime.spawn(Box::pin(async move {
                for i in 0..count {
                    assert!(inbox.next().await == Ok(call(i, size(i))), "message {i}");
                }
                done.send(()).await.unwrap();
            }));
            wait.recv().await.expect("all in order");
        }
    });
}

#[test]
fn many_senders_share_one_link() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config("chat-1")).await;
        for sender in 0..20 {
            let near = near.clone();
            runtime.spawn(Box::pin(async move {
                for i in 0..500 {
                    near.send(call(sender * 1000 + i, 10)).await.unwrap();
                }
            }));
        }
        let mut next = [0; 20];
        for _ in 0..20 * 500 {
            let Ok(Message::Call(call)) = far_inbox.next().await else { panic!("a call") };
            let (sender, i) = (usize::try_from(call.id / 1000).unwrap(), call.id % 1000);
            assert_eq!(next[sender], i, "each sender's messages stay in order");
            next[sender] += 1;
        }
    });
}

#[test]
fn two_hundred_links_open_at_once_and_all_work() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let links = host.links.clone();
        let spawner = Arc::clone(&runtime);
        runtime.spawn(Box::pin(async move {
            while let Ok((link, mut inbox, _)) = links.recv().await {
                spawner.spawn(Box::pin(async move {
                    while let Ok(message) = inbox.next().await {
                        link.send(message).await.unwrap();
                    }
                }));
            }
        }));
        let (done, count) = async_channel::unbounded();
        for i in 0..200 {
            let (runtime, port, done) = (Arc::clone(&runtime), host.port, done.clone());
            host.runtime.spawn(Box::pin(async move {
                let config = config(&format!("server-{i}"));
                let (link, mut inbox, _) = connect(&runtime, &config, "127.0.0.1", port).await.unwrap();
                for round in 0..5 {
                    link.send(call(round, i)).await.unwrap();
                    assert!(inbox.next().await == Ok(call(round, i)));
                }
                done.send((link, inbox)).await.unwrap();
            }));
        }
        let mut open = Vec::new();
        while open.len() < 200 {
            open.push(count.recv().await.unwrap());
        }
        assert!(open.iter().all(|(link, _)| !link.is_closed()));
    });
}

#[test]
fn small_messages_are_not_slow() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, _inbox, _), (_far, mut far_inbox, _)) = host.pair(&config("chat-1")).await;
        let count = 50_000;
        let start = Instant::now();
        runtime.spawn(Box::pin(async move {
            for i in 0..count {
                near.send(call(i, 100)).await.unwrap();
            }
            near.ended().await;
        }));
        for _ in 0..count {
            far_inbox.next().await.unwrap();
        }
        let took = since(start);
        println!("{count} messages of 100 bytes in {took:?}");
        assert!(took < Duration::from_secs(20), "took {took:?}");
    });
}
