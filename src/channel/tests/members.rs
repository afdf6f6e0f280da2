//! Who is in a channel, in the store and in the frontends' memory.

use super::super::wire::CHANNEL;
use super::run;
use super::store::Trouble;
use core::time::Duration;
use futures_lite::StreamExt;
use tangelo_core::ErrorKind;

#[test]
fn a_change_made_anywhere_is_made_by_the_frontend_and_stored_before_it_is_acknowledged() {
    run(2, |b| async move {
        let chat = b.chat();
        chat.add_many("room", &["anna", "ben"], "c1").await.unwrap();
        assert_eq!(b.calls(CHANNEL), ["c1"]);
        for n in [1, 2] {
            // Each server sees the same.
            let global = b.server(&format!("c{n}")).global;
            assert_eq!(global.count("room").await.unwrap(), 2);
            assert!(global.contains("room", "anna", "c1").await.unwrap());
        }
        let (stored, held) = b.views("room", "c1").await;
        assert_eq!((&*stored, stored.len()), (&*held, 2));
        // One of its own does not go over the network.
        b.server("c1").global.leave("room", "anna", "c1").await.unwrap();
        assert!(b.calls(CHANNEL).is_empty());
        assert_eq!(b.views("room", "c1").await, (vec!["ben".into()], vec!["ben".into()]));
        let mut pages = chat.members("room");
        let page = pages.next().await.unwrap().unwrap();
        assert_eq!((page.len(), page[0].uid.as_str(), page[0].sid.as_str()), (1, "ben", "c1"));
        assert!(pages.next().await.is_none());
    });
}

#[test]
fn members_are_read_in_pages_wherever_they_are() {
    run(2, |b| async move {
        let many: Vec<String> = (0..3000).map(|n| format!("user-{n}")).collect();
        b.chat().add_many("room", &many, "c1").await.unwrap();
        b.chat().add_many("room", &many, "c2").await.unwrap();
        let (mut count, mut pages) = (0, b.chat().members("room"));
        while let Some(page) = pages.next().await {
            count += page.unwrap().len();
        }
        assert_eq!(count, 6000);
        let mut pages = b.chat().members("room");
        assert!(pages.next().await.is_some());
        drop(pages);
        assert!(b.chat().members("").next().await.unwrap().is_err());
    });
}

