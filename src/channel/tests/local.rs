//! Channels that one process knows.

use super::{Fault, run};
use core::time::Duration;
use tangelo_core::ErrorKind;
use tangelo_core::channel::PushOptions;

#[test]
fn members_come_and_go() {
    run(0, |b| async move {
        let channels = b.server("chat").local;
        channels.add("room", "anna", "c1").unwrap();
        channels.add_many("room", &["anna", "ben"], "c1").unwrap();
        channels.add("room", "anna", "c2").unwrap();
        channels.add_many::<&str>("empty", &[], "c1").unwrap();
        assert_eq!((channels.count("room"), channels.count("empty")), (3, 0));
        assert!(channels.contains("room", "ben", "c1") && !channels.contains("room", "ben", "c2"));
        assert_eq!(channels.members_by_server("room", "c2"), ["anna"]);
        assert_eq!(channels.members("room").len(), 3);
        assert_eq!(channels.channels_of_server("c1"), ["room"]);
        channels.leave("room", "ben", "c1").unwrap();
        channels.leave("room", "nobody", "c9").unwrap();
        channels.leave_all("anna", "c1");
        assert!(channels.channels_of_server("c1").is_empty());
        channels.leave_server("c2");
        assert_eq!(channels.count("room"), 0);
        channels.add("room", "anna", "c1").unwrap();
        channels.destroy("room");
        assert!(channels.members("room").is_empty());
        for wrong in ["", "\0", &"x".repeat(256)] {
            assert_eq!(channels.add(wrong, "a", "c1").unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(channels.add("room", wrong, "c1").unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(channels.add("room", "a", wrong).unwrap_err().kind(), ErrorKind::Invalid);
        }
        assert_eq!((b.store.counted()), (0, 0), "it needs no store");
    });
}

#[test]
fn a_push_reaches_the_members_at_every_frontend_and_says_whom_it_has_missed() {
    run(3, |b| async move {
        let channels = b.server("chat").local;
        for sid in ["c1", "c2", "c3"] {
            channels.add_many("room", &["anna", "ben", "cleo"], sid).unwrap();
        }
        let options = PushOptions::new().except(["cleo"]);
        let report = channels.push("onChat", "hello", "room", &options).await.unwrap();
        assert_eq!((report.delivered, report.frontends, report.is_complete()), (6, 3, true));
        b.break_down("c2", Fault::Dead);
        b.break_down("c3", Fault::Hangs);
        let options = PushOptions::new().only(["anna"]).timeout(Duration::from_millis(300));
        let report = channels.push("onChat", "hello", "room", &options).await.unwrap();
        assert_eq!(report.delivered, 1);
        assert_eq!(report.unreached().collect::<Vec<_>>(), [("c2", "anna"), ("c3", "anna")]);
        assert_eq!(b.store.counted(), (0, 0), "it needs no store");
        assert_eq!(b.server("c1").sink.got()["anna"].len(), 2);
    });
}

#[test]
fn a_channel_too_large_for_a_message_is_sent_in_parts() {
    run(2, |b| async move {
        let channels = b.server("chat").local;
        let many: Vec<String> = (0..25_000).map(|n| format!("user-{n}")).collect();
        channels.add_many("room", &many, "c1").unwrap();
        channels.add("room", "anna", "c9").unwrap();
        let report = channels.push("onChat", "hello", "room", &PushOptions::new()).await.unwrap();
        assert_eq!(report.delivered, 25_000);
        assert_eq!(report.unreached().collect::<Vec<_>>(), [("c9", "anna")]);
        assert_eq!(report.failed[0].reason.kind, ErrorKind::NotFound);
        let report = channels.push("onChat", "hello", "nowhere", &PushOptions::new()).await.unwrap();
        assert_eq!((report.frontends, report.delivered), (0, 0));
    });
}
