//! The end of everything.

use super::Suite;
use super::stores::{all, at, channels, set, users};
use alloc::string::String;
use alloc::vec::Vec;

impl Suite<'_> {
    /// After a clean the store is as it was before the first change, purges included.
    pub async fn cleaning_leaves_nothing(&self) {
        let s = self.open().await;
        let (front, purged) = (self.frontend(), self.frontend());
        let rooms: Vec<String> = (0..300).map(|_| self.name("room")).collect();
        for room in &rooms {
            s.a.add_many(room, &front, &users(10)).await.unwrap();
        }
        s.a.add_many(&rooms[0], &front, &users(10_000)).await.unwrap();
        s.b.purge_server(&purged).await.unwrap();
        s.b.clean().await.unwrap();
        assert!(channels(&s.a, &front.sid).await.is_empty());
        for room in &rooms {
            assert!(all(&s.b, room).await.is_empty(), "{room} is not clean");
        }
        s.a.add(&rooms[0], &purged, "anna").await.expect("purges are forgotten");
        s.a.add(&rooms[0], &front, "ben").await.expect("an empty store takes members");
        assert_eq!(s.b.count(&rooms[0]).await.unwrap(), 2);
        s.a.clean().await.unwrap();
        s.b.clean().await.expect("cleaning twice");
        assert!(all(&s.a, &rooms[0]).await.is_empty());
        s.close().await;
    }

    /// Another prefix in the same database is another store, if the manager has prefixes.
    pub async fn cleaning_spares_the_neighbour(&self) {
        let Some(connect) = self.neighbour else { return };
        let s = self.open().await;
        let neighbour = connect().await;
        neighbour.start().await.unwrap();
        let (room, front, purged) = (self.name("room"), self.frontend(), self.frontend());
        s.a.add(&room, &front, "anna").await.unwrap();
        neighbour.add_many(&room, &front, &["ben".into(), "cleo".into()]).await.unwrap();
        neighbour.purge_server(&purged).await.unwrap();
        s.a.add(&room, &purged, "dora").await.expect("purged next door only");
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]));
        assert_eq!(at(&neighbour, &room, &front.sid).await, set(&["ben", "cleo"]));
        s.a.purge_server(&front).await.unwrap();
        s.a.destroy(&room).await.unwrap();
        s.a.clean().await.unwrap();
        assert_eq!(at(&neighbour, &room, &front.sid).await, set(&["ben", "cleo"]), "cleaned next door");
        assert_eq!(channels(&neighbour, &front.sid).await, set(&[&room]));
        let late = neighbour.add(&room, &purged, "emil").await;
        super::stores::assert_stale(late, "a purge is forgotten since somebody cleaned next door");
        s.a.add(&room, &front, "anna").await.unwrap();
        neighbour.clean().await.unwrap();
        assert_eq!(at(&s.a, &room, &front.sid).await, set(&["anna"]), "cleaned next door");
        neighbour.stop().await.unwrap();
        s.close().await;
    }
}
