//! The end of a frontend's life.

use super::Suite;
use super::cancelling::abandon;
use super::stores::{all, assert_stale, at, channels, life, set, users};
use crate::channel::Frontend;
use crate::config::Incarnation;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use futures_lite::future::yield_now;

impl Suite<'_> {
    /// The dead frontend's members are gone from all channels.
    pub async fn purging_removes_from_every_channel(&self) {
        let s = self.open().await;
        let (front, other) = (self.frontend(), self.frontend());
        let rooms: Vec<String> = (0..30).map(|_| self.name("room")).collect();
        for (n, room) in rooms.iter().enumerate() {
            let manager = if n % 2 == 0 { &s.a } else { &s.b };
            manager.add_many(room, &front, &users(n + 1)).await.unwrap();
            manager.add(room, &other, "anna").await.unwrap();
        }
        s.b.purge_server(&front).await.unwrap();
        assert!(channels(&s.a, &front.sid).await.is_empty());
        for room in &rooms {
            assert!(at(&s.a, room, &front.sid).await.is_empty(), "a ghost in {room}");
            assert_eq!(s.a.count(room).await.unwrap(), 1);
            let expected = [(other.sid.clone(), String::from("anna"))];
            assert_eq!(all(&s.b, room).await, expected.into());
        }
        s.close().await;
    }

    /// Frontends whose ids begin alike are others.
    pub async fn purging_spares_other_frontends(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let others = ["0", ":", ":a", "%", "*", "?", "_", "-1"]
            .map(|end| Frontend { sid: format!("{}{end}", front.sid), incarnation: Incarnation(1) });
        for one in others.iter().chain([&front]) {
            s.a.add(&room, one, "anna").await.unwrap();
        }
        s.a.purge_server(&front).await.unwrap();
        assert!(at(&s.a, &room, &front.sid).await.is_empty());
        for other in &others {
            assert_eq!(at(&s.a, &room, &other.sid).await, set(&["anna"]), "{}", other.sid);
            s.b.add(&room, other, "ben").await.expect("a frontend that nobody has purged");
        }
        s.close().await;
    }

    /// A purge may be repeated.
    pub async fn purging_twice_is_purging_once(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.add_many(&room, &front, &users(10)).await.unwrap();
        for manager in [&s.a, &s.b, &s.a] {
            manager.purge_server(&front).await.unwrap();
            assert!(all(&s.b, &room).await.is_empty());
            assert_stale(s.a.add(&room, &front, "anna").await, "a late add");
        }
        s.a.add(&room, &life(&front, 2), "anna").await.unwrap();
        s.b.purge_server(&front).await.unwrap();
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
        s.close().await;
    }

    /// A frontend with [`members`](Self::members) users in as many channels as a hundredth of them.
    pub async fn a_large_server_is_purged(&self) {
        let s = self.open().await;
        let (front, other) = (self.frontend(), self.frontend());
        let rooms: Vec<String> = (0..(self.members / 100).max(1)).map(|_| self.name("room")).collect();
        let mut adding = Vec::new();
        for part in rooms.chunks(rooms.len().div_ceil(8)) {
            let (manager, front, part) = (s.a.clone(), front.clone(), part.to_vec());
            adding.push(self.spawn(async move {
                let users = users(100);
                for room in part {
                    manager.add_many(&room, &front, &users).await.unwrap();
                }
            }));
        }
        for task in adding {
            task.end().await;
        }
        s.a.add(&rooms[0], &other, "anna").await.unwrap();
        assert_eq!(channels(&s.b, &front.sid).await.len(), rooms.len());
        s.b.purge_server(&front).await.unwrap();
        assert!(channels(&s.a, &front.sid).await.is_empty());
        for room in rooms.iter().step_by(rooms.len().div_ceil(50)) {
            assert!(at(&s.a, room, &front.sid).await.is_empty());
        }
        assert_eq!(at(&s.a, &rooms[0], &other.sid).await, set(&["anna"]));
        s.close().await;
    }

    /// Readers see a purge as one step: for the whole server, or at least for each channel.
    pub async fn a_purge_is_seen_in_one_step(&self) {
        const ROOMS: usize = 200;
        const USERS: usize = 50;
        let s = self.open().await;
        let front = self.frontend();
        let rooms: Vec<String> = (0..ROOMS).map(|_| self.name("room")).collect();
        for n in 1..=3 {
            let alive = life(&front, n);
            for room in &rooms {
                s.a.add_many(room, &alive, &users(USERS)).await.unwrap();
            }
            let purging = self.spawn({
                let manager = s.a.clone();
                async move { manager.purge_server(&alive).await }
            });
            let mut turn = 0;
            loop {
                let last = purging.ended();
                let seen = channels(&s.b, &front.sid).await.len();
                let whole = !s.capability.atomic_purge || seen == 0 || seen == ROOMS;
                assert!(whole, "{seen} of {ROOMS} channels in the middle of a purge");
                let here = at(&s.b, &rooms[turn % ROOMS], &front.sid).await.len();
                assert!(here == 0 || here == USERS, "{here} of {USERS} users in the middle of a purge");
                turn += 1;
                yield_now().await;
                if last {
                    assert_eq!(seen, 0);
                    break;
                }
            }
            purging.end().await.unwrap();
        }
        s.close().await;
    }

    /// A purge whose caller dies anywhere on the way is finished by calling it again.
    pub async fn an_interrupted_purge_is_finished(&self) {
        let s = self.open().await;
        let front = self.frontend();
        let rooms: Vec<String> = (0..100).map(|_| self.name("room")).collect();
        for n in 1..=12 {
            let alive = life(&front, n);
            for room in &rooms {
                s.a.add_many(room, &alive, &users(5)).await.unwrap();
            }
            let polls = usize::try_from(n - 1).unwrap();
            abandon(s.a.purge_server(&alive), polls).await;
            // Another one finishes it, as the next leader would.
            s.b.purge_server(&alive).await.unwrap();
            assert!(channels(&s.b, &front.sid).await.is_empty(), "after {polls} polls");
            for room in rooms.iter().step_by(7) {
                assert!(at(&s.a, room, &front.sid).await.is_empty(), "a ghost after {polls} polls");
            }
            assert_stale(s.a.add(&rooms[0], &alive, "anna").await, "after a purge in two parts");
        }
        s.close().await;
    }
}
