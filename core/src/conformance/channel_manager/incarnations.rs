//! Which life of a frontend may change something.

use super::Suite;
use super::stores::{all, assert_stale, at, channels, life, set, users};
use crate::channel::MAX_INCARNATION;

impl Suite<'_> {
    /// A life that was purged neither adds nor leaves, in old channels or new ones.
    pub async fn a_purged_incarnation_is_refused(&self) {
        let s = self.open().await;
        let (room, fresh, front) = (self.name("room"), self.name("room"), self.frontend());
        s.a.add(&room, &front, "anna").await.unwrap();
        s.a.purge_server(&front).await.unwrap();
        for manager in [&s.a, &s.b] {
            for room in [&room, &fresh] {
                assert_stale(manager.add(room, &front, "ben").await, "a late add");
                assert_stale(manager.add_many(room, &front, &users(5000)).await, "a late batch");
                assert_stale(manager.leave(room, &front, "anna").await, "a late leave");
                assert_stale(manager.leave_many(room, &front, &users(3)).await, "a late batch of leaves");
                assert!(all(manager, room).await.is_empty(), "a refused change has done something");
            }
        }
        assert!(channels(&s.a, &front.sid).await.is_empty());
        s.close().await;
    }

    /// So is every life before it.
    pub async fn an_incarnation_older_than_the_purged_is_refused(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.purge_server(&life(&front, 7)).await.unwrap();
        for n in [0, 1, 6, 7] {
            assert_stale(s.b.add(&room, &life(&front, n), "anna").await, "after the purge of 7");
        }
        s.b.add(&room, &life(&front, 8), "anna").await.expect("the life after the purged one");
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
        s.close().await;
    }

    /// A frontend may die before its first member: its late adds are refused all the same.
    pub async fn a_purge_before_any_member_counts(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.b.purge_server(&front).await.unwrap();
        assert_stale(s.a.add(&room, &front, "anna").await, "the first add of a purged life");
        assert!(all(&s.a, &room).await.is_empty());
        s.a.add(&room, &life(&front, 2), "anna").await.unwrap();
        s.close().await;
    }

    /// The purge of an earlier life, come late, does not let a later one in again.
    pub async fn an_earlier_purge_does_not_lower_the_bar(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.purge_server(&life(&front, 5)).await.unwrap();
        s.b.purge_server(&life(&front, 3)).await.unwrap();
        assert_stale(s.a.add(&room, &life(&front, 4), "anna").await, "4 after the purges of 5 and 3");
        assert_stale(s.b.add(&room, &life(&front, 5), "anna").await, "5 after the purges of 5 and 3");
        s.a.add(&room, &life(&front, 6), "anna").await.unwrap();
        s.close().await;
    }

    /// A purge that comes after the successor's first members takes none of them.
    pub async fn a_late_purge_spares_the_successor(&self) {
        let s = self.open().await;
        let (old, new, front) = (self.name("room"), self.name("room"), self.frontend());
        s.a.add_many(&old, &front, &["anna".into(), "ben".into()]).await.unwrap();
        let next = life(&front, 2);
        s.b.add(&old, &next, "anna").await.unwrap();
        s.b.add(&new, &next, "cleo").await.unwrap();
        for manager in [&s.a, &s.b] {
            manager.purge_server(&front).await.unwrap();
            assert_eq!(at(&s.a, &old, &front.sid).await, set(&["anna"]));
            assert_eq!(at(&s.a, &new, &front.sid).await, set(&["cleo"]));
            assert_eq!(channels(&s.b, &front.sid).await, set(&[&old, &new]));
        }
        s.b.add(&old, &next, "dora").await.expect("the successor after the late purge");
        s.close().await;
    }

    /// The first change of a later life purges those before it: nobody waits for the leader.
    pub async fn a_successor_takes_the_place_of_its_predecessor(&self) {
        let s = self.open().await;
        let (one, two, front, other) =
            (self.name("room"), self.name("room"), self.frontend(), self.frontend());
        s.a.add_many(&one, &front, &["anna".into(), "ben".into()]).await.unwrap();
        s.a.add(&two, &front, "cleo").await.unwrap();
        s.a.add(&two, &other, "dora").await.unwrap();
        s.b.add(&one, &life(&front, 3), "ben").await.unwrap();
        assert_eq!(at(&s.a, &one, &front.sid).await, set(&["ben"]), "ghosts beside the successor's member");
        assert!(at(&s.a, &two, &front.sid).await.is_empty(), "ghosts in another channel");
        assert_eq!(channels(&s.a, &front.sid).await, set(&[&one]));
        assert_eq!(at(&s.a, &two, &other.sid).await, set(&["dora"]), "another frontend's member is gone");
        for manager in [&s.a, &s.b] {
            for n in [1, 2] {
                assert_stale(manager.add(&one, &life(&front, n), "emil").await, "beside a successor");
                assert_stale(manager.leave(&one, &life(&front, n), "ben").await, "beside a successor");
            }
        }
        assert_eq!(at(&s.b, &one, &front.sid).await, set(&["ben"]));
        s.close().await;
    }

    /// A leave is a change like any other.
    pub async fn a_successor_that_only_leaves_takes_the_place_too(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.add_many(&room, &front, &["anna".into(), "ben".into()]).await.unwrap();
        s.b.leave(&room, &life(&front, 2), "anna").await.unwrap();
        assert!(at(&s.a, &room, &front.sid).await.is_empty(), "a ghost beside the successor");
        assert!(channels(&s.a, &front.sid).await.is_empty());
        assert_stale(s.a.add(&room, &front, "ben").await, "beside a successor");
        s.close().await;
    }

    /// A leave by a life that is over does not remove the user who is there now.
    pub async fn a_late_leave_does_not_touch_the_successor(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.add(&room, &front, "anna").await.unwrap();
        s.b.purge_server(&front).await.unwrap();
        s.b.add(&room, &life(&front, 2), "anna").await.unwrap();
        assert_stale(s.a.leave(&room, &front, "anna").await, "a late leave");
        assert_stale(s.a.leave_many(&room, &front, &["anna".into()]).await, "a late leave");
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
        s.close().await;
    }

    /// Neighbouring numbers are told apart as far as they go.
    pub async fn incarnations_may_be_large(&self) {
        let s = self.open().await;
        let last = MAX_INCARNATION.0;
        for n in [9, 99, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, last - 2, last - 1] {
            let (room, front) = (self.name("room"), self.frontend());
            s.a.add(&room, &life(&front, n), "anna").await.unwrap();
            s.a.purge_server(&life(&front, n - 1)).await.unwrap();
            assert_eq!(at(&s.b, &room, &front.sid).await, set(&["anna"]), "{n} after the purge of {}", n - 1);
            s.a.add(&room, &life(&front, n + 1), "ben").await.unwrap();
            assert_stale(s.b.add(&room, &life(&front, n), "cleo").await, "the life before");
            assert_eq!(at(&s.b, &room, &front.sid).await, set(&["ben"]), "{} after {n}", n + 1);
            s.b.purge_server(&life(&front, n + 1)).await.unwrap();
            assert_stale(s.a.add(&room, &life(&front, n + 1), "ben").await, "after its purge");
            assert!(at(&s.b, &room, &front.sid).await.is_empty());
        }
        s.close().await;
    }
}
