//! The store goes away and comes back; frontends die and are declared dead.

use super::store::Trouble;
use super::{Bench, Fault, TIMEOUT, run};
use core::time::Duration;
use tangelo_core::channel::{ChannelManager, Frontend, PushOptions};
use tangelo_core::config::Incarnation;
use tangelo_core::{ErrorKind, Instant};

/// Waits until a frontend owes the store nothing any more.
async fn settled(b: &Bench, sid: &str) {
    let server = b.server(sid);
    until!(b, "that nothing is owed", server.global.outstanding() == 0);
}

#[test]
fn a_store_that_is_down_is_an_error_and_no_empty_answer() {
    run(1, |b| async move {
        let chat = b.chat();
        chat.add("room", "anna", "c1").await.unwrap();
        b.store.suffer(Trouble::Down);
        assert_eq!(chat.count("room").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(chat.members_by_server("room", "c1").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(chat.add("room", "ben", "c1").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(chat.destroy("room").await.unwrap_err().kind(), ErrorKind::Unavailable);
        // Who is there already is there, store or no store; and a push needs none.
        chat.add("room", "anna", "c1").await.unwrap();
        let report = chat.push("connector", "onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!((report.delivered, report.is_complete()), (1, true));
        b.store.suffer(Trouble::None);
        chat.add("room", "ben", "c1").await.unwrap();
        settled(&b, "c1").await;
        let (stored, held) = b.views("room", "c1").await;
        assert_eq!((stored, held.len()), (held.clone(), 2));
    });
}

#[test]
fn an_add_whose_answer_is_lost_is_undone_and_a_leave_is_done() {
    run(1, |b| async move {
        let chat = b.chat();
        chat.add_many("room", &["anna", "ben"], "c1").await.unwrap();
        b.store.suffer(Trouble::LosesAnswers);
        assert_eq!(chat.add("room", "cleo", "c1").await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(b.views("room", "c1").await.0.len(), 3, "the store has made it all the same");
        b.store.suffer(Trouble::Down);
        assert_eq!(chat.leave("room", "anna", "c1").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(b.views("room", "c1").await.1, ["ben"], "a push would still reach her");
        assert_eq!(b.server("c1").global.outstanding(), 2);
        b.store.suffer(Trouble::None);
        settled(&b, "c1").await;
        assert_eq!(b.views("room", "c1").await, (vec!["ben".into()], vec!["ben".into()]));
    });
}

#[test]
fn who_comes_back_while_something_is_owed_stays() {
    run(1, |b| async move {
        let chat = b.chat();
        b.store.suffer(Trouble::LosesAnswers);
        chat.add("room", "anna", "c1").await.unwrap_err();
        chat.add("room", "ben", "c1").await.unwrap_err();
        b.store.suffer(Trouble::None);
        chat.add("room", "anna", "c1").await.unwrap();
        settled(&b, "c1").await;
        assert_eq!(b.views("room", "c1").await, (vec!["anna".into()], vec!["anna".into()]));
    });
}

#[test]
fn a_store_that_was_never_there_is_waited_for_no_longer_than_the_timeout() {
    run(0, |b| async move {
        b.store.suffer(Trouble::Down);
        let server = b.start("c1", 1);
        let begin = Instant::now();
        let error = server.global.add("room", "anna", "c1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("the store is down"), "{error}");
        assert!(Instant::now().saturating_since(begin) < TIMEOUT * 2);
        assert_eq!(server.global.outstanding(), 0, "it was never asked");
        b.store.suffer(Trouble::None);
        until!(b, "the store", server.global.add("room", "anna", "c1").await.is_ok());
    });
}

#[test]
fn a_slow_channel_does_not_hold_up_another_and_queues_are_bounded() {
    run(1, |b| async move {
        let server = b.server("c1");
        server.global.add("quiet", "anna", "c1").await.unwrap();
        b.store.suffer(Trouble::Slow);
        let many: Vec<String> = (0..150_000).map(|n| format!("user-{n}")).collect();
        let mut waiting: Vec<tangelo_core::BoxFuture<'_, _>> = Vec::new();
        // One is on its way; two wait, and one more would be too much.
        for _ in 0..2 {
            waiting.push(Box::pin(server.global.add_many("busy", &many, "c1")));
        }
        b.store.counted();
        for add in &mut waiting {
            assert!(futures_lite::future::poll_once(add).await.is_none());
            until!(b, "the first is on its way", b.store.asked() >= 1);
        }
        let error = server.global.add_many("busy", &many, "c1").await.unwrap_err();
        assert!(error.to_string().contains("it does not keep up"), "{error}");
        let begin = Instant::now();
        server.global.add("quiet", "anna", "c1").await.unwrap();
        assert!(Instant::now().saturating_since(begin) < TIMEOUT / 2, "held up by another channel");
        for add in waiting {
            assert_eq!(add.await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        let error = server.global.add("busy", "ben", "c1").await.unwrap_err();
        assert!(error.to_string().contains("too much is to be set right"), "{error}");
        b.store.suffer(Trouble::None);
        settled(&b, "c1").await;
        assert_eq!(b.views("busy", "c1").await, (vec![], vec![]));
    });
}

#[test]
fn a_frontend_that_was_declared_dead_has_no_members_and_a_late_add_is_refused() {
    run(2, |b| async move {
        let chat = b.chat();
        chat.add("room", "anna", "c1").await.unwrap();
        chat.add("room", "ben", "c2").await.unwrap();
        // What the leader does.
        let dead = Frontend { sid: "c1".into(), incarnation: Incarnation(1) };
        b.store.inner().0.purge_server(&dead).await.unwrap();
        let late = chat.add("room", "cleo", "c1").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::StaleIncarnation);
        assert_eq!(b.views("room", "c1").await, (vec![], vec![]), "ghosts in the memory of a dead life");
        assert_eq!(chat.leave("room", "anna", "c1").await.unwrap_err().kind(), ErrorKind::StaleIncarnation);
        chat.destroy("other").await.expect("a dead life has nothing to destroy");
        // Its successor does not mind.
        b.start("c1", 2);
        chat.add("room", "anna", "c1").await.unwrap();
        b.store.inner().0.purge_server(&dead).await.unwrap();
        assert_eq!(b.views("room", "c1").await, (vec!["anna".into()], vec!["anna".into()]));
        assert_eq!(chat.count("room").await.unwrap(), 2);
    });
}

#[test]
fn an_add_whose_frontend_dies_is_an_error() {
    run(2, |b| async move {
        b.break_down("c1", Fault::Dead);
        assert_eq!(b.chat().add("room", "anna", "c1").await.unwrap_err().kind(), ErrorKind::Unavailable);
        b.chat().add("room", "ben", "c2").await.unwrap();
        let error = b.chat().destroy("room").await.unwrap_err();
        assert!(error.to_string().contains("c1 may still have members"), "{error}");
        assert_eq!(b.views("room", "c2").await, (vec![], vec![]), "the others' members are gone");
        b.repair("c1");
        b.chat().destroy("room").await.unwrap();
    });
}

/// Random changes by several servers while the store fails at random: when all is well again, the
/// store has what the memory has, and every acknowledged change is there.
#[test]
fn after_any_trouble_store_and_memory_agree() {
    for seed in 0..4 {
        run(2, |b| async move {
            let (tell, told) = async_channel::bounded(8);
            for n in 0..8u64 {
                let (b, tell) = (b.clone(), tell.clone());
                b.runtime.clone().spawn(Box::pin(async move {
                    let mut rng = fastrand::Rng::with_seed(seed * 100 + n);
                    let mut certain = Vec::new();
                    for m in 0..60 {
                        let (uid, sid) = (format!("user-{n}-{m}"), format!("c{}", n % 2 + 1));
                        let room = format!("room-{}", rng.u8(0..3));
                        let added = b.chat().add(&room, &uid, &sid).await;
                        if rng.bool() {
                            let _ = b.chat().leave(&room, &uid, &sid).await;
                        } else if added.is_ok() {
                            certain.push((room, uid, sid));
                        }
                    }
                    let _ = tell.try_send(certain);
                }));
            }
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut certain = Vec::new();
            for _ in 0..8 {
                let trouble = [Trouble::None, Trouble::Down, Trouble::LosesAnswers][rng.usize(0..3)];
                b.store.suffer(trouble);
                b.runtime.sleep(Duration::from_millis(rng.u64(1..15))).await;
            }
            b.store.suffer(Trouble::None);
            for _ in 0..8 {
                certain.extend(told.recv().await.unwrap());
            }
            for sid in ["c1", "c2"] {
                settled(&b, sid).await;
                for room in 0..3 {
                    let room = format!("room-{room}");
                    let (stored, held) = b.views(&room, sid).await;
                    assert_eq!(stored, held, "seed {seed}, {room} at {sid}");
                    for (_, uid, _) in certain.iter().filter(|(r, _, s)| *r == room && s == sid) {
                        assert!(held.contains(uid), "seed {seed}: {uid} was acknowledged and is lost");
                    }
                }
            }
        });
    }
}
