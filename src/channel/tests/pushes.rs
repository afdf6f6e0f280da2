//! Messages to global channels.

use super::super::wire::PUSH;
use super::store::Trouble;
use super::{Fault, run};
use core::time::Duration;
use tangelo_core::channel::{ChannelManager, Frontend, PushOptions};
use tangelo_core::config::Incarnation;
use tangelo_core::{ErrorKind, Instant};

const SHORT: Duration = Duration::from_millis(400);

#[test]
fn a_push_is_one_message_to_each_frontend_and_no_read() {
    run(8, |b| async move {
        let many: Vec<String> = (0..1250).map(|n| format!("user-{n}")).collect();
        for n in 1..=8 {
            b.chat().add_many("room", &many, &format!("c{n}")).await.unwrap();
        }
        b.calls(PUSH);
        b.store.counted();
        let report =
            b.chat().push("connector", "onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!((report.delivered, report.frontends, report.is_complete()), (10_000, 8, true));
        assert_eq!(b.calls(PUSH).len(), 8);
        assert_eq!(b.store.counted(), (0, 0));
        for n in 1..=8 {
            let got = b.server(&format!("c{n}")).sink.got();
            assert_eq!(got.len(), 1250);
            assert!(got.values().all(|messages| *messages == ["onChat: hello"]));
        }
    });
}

#[test]
fn a_push_from_a_frontend_reaches_its_own_users_without_the_network() {
    run(2, |b| async move {
        b.chat().add("room", "anna", "c1").await.unwrap();
        b.chat().add("room", "ben", "c2").await.unwrap();
        b.calls(PUSH);
        let global = b.server("c1").global;
        let report = global.push("connector", "onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!(report.delivered, 2);
        assert_eq!(b.calls(PUSH), ["c2"]);
    });
}

#[test]
fn options_choose_the_users_everywhere() {
    run(2, |b| async move {
        for sid in ["c1", "c2"] {
            b.chat().add_many("room", &["anna", "ben", "cleo"], sid).await.unwrap();
        }
        let options = PushOptions::new().except(["anna"]);
        let report = b.chat().push("connector", "onChat", "hello", "room", &options).await.unwrap();
        assert_eq!(report.delivered, 4);
        let options = PushOptions::new().only(["anna", "dora"]);
        let report = b.chat().push("connector", "onChat", "again", "room", &options).await.unwrap();
        assert_eq!(report.delivered, 2);
        let got = b.server("c2").sink.got();
        assert_eq!(
            (&*got["anna"], &*got["ben"]),
            (&["onChat: again".to_owned()][..], &["onChat: hello".to_owned()][..])
        );
        let report = b.chat().push("gate", "onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!((report.frontends, report.delivered), (0, 0));
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    run(1, |b| async move {
        let options = PushOptions::new();
        for (route, channel) in [("", "room"), (&*"x".repeat(256), "room"), ("onChat", ""), ("onChat", "a\0")]
        {
            let error = b.chat().push("connector", route, "", channel, &options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        let error = b.chat().push("connector", "onChat", "", "room", &options.timeout(Duration::ZERO)).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    });
}

#[test]
fn a_frontend_that_is_down_or_slow_holds_nobody_up_and_who_was_missed_is_named() {
    let limit = Duration::from_secs(2);
    for fault in [Fault::Dead, Fault::Hangs, Fault::Mute] {
        run(3, |b| async move {
            for n in 1..=3 {
                let users = [format!("a{n}"), format!("b{n}"), format!("c{n}")];
                b.chat().add_many("room", &users, &format!("c{n}")).await.unwrap();
            }
            b.store.counted();
            b.break_down("c2", fault);
            let options = PushOptions::new().except(["b2"]).timeout(limit);
            let (tell, told) = async_channel::bounded(1);
            let begin = Instant::now();
            b.runtime.spawn(Box::pin({
                let b = b.clone();
                async move {
                    let report =
                        b.chat().push("connector", "onChat", "hello", "room", &options).await.unwrap();
                    let _ = tell.try_send(report);
                }
            }));
            for sid in ["c1", "c3"] {
                until!(b, "the others' messages", b.server(sid).sink.got().len() == 3);
            }
            if fault == Fault::Hangs {
                assert!(told.is_empty(), "it has waited for the slow one");
            }
            let report = told.recv().await.unwrap();
            assert!(Instant::now().saturating_since(begin) < limit * 3, "{fault:?}");
            assert_eq!(report.delivered, 6, "{fault:?}");
            assert_eq!(report.unreached().collect::<Vec<_>>(), [("c2", "a2"), ("c2", "c2")], "{fault:?}");
            let kind = if fault == Fault::Hangs { ErrorKind::Timeout } else { ErrorKind::Unavailable };
            assert_eq!(report.failed[0].reason.kind, kind);
            assert_eq!(b.store.counted().1, 1, "only the missed ones are looked up");
        });
    }
}

#[test]
fn without_a_store_too_nobody_is_silently_left_out() {
    run(2, |b| async move {
        b.chat().add("room", "anna", "c1").await.unwrap();
        b.chat().add("room", "ben", "c2").await.unwrap();
        b.break_down("c2", Fault::Dead);
        for trouble in [Trouble::Down, Trouble::Slow] {
            b.store.suffer(trouble);
            let options = PushOptions::new().timeout(SHORT);
            let begin = Instant::now();
            let report = b.chat().push("connector", "onChat", "hello", "room", &options).await.unwrap();
            assert!(Instant::now().saturating_since(begin) < SHORT * 3, "{trouble:?}");
            assert_eq!((report.delivered, report.failed.len()), (1, 1));
            assert_eq!((report.failed[0].more, &*report.failed[0].sid), (None, "c2"), "{trouble:?}");
        }
    });
}

#[test]
fn whom_a_sink_cannot_reach_is_named() {
    run(2, |b| async move {
        b.chat().add_many("room", &["anna", "ben"], "c1").await.unwrap();
        b.chat().add_many("room", &["cleo"], "c2").await.unwrap();
        b.server("c1").sink.refuse("ben", "its queue is full");
        let report =
            b.chat().push("connector", "onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!((report.delivered, report.unreached().collect::<Vec<_>>()), (2, vec![("c1", "ben")]));
        assert_eq!(report.failed[0].reason.message, "its queue is full");
    });
}

#[test]
fn pushes_that_nobody_waits_for_arrive_all_the_same_and_come_to_an_end() {
    run(2, |b| async move {
        b.chat().add("room", "anna", "c1").await.unwrap();
        b.break_down("c2", Fault::Hangs);
        let (chat, options) = (b.chat(), PushOptions::new().timeout(SHORT));
        for _ in 0..100 {
            let mut push = Box::pin(chat.push("connector", "onChat", "hello", "room", &options));
            assert!(futures_lite::future::poll_once(&mut push).await.is_none());
        }
        until!(b, "all of them", b.server("c1").sink.got().get("anna").map_or(0, Vec::len) == 100);
    });
}

#[test]
fn whom_a_dead_frontend_has_left_behind_is_missed_until_it_is_cleared_away() {
    run(2, |b| async move {
        b.chat().add_many("room", &["anna", "ben"], "c1").await.unwrap();
        b.chat().add("room", "cleo", "c2").await.unwrap();
        b.chat().add("other", "anna", "c1").await.unwrap();
        b.kill("c1");
        let options = PushOptions::new().except(["ben"]);
        for _ in 0..2 {
            let report = b.chat().push("connector", "onChat", "hello", "room", &options).await.unwrap();
            assert_eq!((report.delivered, report.frontends), (1, 1));
            assert_eq!(report.unreached().collect::<Vec<_>>(), [("c1", "anna")]);
            assert_eq!(report.failed[0].reason.message, "c1 has gone");
        }
        let report = b.chat().push("connector", "onChat", "hello", "third", &options).await.unwrap();
        assert!(report.is_complete(), "nobody in that channel is missed");
        let report = b.chat().push("gate", "onChat", "hello", "room", &options).await.unwrap();
        assert!(report.is_complete(), "it was no gate");
        b.store.suffer(Trouble::Down);
        let report = b.chat().push("connector", "onChat", "hello", "room", &options).await.unwrap();
        assert_eq!(report.failed[0].more, None, "nobody knows whom it has left behind");
        b.store.suffer(Trouble::None);

        // What the leader does.
        let dead = Frontend { sid: "c1".into(), incarnation: Incarnation(1) };
        b.store.inner().0.purge_server(&dead).await.unwrap();
        for reads in [2, 0] {
            b.store.counted();
            let report = b.chat().push("connector", "onChat", "hello", "room", &options).await.unwrap();
            assert!(report.is_complete());
            assert_eq!(b.store.counted().1, reads, "it is looked up once more, and then forgotten");
        }
    });
}

#[test]
fn a_successor_clears_away_what_its_predecessor_has_left_before_it_is_up() {
    run(1, |b| async move {
        b.chat().add_many("room", &["anna", "ben"], "c1").await.unwrap();
        b.kill("c1");
        let successor = b.start("c1", 2);
        successor.global.ready().await.unwrap();
        assert_eq!(b.chat().count("room").await.unwrap(), 0, "ghosts");
        let report =
            b.chat().push("connector", "onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!((report.frontends, report.is_complete()), (1, true));
    });
}
