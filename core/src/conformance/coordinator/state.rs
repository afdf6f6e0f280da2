//! The desired state, and its fencing.

use super::Suite;
use super::futures::{both, poll_once};
use crate::ErrorKind;
use crate::coordinator::LeadershipState;
use alloc::vec::Vec;

impl Suite<'_> {
    /// What one leader stores the next one loads.
    pub async fn state_survives_a_change_of_leader(&self) {
        let (a, b) = (self.connect().await, self.connect().await);
        let big: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_le_bytes()[..2].to_vec()).collect();
        let leader = self.lead(&a, "a").await;
        leader.store(b"{\"first\":1}").await.unwrap();
        assert_eq!(leader.load().await.unwrap().as_deref(), Some(&b"{\"first\":1}"[..]));
        leader.store(&big).await.unwrap();
        leader.resign().await.unwrap();

        let leader = self.lead(&b, "b").await;
        assert_eq!(leader.load().await.unwrap(), Some(big));
        leader.store(b"second").await.unwrap();
        drop(leader);
        let leader = self.lead(&a, "a").await;
        assert_eq!(leader.load().await.unwrap().as_deref(), Some(&b"second"[..]));
    }

    /// Several stores at a time leave one state whole, and one whose caller has gone does no harm.
    pub async fn concurrent_stores_do_not_mix(&self) {
        let leader = self.lead(&self.connect().await, "storing").await;
        for round in 0..10_u8 {
            let (one, two) = (alloc::vec![round; 5000], alloc::vec![round + 100; 50_000]);
            let mut forgotten = leader.store(b"forgotten");
            let _ = poll_once(&mut forgotten).await;
            drop(forgotten);
            let stored = self.within("two stores", both(leader.store(&one), leader.store(&two))).await;
            stored.0.unwrap();
            stored.1.unwrap();
            let state = leader.load().await.unwrap().unwrap();
            assert!(state == one || state == two, "a mixture of {} bytes", state.len());
        }
    }

    /// A leader whose reign is over neither reads nor writes the state.
    pub async fn a_deposed_leader_is_fenced(&self) {
        let (a, b) = (self.connect().await, self.connect().await);
        let old = self.lead(&a, "a").await;
        old.store(b"old").await.unwrap();
        old.resign().await.unwrap();
        assert_eq!(old.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
        let new = self.lead(&b, "b").await;
        assert_eq!(new.load().await.unwrap().as_deref(), Some(&b"old"[..]));
        new.store(b"new").await.unwrap();
        assert_eq!(old.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(old.load().await.unwrap_err().kind(), ErrorKind::Fenced);
        assert!(old.hand_over("b").await.is_err());
        assert_eq!(old.state(), LeadershipState::Lost);
        let state = self.within("the change", old.changed(LeadershipState::Leading)).await;
        assert_eq!(state, LeadershipState::Lost);
        assert_eq!(new.load().await.unwrap().as_deref(), Some(&b"new"[..]), "a deposed leader has written");
    }
}
