//! What outlives a manager.

use super::Suite;
use super::stores::{all, assert_stale, at, channels, life, set, users};
use alloc::vec::Vec;

impl Suite<'_> {
    /// Many managers may start on one store at the same time.
    pub async fn managers_start_at_once(&self) {
        let s = self.open().await;
        if s.capability.shared {
            let mut starting = Vec::new();
            for n in 0..10 {
                let (manager, room, front) = ((self.connect)().await, self.name("room"), self.frontend());
                starting.push(self.spawn(async move {
                    manager.start().await.unwrap_or_else(|error| panic!("start {n}: {error}"));
                    manager.add(&room, &front, "anna").await.unwrap();
                    assert_eq!(at(&manager, &room, &front.sid).await, set(&["anna"]));
                    manager.stop().await.unwrap();
                    (room, front)
                }));
            }
            for task in starting {
                let (room, front) = task.end().await;
                assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
            }
        }
        s.a.start().await.expect("starting again");
        s.close().await;
    }

    /// Members are there for the next manager.
    pub async fn members_outlive_their_manager(&self) {
        let s = self.open().await;
        if !s.capability.durable {
            return s.close().await;
        }
        let (room, gone, front) = (self.name("room"), self.name("room"), self.frontend());
        s.a.add_many(&room, &front, &users(300)).await.unwrap();
        s.a.add(&gone, &front, "anna").await.unwrap();
        s.a.destroy(&gone).await.unwrap();
        s.a.leave(&room, &front, "user-0").await.unwrap();
        s.close().await;
        let s = self.open().await;
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&users(300)[1..]));
        assert_eq!(channels(&s.b, &front.sid).await, set(&[&room]));
        assert!(all(&s.a, &gone).await.is_empty());
        s.a.leave(&room, &front, "user-1").await.expect("the same life, after a reconnect");
        s.b.add(&room, &front, "user-0").await.expect("the same life, after a reconnect");
        assert_eq!(s.a.count(&room).await.unwrap(), 299);
        s.close().await;
    }

    /// So is the knowledge of whose life is over.
    pub async fn what_was_purged_stays_so_after_a_reconnect(&self) {
        let s = self.open().await;
        if !s.capability.durable {
            return s.close().await;
        }
        let (room, purged, replaced) = (self.name("room"), self.frontend(), self.frontend());
        s.a.add(&room, &purged, "anna").await.unwrap();
        s.a.purge_server(&purged).await.unwrap();
        s.a.add(&room, &replaced, "ben").await.unwrap();
        s.a.add(&room, &life(&replaced, 2), "cleo").await.unwrap();
        s.close().await;
        let s = self.open().await;
        for manager in [&s.a, &s.b] {
            assert_stale(manager.add(&room, &purged, "anna").await, "purged before the reconnect");
            assert_stale(manager.leave(&room, &replaced, "cleo").await, "replaced before the reconnect");
            assert_stale(manager.add(&room, &replaced, "ben").await, "replaced before the reconnect");
        }
        assert!(at(&s.a, &room, &purged.sid).await.is_empty());
        assert_eq!(at(&s.a, &room, &replaced.sid).await, set(&["cleo"]));
        s.b.add(&room, &life(&purged, 2), "anna").await.unwrap();
        s.close().await;
    }
}
