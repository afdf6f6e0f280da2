//! Who is in a channel.

use super::Suite;
use super::stores::{all, at, channels, set, users};
use alloc::string::String;
use alloc::vec::Vec;

impl Suite<'_> {
    /// A channel that nobody has entered has no members, anywhere.
    pub async fn a_fresh_channel_is_empty(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        assert!(all(&s.a, &room).await.is_empty());
        assert!(at(&s.a, &room, &front.sid).await.is_empty());
        assert!(channels(&s.a, &front.sid).await.is_empty());
        assert!(!s.a.contains(&room, &front.sid, "anna").await.unwrap());
        assert_eq!(s.a.count(&room).await.unwrap(), 0);
        s.a.leave(&room, &front, "anna").await.expect("leaving a channel that is not there");
        s.a.destroy(&room).await.expect("destroying a channel that is not there");
        s.a.purge_server(&self.frontend()).await.expect("purging a frontend that is not there");
        s.close().await;
    }

    /// Membership is a set.
    pub async fn adding_twice_is_adding_once(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        for _ in 0..3 {
            s.a.add(&room, &front, "anna").await.unwrap();
            s.b.add(&room, &front, "anna").await.unwrap();
        }
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
        assert_eq!(s.a.count(&room).await.unwrap(), 1);
        s.a.leave(&room, &front, "anna").await.unwrap();
        assert!(at(&s.a, &room, &front.sid).await.is_empty(), "she was added more than once");
        s.close().await;
    }

    /// Whoever leaves is gone, once and for all, and may return.
    pub async fn leaving_removes_and_may_be_repeated(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        for _ in 0..3 {
            s.a.add_many(&room, &front, &["anna".into(), "ben".into()]).await.unwrap();
            for _ in 0..2 {
                s.a.leave(&room, &front, "anna").await.unwrap();
                assert_eq!(at(&s.a, &room, &front.sid).await, set(&["ben"]));
            }
            s.a.leave(&room, &front, "somebody else").await.unwrap();
            s.a.leave(&self.name("another"), &front, "ben").await.unwrap();
            assert_eq!(at(&s.a, &room, &front.sid).await, set(&["ben"]));
        }
        s.close().await;
    }

    /// The same user at two frontends is two members.
    pub async fn a_user_may_be_at_several_frontends(&self) {
        let s = self.open().await;
        let (room, one, two) = (self.name("room"), self.frontend(), self.frontend());
        s.a.add(&room, &one, "anna").await.unwrap();
        s.a.add(&room, &two, "anna").await.unwrap();
        s.a.add(&room, &two, "ben").await.unwrap();
        assert_eq!(at(&s.a, &room, &one.sid).await, set(&["anna"]));
        assert_eq!(at(&s.a, &room, &two.sid).await, set(&["anna", "ben"]));
        assert_eq!(all(&s.a, &room).await.len(), 3);
        assert_eq!(s.a.count(&room).await.unwrap(), 3);
        s.a.leave(&room, &two, "anna").await.unwrap();
        assert_eq!(at(&s.a, &room, &one.sid).await, set(&["anna"]), "she has left at the other one");
        assert_eq!(at(&s.a, &room, &two.sid).await, set(&["ben"]));
        s.close().await;
    }

    /// A user's channels know nothing of each other.
    pub async fn a_user_may_be_in_several_channels(&self) {
        let s = self.open().await;
        let (one, two, front) = (self.name("room"), self.name("room"), self.frontend());
        s.a.add(&one, &front, "anna").await.unwrap();
        s.a.add(&two, &front, "anna").await.unwrap();
        s.a.leave(&one, &front, "anna").await.unwrap();
        assert!(at(&s.a, &one, &front.sid).await.is_empty());
        assert_eq!(at(&s.a, &two, &front.sid).await, set(&["anna"]));
        s.close().await;
    }

    /// A channel is listed for a frontend exactly while it has a member there.
    pub async fn channels_of_a_server_follow_its_members(&self) {
        let s = self.open().await;
        let (one, two) = (self.name("room"), self.name("room"));
        let (front, other) = (self.frontend(), self.frontend());
        s.a.add_many(&one, &front, &users(2)).await.unwrap();
        s.a.add(&two, &front, "anna").await.unwrap();
        s.a.add(&two, &other, "anna").await.unwrap();
        assert_eq!(channels(&s.b, &front.sid).await, set(&[&*one, &*two]));
        s.a.leave(&one, &front, "user-0").await.unwrap();
        assert_eq!(channels(&s.b, &front.sid).await, set(&[&*one, &*two]), "one member is left");
        s.a.leave(&one, &front, "user-1").await.unwrap();
        assert_eq!(channels(&s.b, &front.sid).await, set(&[&*two]));
        s.a.destroy(&two).await.unwrap();
        assert!(channels(&s.b, &front.sid).await.is_empty());
        assert!(channels(&s.b, &other.sid).await.is_empty());
        s.close().await;
    }

    /// `add` is `add_many` of one, and so is `leave`.
    pub async fn single_changes_do_what_batches_do(&self) {
        let s = self.open().await;
        let (room, front) = (self.name("room"), self.frontend());
        s.a.add_many(&room, &front, &["anna".into()]).await.unwrap();
        s.a.add(&room, &front, "ben").await.unwrap();
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna", "ben"]));
        s.a.leave(&room, &front, "anna").await.unwrap();
        s.a.leave_many(&room, &front, &["ben".into()]).await.unwrap();
        assert!(all(&s.a, &room).await.is_empty());
        s.close().await;
    }

    /// Every way of reading tells the same.
    pub async fn contains_and_count_agree_with_the_members(&self) {
        let s = self.open().await;
        let (room, one, two) = (self.name("room"), self.frontend(), self.frontend());
        s.a.add_many(&room, &one, &users(30)).await.unwrap();
        s.a.add_many(&room, &two, &users(10)).await.unwrap();
        s.a.leave(&room, &one, "user-29").await.unwrap();
        assert_eq!(s.b.count(&room).await.unwrap(), 39);
        assert_eq!(all(&s.b, &room).await.len(), 39);
        for (front, uid, there) in [
            (&one, "user-28", true),
            (&one, "user-29", false),
            (&two, "user-9", true),
            (&two, "user-10", false),
        ] {
            let found = s.b.contains(&room, &front.sid, uid).await.unwrap();
            assert_eq!(found, there, "{uid} at {}", front.sid);
        }
        assert!(!s.b.contains(&self.name("room"), &one.sid, "user-0").await.unwrap());
        s.close().await;
    }

    /// A frontend in a thousand channels.
    pub async fn a_server_with_many_channels(&self) {
        let s = self.open().await;
        let front = self.frontend();
        let rooms: Vec<String> = (0..1000).map(|_| self.name("room")).collect();
        let mut adding = Vec::new();
        for part in rooms.chunks(100) {
            let (manager, front, part) = (s.a.clone(), front.clone(), part.to_vec());
            adding.push(self.spawn(async move {
                for room in &part {
                    manager.add(room, &front, "anna").await.unwrap();
                }
            }));
        }
        for task in adding {
            task.end().await;
        }
        assert_eq!(channels(&s.b, &front.sid).await, set(&rooms));
        for room in &rooms[..10] {
            s.b.leave(room, &front, "anna").await.unwrap();
        }
        assert_eq!(channels(&s.a, &front.sid).await, set(&rooms[10..]));
        s.a.purge_server(&front).await.unwrap();
        s.close().await;
    }
}