#[test]
fn only_frontends_that_are_up_have_members() {
    run(1, |b| async move {
        let chat = b.chat();
        assert_eq!(chat.add("room", "anna", "c9").await.unwrap_err().kind(), ErrorKind::NotFound);
        let error = chat.add("room", "anna", "chat").await.unwrap_err();
        assert!(error.to_string().contains("\"frontend\": true"), "{error}");
        for wrong in ["", "\0", &"x".repeat(256)] {
            assert_eq!(chat.add(wrong, "anna", "c1").await.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(chat.add("room", wrong, "c1").await.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(chat.add("room", "anna", wrong).await.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(chat.leave_all(wrong, "c1").await.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(chat.destroy(wrong).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
        assert_eq!(chat.count("room").await.unwrap(), 0);
    });
}

#[test]
fn adding_again_asks_no_store_and_changes_of_a_channel_are_written_together() {
    run(1, |b| async move {
        let chat = b.chat();
        chat.add("room", "anna", "c1").await.unwrap();
        b.store.counted();
        chat.add("room", "anna", "c1").await.unwrap();
        chat.leave("room", "nobody", "c1").await.unwrap();
        assert_eq!(b.store.counted(), (0, 0));
        *b.store.delay.lock() = Duration::from_millis(20);
        let (tell, told) = async_channel::bounded(300);
        for n in 0..300 {
            let (chat, tell) = (chat.clone(), tell.clone());
            b.runtime.spawn(Box::pin(async move {
                let _ = tell.try_send(chat.add("room", &format!("user-{n}"), "c1").await);
            }));
        }
        for _ in 0..300 {
            told.recv().await.unwrap().unwrap();
        }
        let (changes, _) = b.store.counted();
        assert!(changes < 60, "{changes} changes of the store for 300 adds at once");
        assert_eq!(chat.count("room").await.unwrap(), 301);
    });
}

#[test]
fn changes_of_a_user_are_made_in_their_order() {
    run(1, |b| async move {
        let frontend = b.server("c1").global;
        *b.store.delay.lock() = Duration::from_millis(1);
        for n in 0..20 {
            // All at once; the last one decides.
            let (join, leave) = (frontend.add("room", "anna", "c1"), frontend.leave("room", "anna", "c1"));
            let mut both: Vec<tangelo_core::BoxFuture<'_, _>> = vec![Box::pin(join), Box::pin(leave)];
            if n % 2 == 0 {
                both.reverse();
            }
            let mut waiting = Vec::new();
            for mut change in both {
                match futures_lite::future::poll_once(&mut change).await {
                    Some(done) => done.unwrap(),
                    None => waiting.push(change),
                }
            }
            for change in waiting {
                change.await.unwrap();
            }
            let (stored, held) = b.views("room", "c1").await;
            assert_eq!(stored, held, "in round {n}");
            assert_eq!(held.len(), usize::from(n % 2 == 0), "in round {n}");
            frontend.leave("room", "anna", "c1").await.unwrap();
        }
    });
}

#[test]
fn a_dropped_change_is_made_whole() {
    run(1, |b| async move {
        let frontend = b.server("c1").global;
        *b.store.delay.lock() = Duration::from_millis(10);
        {
            let mut adding = Box::pin(frontend.add_many("room", &["anna", "ben"], "c1"));
            assert!(futures_lite::future::poll_once(&mut adding).await.is_none());
        }
        until!(b, "the whole change", b.views("room", "c1").await.1.len() == 2);
        let (stored, held) = b.views("room", "c1").await;
        assert_eq!(stored, held);
    });
}

#[test]
fn whose_session_closes_leaves_all_channels_also_those_being_joined() {
    run(1, |b| async move {
        let server = b.server("c1");
        for room in ["one", "two"] {
            server.global.add_many(room, &["anna", "ben"], "c1").await.unwrap();
        }
        *b.store.delay.lock() = Duration::from_millis(20);
        let mut joining = Box::pin(server.global.add("three", "anna", "c1"));
        assert!(futures_lite::future::poll_once(&mut joining).await.is_none());
        server.sink.close("anna");
        server.global.session_closed("anna");
        joining.await.unwrap();
        for room in ["one", "two", "three"] {
            until!(b, "that she has left", !b.views(room, "c1").await.0.contains(&"anna".into()));
            let (stored, held) = b.views(room, "c1").await;
            assert_eq!(stored, held, "{room}");
        }
        let late = b.chat().add("one", "anna", "c1").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::NotFound, "a user without a session joins");
        assert_eq!(b.chat().channels_of_server("c1").await.unwrap().len(), 2);
    });
}

#[test]
fn a_destroyed_channel_is_gone_in_every_memory() {
    run(3, |b| async move {
        let chat = b.chat();
        for n in 1..=3 {
            chat.add_many("room", &["anna", "ben"], &format!("c{n}")).await.unwrap();
            chat.add("other", "anna", &format!("c{n}")).await.unwrap();
        }
        chat.destroy("room").await.unwrap();
        assert_eq!(chat.count("room").await.unwrap(), 0);
        for n in 1..=3 {
            assert_eq!(b.views("room", &format!("c{n}")).await, (vec![], vec![]));
            assert_eq!(b.views("other", &format!("c{n}")).await.1.len(), 1);
        }
        chat.add("room", "anna", "c2").await.unwrap();
        assert_eq!(b.views("room", "c2").await, (vec!["anna".into()], vec!["anna".into()]));
    });
}

#[test]
fn destroying_beside_adders_leaves_store_and_memory_alike() {
    run(2, |b| async move {
        *b.store.delay.lock() = Duration::from_millis(1);
        let (tell, told) = async_channel::bounded(8);
        for n in 0..8 {
            let (chat, tell) = (b.chat(), tell.clone());
            b.runtime.spawn(Box::pin(async move {
                for m in 0..30 {
                    chat.add("room", &format!("user-{n}-{m}"), &format!("c{}", n % 2 + 1)).await.unwrap();
                }
                let _ = tell.try_send(());
            }));
        }
        for _ in 0..5 {
            b.chat().destroy("room").await.unwrap();
        }
        for _ in 0..8 {
            told.recv().await.unwrap();
        }
        for sid in ["c1", "c2"] {
            let (stored, held) = b.views("room", sid).await;
            assert_eq!(stored, held, "at {sid}");
        }
        b.chat().destroy("room").await.unwrap();
        assert_eq!(b.chat().count("room").await.unwrap(), 0);
    });
}

#[test]
fn a_server_that_stops_takes_its_members_along() {
    run(2, |b| async move {
        b.chat().add("room", "anna", "c1").await.unwrap();
        b.chat().add("room", "ben", "c2").await.unwrap();
        b.server("c1").global.stop().await.unwrap();
        assert_eq!(b.views("room", "c1").await, (vec![], vec![]));
        let late = b.server("c1").global.add("room", "anna", "c1").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::StaleIncarnation);
        assert_eq!(b.chat().count("room").await.unwrap(), 1);
        b.start("c1", 2).global.add("room", "anna", "c1").await.unwrap();
        assert_eq!(b.chat().count("room").await.unwrap(), 2);
    });
}

#[test]
fn a_store_that_panics_is_an_error_and_no_end() {
    run(1, |b| async move {
        b.chat().add("room", "anna", "c1").await.unwrap();
        b.chat().leave("room", "anna", "c1").await.unwrap();
        b.store.suffer(Trouble::Panics);
        assert_eq!(b.chat().add("room", "anna", "c1").await.unwrap_err().kind(), ErrorKind::Io);
        b.store.suffer(Trouble::None);
        b.chat().add("room", "ben", "c1").await.unwrap();
        assert_eq!(b.views("room", "c1").await.1, ["ben"]);
    });
}
