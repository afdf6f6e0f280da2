//! Several at once.

use super::Suite;
use super::stores::{Manager, all, assert_stale, at, channels, kind, life, set, users};
use crate::ErrorKind;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use futures_lite::future::yield_now;

impl Suite<'_> {
    /// A change that one manager has acknowledged is what every other one reads next.
    pub async fn managers_see_each_other(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        for n in 0..50 {
            let (writer, reader) = if n % 2 == 0 { (&s.a, &s.b) } else { (&s.b, &s.a) };
            let user = format!("user-{n}");
            writer.add(&room, &front, &user).await.unwrap();
            assert!(reader.contains(&room, &front.sid, &user).await.unwrap(), "{user} is not seen");
            assert_eq!(reader.count(&room).await.unwrap(), 1);
            writer.leave(&room, &front, &user).await.unwrap();
            assert!(at(reader, &room, &front.sid).await.is_empty(), "{user} is still seen");
        }
        s.close().await;
    }

    /// A life that one manager knows as the present one is over for it as soon as another purges it.
    pub async fn another_manager_refuses_what_was_purged(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        for n in 1..20 {
            let alive = life(&front, n);
            s.a.add(&room, &alive, "anna").await.unwrap();
            s.b.purge_server(&alive).await.unwrap();
            assert_stale(s.a.add(&room, &alive, "ben").await, "purged by the other manager");
            assert_stale(s.a.leave(&room, &alive, "anna").await, "purged by the other manager");
            assert!(all(&s.a, &room).await.is_empty());
        }
        s.close().await;
    }

    /// Sixteen writers, one channel, two managers, four frontends.
    pub async fn concurrent_adders_lose_nothing(&self) {
        let s = self.open().await;
        let room = self.name("room");
        let fronts: Vec<_> = (0..4).map(|_| self.frontend()).collect();
        let mut adding = Vec::new();
        for n in 0..16 {
            let manager = if n % 2 == 0 { s.a.clone() } else { s.b.clone() };
            let (room, front) = (room.clone(), fronts[n / 4].clone());
            adding.push(self.spawn(async move {
                for m in 0..50 {
                    // Every user is added by two of them.
                    manager.add(&room, &front, &format!("user-{}-{m}", n % 4 / 2)).await.unwrap();
                }
            }));
        }
        for task in adding {
            task.end().await;
        }
        for front in &fronts {
            assert_eq!(at(&s.a, &room, &front.sid).await.len(), 100);
        }
        assert_eq!(s.b.count(&room).await.unwrap(), 400);
        s.close().await;
    }

    /// Adds and leaves of different users, at once, do what each of them would do alone.
    pub async fn concurrent_changes_do_not_mix(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let mut changing = Vec::new();
        for n in 0..8 {
            let manager = if n % 2 == 0 { s.a.clone() } else { s.b.clone() };
            let (room, front) = (room.clone(), front.clone());
            changing.push(self.spawn(async move {
                let own: Vec<String> = (0..20).map(|m| format!("user-{n}-{m}")).collect();
                for _ in 0..10 {
                    manager.add_many(&room, &front, &own).await.unwrap();
                    manager.leave_many(&room, &front, &own[5..]).await.unwrap();
                    let here = at(&manager, &room, &front.sid).await;
                    assert!(own[..5].iter().all(|uid| here.contains(uid)), "somebody is lost");
                    assert!(!own[5..].iter().any(|uid| here.contains(uid)), "somebody is still there");
                    manager.leave_many(&room, &front, &own[..n]).await.unwrap();
                    yield_now().await;
                }
                own[..5].iter().skip(n).cloned().collect::<Vec<_>>()
            }));
        }
        let mut expected = BTreeSet::new();
        for task in changing {
            expected.extend(task.end().await);
        }
        assert_eq!(at(&s.b, &room, &front.sid).await, expected);
        s.close().await;
    }

    /// 1024 calls under way at once, and each is answered.
    pub async fn a_thousand_calls_at_once(&self) {
        let s = self.open().await;
        let front = self.frontend();
        let rooms: Vec<String> = (0..50).map(|_| self.name("room")).collect();
        let mut calling = Vec::new();
        for n in 0..1024 {
            let manager = if n % 8 == 0 { s.b.clone() } else { s.a.clone() };
            let (room, front) = (rooms[n % rooms.len()].clone(), front.clone());
            calling.push(self.spawn(async move { manager.add(&room, &front, &format!("user-{n}")).await }));
        }
        for call in calling {
            call.end().await.unwrap();
        }
        let mut count = 0;
        for room in &rooms {
            count += s.b.count(room).await.unwrap();
        }
        assert_eq!(count, 1024);
        s.close().await;
    }

    /// Adds that race the purge of their frontend win or are refused, and none stays.
    pub async fn late_adds_beside_a_purge_leave_no_ghost(&self) {
        let s = self.open().await;
        let rooms: Vec<String> = (0..8).map(|_| self.name("room")).collect();
        for turn in 0..10 {
            let front = self.frontend();
            let mut adding = Vec::new();
            for n in 0..8 {
                let manager = if n % 2 == 0 { s.a.clone() } else { s.b.clone() };
                let (rooms, front) = (rooms.clone(), front.clone());
                adding.push(self.spawn(async move {
                    for m in 0..400 {
                        let batch = [format!("user-{n}-{m}"), format!("user-{n}-{m}-too")];
                        match kind(manager.add_many(&rooms[m % rooms.len()], &front, &batch).await) {
                            None => yield_now().await,
                            Some(ErrorKind::StaleIncarnation) => return true,
                            Some(kind) => panic!("an add beside a purge fails with {kind:?}"),
                        }
                    }
                    false
                }));
            }
            while channels(&s.b, &front.sid).await.len() < turn % 8 {
                yield_now().await;
            }
            s.b.purge_server(&front).await.unwrap();
            for task in adding {
                task.end().await;
            }
            assert!(channels(&s.a, &front.sid).await.is_empty(), "a ghost in turn {turn}");
            for room in &rooms {
                assert!(at(&s.a, room, &front.sid).await.is_empty(), "a ghost in turn {turn}");
            }
        }
        s.close().await;
    }

    /// Every member that the successor was promised is there, however late the purges come.
    pub async fn a_purge_beside_the_successor_takes_nothing_of_it(&self) {
        let s = self.open().await;
        let rooms: Vec<String> = (0..4).map(|_| self.name("room")).collect();
        for turn in 0..10 {
            let front = self.frontend();
            for room in &rooms {
                s.a.add_many(room, &front, &users(50)).await.unwrap();
            }
            let mut purging = Vec::new();
            for manager in [s.a.clone(), s.b.clone(), s.b.clone()] {
                let front = front.clone();
                purging.push(self.spawn(async move {
                    for _ in 0..5 {
                        manager.purge_server(&front).await.unwrap();
                    }
                }));
            }
            let next = life(&front, 2);
            for n in 0..20 {
                let manager = if n % 2 == 0 { &s.a } else { &s.b };
                manager.add(&rooms[n % 4], &next, &format!("next-{n}")).await.unwrap();
            }
            for task in purging {
                task.end().await;
            }
            for (n, room) in rooms.iter().enumerate() {
                let expected: BTreeSet<_> = (n..20).step_by(4).map(|n| format!("next-{n}")).collect();
                assert_eq!(at(&s.a, room, &front.sid).await, expected, "in turn {turn}");
            }
        }
        s.close().await;
    }

    /// Two lives that write at once: the later one wins, and nothing of the earlier is left.
    pub async fn successors_race_their_predecessors(&self) {
        let s = self.open().await;
        let (room, other) = (self.name("room"), self.name("room"));
        for turn in 0..20 {
            let front = self.frontend();
            let old = self.spawn({
                let (manager, rooms, front) = (s.a.clone(), [room.clone(), other.clone()], front.clone());
                async move {
                    let mut n = 0;
                    while manager.add(&rooms[n % 2], &front, &format!("old-{n}")).await.is_ok() {
                        n += 1;
                        yield_now().await;
                    }
                    let last = manager.add(&rooms[0], &front, "old").await;
                    assert_stale(last, "the predecessor is refused for another reason");
                }
            });
            let next = life(&front, 2);
            while turn % 2 == 0 && channels(&s.b, &front.sid).await.is_empty() {
                yield_now().await;
            }
            for n in 0..3 {
                s.b.add(&room, &next, &format!("new-{n}")).await.unwrap();
            }
            old.end().await;
            assert_eq!(at(&s.a, &room, &front.sid).await, set(&["new-0", "new-1", "new-2"]));
            assert_eq!(channels(&s.a, &front.sid).await, set(&[&room]), "a ghost in turn {turn}");
        }
        s.close().await;
    }

    /// Purges of the same frontends in different orders end, and succeed.
    pub async fn managers_purge_at_once(&self) {
        let s = self.open().await;
        let rooms: Vec<String> = (0..10).map(|_| self.name("room")).collect();
        let fronts: Vec<_> = (0..6).map(|_| self.frontend()).collect();
        for n in 1..=3 {
            for front in &fronts {
                for room in &rooms {
                    s.a.add_many(room, &life(front, n), &users(10)).await.unwrap();
                }
            }
            let mut purging = Vec::new();
            for task in 0..4 {
                let manager = if task % 2 == 0 { s.a.clone() } else { s.b.clone() };
                let mut order: Vec<_> = fronts.iter().map(|front| life(front, n)).collect();
                if task >= 2 {
                    order.reverse();
                }
                purging.push(self.spawn(async move {
                    for front in order {
                        manager.purge_server(&front).await.unwrap();
                    }
                }));
            }
            for task in purging {
                task.end().await;
            }
            for room in &rooms {
                assert!(all(&s.b, room).await.is_empty());
            }
        }
        s.close().await;
    }

    /// Every kind of call at once, on few channels and frontends: none fails, none hangs, and in the
    /// end all ways of reading agree.
    pub async fn everything_at_once_ends(&self) {
        let s = self.open().await;
        let rooms: Vec<String> = (0..3).map(|_| self.name("room")).collect();
        let fronts: Vec<_> = (0..3).map(|_| self.frontend()).collect();
        let mut working = Vec::new();
        for n in 0..12 {
            let manager = if n % 2 == 0 { s.a.clone() } else { s.b.clone() };
            let (rooms, fronts) = (rooms.clone(), fronts.clone());
            working.push(self.spawn(async move {
                let mut rng = fastrand::Rng::with_seed(n);
                for _ in 0..60 {
                    let (room, front) = (&rooms[rng.usize(0..3)], &fronts[rng.usize(0..3)]);
                    let done = match rng.u8(0..10) {
                        0..=3 => manager.add_many(room, front, &users(rng.usize(1..40))).await,
                        4..=6 => manager.leave_many(room, front, &users(rng.usize(1..40))).await,
                        7 => manager.destroy(room).await,
                        8 => manager.purge_server(&life(front, 0)).await,
                        _ => manager.count(room).await.map(|_| ()),
                    };
                    done.unwrap();
                    yield_now().await;
                }
            }));
        }
        for task in working {
            task.end().await;
        }
        agree(&s.a, &s.b, &rooms, fronts.iter().map(|front| &*front.sid)).await;
        s.close().await;
    }
}

/// Every way of reading tells the same, at both managers.
async fn agree<'a>(a: &Manager, b: &Manager, rooms: &[String], sids: impl Iterator<Item = &'a str> + Clone) {
    for room in rooms {
        let mut one_by_one = BTreeSet::new();
        for sid in sids.clone() {
            let here = at(b, room, sid).await;
            assert_eq!(channels(a, sid).await.contains(room), !here.is_empty(), "{room} at {sid}");
            one_by_one.extend(here.into_iter().map(|uid| (sid.into(), uid)));
        }
        assert_eq!(all(a, room).await, one_by_one);
        assert_eq!(b.count(room).await.unwrap(), one_by_one.len() as u64);
    }
}
