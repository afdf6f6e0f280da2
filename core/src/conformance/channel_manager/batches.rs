//! Many users in one change.

use super::Suite;
use super::stores::{all, at, channels, set, users};
use crate::channel::Frontend;
use crate::config::Incarnation;
use alloc::vec::Vec;
use futures_lite::future::yield_now;

impl Suite<'_> {
    /// A user that is named twice in a batch is one member.
    pub async fn a_batch_with_repetitions_is_a_set(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let batch = ["anna", "ben", "anna", "anna"].map(Into::into);
        s.a.add_many(&room, &front, &batch).await.unwrap();
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna", "ben"]));
        assert_eq!(s.a.count(&room).await.unwrap(), 2);
        s.a.leave_many(&room, &front, &batch).await.unwrap();
        assert!(all(&s.a, &room).await.is_empty());
        s.close().await;
    }

    /// A batch of nobody is fine: no channel appears, and no life begins.
    pub async fn a_batch_of_nobody_changes_nothing(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let later = Frontend { incarnation: Incarnation(2), ..front.clone() };
        s.a.add_many(&room, &later, &[]).await.unwrap();
        s.a.leave_many(&room, &later, &[]).await.unwrap();
        assert!(channels(&s.a, &front.sid).await.is_empty());
        s.a.add(&room, &front, "anna").await.expect("a batch of nobody has begun a life");
        s.a.add_many(&room, &later, &[]).await.unwrap();
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
        s.close().await;
    }

    /// A reader sees all of a batch or none of it, while it comes and while it goes.
    pub async fn a_batch_is_seen_whole(&self) {
        const USERS: usize = 3000;
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let changing = self.spawn({
            let (manager, room, front) = (s.a.clone(), room.clone(), front.clone());
            async move {
                for _ in 0..10 {
                    manager.add_many(&room, &front, &users(USERS)).await.unwrap();
                    manager.leave_many(&room, &front, &users(USERS)).await.unwrap();
                }
                manager.add_many(&room, &front, &users(USERS)).await.unwrap();
            }
        });
        let mut reads = 0;
        while !changing.ended() || reads == 0 {
            let seen = at(&s.b, &room, &front.sid).await.len();
            assert!(seen == 0 || seen == USERS, "{seen} of a batch of {USERS} users");
            reads += 1;
            yield_now().await;
        }
        changing.end().await;
        assert_eq!(at(&s.b, &room, &front.sid).await.len(), USERS);
        s.a.destroy(&room).await.unwrap();
        s.close().await;
    }

    /// Sizes around those at which stores split.
    pub async fn batches_of_every_size(&self) {
        let s = self.open().await;
        let front = self.frontend();
        for size in [1, 2, 99, 100, 511, 512, 513, 999, 1000, 1001, 4095, 4096, 4097, 10_000, 32_769] {
            let (room, users) = (self.name("room"), users(size));
            s.a.add_many(&room, &front, &users).await.unwrap();
            assert_eq!(at(&s.b, &room, &front.sid).await, set(&users), "a batch of {size}");
            let (gone, rest) = users.split_at(size / 2);
            s.a.leave_many(&room, &front, gone).await.unwrap();
            assert_eq!(at(&s.b, &room, &front.sid).await, set(rest), "half of a batch of {size} has left");
            let both: Vec<_> = users.iter().rev().cloned().collect();
            s.a.leave_many(&room, &front, &both).await.unwrap();
            assert!(all(&s.b, &room).await.is_empty(), "a batch of {size} has left");
        }
        s.close().await;
    }
}
