//! Futures that are dropped half way, managers too.

use super::Suite;
use super::stores::{Manager, all, at, channels, set, users};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use futures_lite::future;

/// Polls a future at most so many times, each time after it was woken, and drops it.
pub(super) async fn abandon<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

impl Suite<'_> {
    /// A batch whose caller has gone, whenever that was, is there whole or not at all; the manager
    /// serves the others.
    pub async fn dropped_changes_happen_whole_or_not_at_all(&self) {
        const USERS: usize = 2000;
        let s = self.open().await;
        let (users, mut rng) = (users(USERS), fastrand::Rng::with_seed(11));
        for turn in 0..60 {
            let (room, front) = (self.name("room"), self.frontend());
            if turn % 2 == 0 {
                abandon(s.a.add_many(&room, &front, &users), turn / 2).await;
            } else {
                let gone = self.runtime.sleep(Duration::from_micros(rng.u64(0..8000)));
                let add = async { drop(s.a.add_many(&room, &front, &users).await) };
                future::or(add, gone).await;
            }
            // It may still arrive; but never a part of it.
            for manager in [&s.b, &s.a] {
                let seen = at(manager, &room, &front.sid).await.len();
                assert!(seen == 0 || seen == USERS, "{seen} of {USERS} users of a dropped batch");
            }
            s.a.add(&room, &front, "anna").await.expect("a change after a dropped one");
            let seen = at(&s.b, &room, &front.sid).await.len();
            assert!(seen == 1 || seen == USERS + 1, "{seen} users after a dropped batch of {USERS}");
            abandon(s.a.destroy(&room), turn % 7).await;
            s.a.purge_server(&front).await.unwrap();
            assert!(channels(&s.b, &front.sid).await.is_empty());
        }
        s.close().await;
    }

    /// A manager that is dropped amid changes, as a process dies, leaves the store usable, and every
    /// change whole. What it had acknowledged is there.
    pub async fn a_manager_may_be_dropped_amid_changes(&self) {
        const USERS: usize = 500;
        let s = self.open().await;
        if !(s.capability.shared && s.capability.durable) {
            return s.close().await;
        }
        for turn in 0..6 {
            let (room, front, dying) = (self.name("room"), self.frontend(), self.one().await);
            dying.add(&room, &front, "acknowledged").await.unwrap();
            let mut rooms = Vec::new();
            for n in 0..8 {
                let (manager, room, front) = (Manager::clone(&dying), self.name("room"), front.clone());
                rooms.push(room.clone());
                self.runtime.spawn(Box::pin(async move {
                    let users = users(USERS);
                    abandon(manager.add_many(&room, &front, &users), turn + n).await;
                }));
            }
            drop(dying);
            assert_eq!(at(&s.a, &room, &front.sid).await, set(&["acknowledged"]));
            for room in &rooms {
                let seen = all(&s.b, room).await.len();
                assert!(seen == 0 || seen == USERS, "{seen} of {USERS} users of a manager that was dropped");
            }
            s.b.purge_server(&front).await.unwrap();
            for room in rooms.iter().chain([&room]) {
                s.a.add(room, &self.frontend(), &format!("user-{turn}")).await.unwrap();
                assert_eq!(all(&s.b, room).await.len(), 1, "a ghost of a manager that was dropped");
            }
        }
        s.close().await;
    }
}
