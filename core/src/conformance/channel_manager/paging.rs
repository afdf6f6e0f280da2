//! Reading channels of any size.

use super::Suite;
use super::stores::{Pages, all, at, page, set, users};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use futures_lite::future::yield_now;

impl Suite<'_> {
    /// A channel of [`members`](Self::members) users, added and read, in bounded pages.
    pub async fn a_large_channel_is_read_in_pages(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let users = users(self.members);
        for batch in users.chunks(20_000) {
            s.a.add_many(&room, &front, batch).await.unwrap();
        }
        let expected: BTreeSet<_> = users.iter().map(|uid| (front.sid.clone(), uid.clone())).collect();
        assert!(all(&s.b, &room).await == expected, "the pages do not hold what was added");
        assert_eq!(at(&s.b, &room, &front.sid).await.len(), users.len());
        assert_eq!(s.b.count(&room).await.unwrap(), users.len() as u64);
        assert!(s.b.contains(&room, &front.sid, &users[users.len() / 2]).await.unwrap());
        s.a.destroy(&room).await.unwrap();
        assert!(all(&s.b, &room).await.is_empty());
        s.close().await;
    }

    /// Members at many frontends, more of them than fit on a page.
    pub async fn a_channel_at_many_frontends_is_read_whole(&self) {
        let s = self.open().await;
        let (room, mut expected) = (self.name("room"), BTreeSet::new());
        for n in 0..60 {
            let (front, users) = (self.frontend(), users(n * 5 + 1));
            s.a.add_many(&room, &front, &users).await.unwrap();
            expected.extend(users.into_iter().map(|uid| (front.sid.clone(), uid)));
        }
        assert_eq!(all(&s.b, &room).await, expected);
        s.a.destroy(&room).await.unwrap();
        s.close().await;
    }

    /// Whoever is there from the first page to the last is read, whoever else comes and goes.
    pub async fn members_that_stay_are_read_while_others_change(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let users = users(30_000);
        let (stay, come) = users.split_at(10_000);
        s.a.add_many(&room, &front, stay).await.unwrap();
        let churn = self.spawn({
            let (manager, room, front, come) = (s.b.clone(), room.clone(), front.clone(), come.to_vec());
            async move {
                for batch in come.chunks(500) {
                    manager.add_many(&room, &front, batch).await.unwrap();
                    manager.leave_many(&room, &front, &batch[..400]).await.unwrap();
                    yield_now().await;
                }
            }
        });
        let mut reads = 0;
        while !churn.ended() || reads == 0 {
            let seen: BTreeSet<_> = all(&s.a, &room).await.into_iter().map(|(_, uid)| uid).collect();
            let missing = stay.iter().filter(|uid| !seen.contains(*uid)).count();
            assert_eq!(missing, 0, "of {} members that never left, {missing} were not read", stay.len());
            reads += 1;
            yield_now().await;
        }
        churn.end().await;
        s.a.destroy(&room).await.unwrap();
        s.close().await;
    }

    /// While a reader thinks about its first page, everybody else works on.
    pub async fn a_slow_reader_holds_nobody_up(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.add_many(&room, &front, &users(10_000)).await.unwrap();
        // More readers than any pool has connections.
        let mut readers: Vec<Pages<'_>> = (0..64).map(|_| s.a.members(&room)).collect();
        for reader in &mut readers {
            assert!(page(reader).await.is_some());
        }
        for manager in [&s.a, &s.b] {
            manager.add(&room, &front, "anna").await.unwrap();
            manager.leave(&room, &front, "anna").await.unwrap();
            manager.add(&self.name("room"), &front, "anna").await.unwrap();
            manager.destroy(&self.name("room")).await.unwrap();
            manager.purge_server(&self.frontend()).await.unwrap();
        }
        let mut last = BTreeSet::new();
        while let Some(page) = page(&mut readers[0]).await {
            last.extend(page.into_iter().map(|member| member.uid));
        }
        drop(readers);
        s.a.destroy(&room).await.unwrap();
        assert!(!last.is_empty(), "a channel of 10 000 members on one page");
        s.close().await;
    }

    /// Streams that are dropped after a page, or before, give back what they held.
    pub async fn dropped_readers_leave_nothing_behind(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.add_many(&room, &front, &users(9000)).await.unwrap();
        for n in 0..200 {
            let mut reader = s.a.members(&room);
            for _ in 0..n % 3 {
                assert!(page(&mut reader).await.is_some());
            }
        }
        s.a.leave_many(&room, &front, &users(8999)).await.unwrap();
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["user-8999"]));
        s.close().await;
    }
}
