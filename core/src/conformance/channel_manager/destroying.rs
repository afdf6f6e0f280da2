//! The end of a channel.

use super::Suite;
use super::stores::{all, at, channels, set, users};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

impl Suite<'_> {
    /// A destroyed channel has members nowhere, also at frontends that this manager never wrote for.
    pub async fn destroying_removes_at_every_frontend(&self) {
        let s = self.open().await;
        let (room, kept) = (self.name("room"), self.name("room"));
        let mut fronts = Vec::new();
        for n in 0..20 {
            let front = self.frontend();
            let manager = if n % 2 == 0 { &s.a } else { &s.b };
            manager.add_many(&room, &front, &users(n + 1)).await.unwrap();
            manager.add(&kept, &front, "anna").await.unwrap();
            fronts.push(front);
        }
        s.a.destroy(&room).await.unwrap();
        assert!(all(&s.b, &room).await.is_empty());
        assert_eq!(s.b.count(&room).await.unwrap(), 0);
        for front in &fronts {
            assert!(at(&s.b, &room, &front.sid).await.is_empty());
            assert_eq!(channels(&s.b, &front.sid).await, set(&[&kept]));
        }
        s.b.destroy(&room).await.expect("destroying twice");
        assert_eq!(all(&s.a, &kept).await.len(), fronts.len());
        s.close().await;
    }

    /// Channels whose names begin alike are others.
    pub async fn destroying_spares_other_channels(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        let others = ["0", ":", ":a", "%", "*", "?", "_", " "].map(|end| format!("{room}{end}"));
        for other in others.iter().chain([&room]) {
            s.a.add(other, &front, "anna").await.unwrap();
        }
        s.a.destroy(&room).await.unwrap();
        assert_eq!(channels(&s.a, &front.sid).await, set(&others));
        for other in &others {
            assert_eq!(at(&s.a, other, &front.sid).await, set(&["anna"]));
        }
        s.close().await;
    }

    /// After its end a channel begins anew, in the same life of its frontends.
    pub async fn a_destroyed_channel_can_be_filled_again(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        for _ in 0..3 {
            s.a.add_many(&room, &front, &["anna".into(), "ben".into()]).await.unwrap();
            s.b.destroy(&room).await.unwrap();
            s.a.add(&room, &front, "cleo").await.unwrap();
            assert_eq!(at(&s.b, &room, &front.sid).await, set(&["cleo"]));
            assert_eq!(channels(&s.b, &front.sid).await, set(&[&room]));
        }
        s.close().await;
    }

    /// Whatever is left of a channel that is filled and destroyed at once, everybody sees the same of it.
    pub async fn destroying_beside_adders_leaves_no_contradiction(&self) {
        let s = self.open().await;
        let room = self.name("room");
        let (mut fronts, mut adding) = (Vec::new(), Vec::new());
        for n in 0..4 {
            let front = self.frontend();
            let manager = if n % 2 == 0 { s.a.clone() } else { s.b.clone() };
            fronts.push(front.clone());
            let room = room.clone();
            adding.push(self.spawn(async move {
                for user in users(100) {
                    manager.add(&room, &front, &user).await.unwrap();
                }
            }));
        }
        for _ in 0..10 {
            s.a.destroy(&room).await.unwrap();
            s.b.destroy(&room).await.unwrap();
        }
        for task in adding {
            task.end().await;
        }
        let everybody = all(&s.a, &room).await;
        let mut one_by_one = BTreeSet::new();
        for front in &fronts {
            let here = at(&s.b, &room, &front.sid).await;
            assert_eq!(channels(&s.b, &front.sid).await.contains(&room), !here.is_empty(), "{}", front.sid);
            one_by_one.extend(here.into_iter().map(|uid| (front.sid.clone(), uid)));
        }
        assert_eq!(everybody, one_by_one);
        assert_eq!(s.a.count(&room).await.unwrap(), everybody.len() as u64);
        s.a.destroy(&room).await.unwrap();
        assert!(all(&s.b, &room).await.is_empty(), "members that a destroy does not find");
        s.close().await;
    }
}
