//! Seeing who leads.

use super::Suite;
use super::futures::campaign;
use crate::coordinator::Epoch;
use alloc::format;

impl Suite<'_> {
    /// On a fresh cluster nobody leads, observers say so, and nothing is stored.
    pub async fn a_fresh_cluster_has_no_leader_and_no_state(&self) {
        let coordinator = self.connect().await;
        let mut observed = coordinator.observe();
        assert_eq!(self.next(&mut observed).await, None, "somebody leads a fresh cluster");
        let leader = self.lead(&coordinator, "fresh").await;
        assert!(leader.epoch() > Epoch(0), "epoch 0 stands for no reign");
        assert_eq!(leader.load().await.unwrap(), None, "a fresh cluster has a state");
    }

    /// An observer gets whoever leads, then each change, and the address only of somebody who has won.
    pub async fn observers_see_the_present_then_changes(&self) {
        let (a, b, eye) = (self.connect().await, self.connect().await, self.connect().await);
        let first = self.lead(&a, "a").await;
        let mut observed = eye.observe();
        let info = self.next(&mut observed).await.expect("a leader that was elected before is not seen");
        assert_eq!((info.id.as_str(), info.host.as_str(), info.port), ("a", "127.0.0.1", 3005));
        assert_eq!(info.epoch, first.epoch());

        let standby = campaign(&b, "b", 0);
        first.resign().await.unwrap();
        let second = self.within("the standby", standby).await.unwrap();
        let info = self.until(&mut observed, |seen| seen.is_some_and(|info| info.id == "b")).await;
        assert_eq!(info.map(|info| info.epoch), Some(second.epoch()));

        second.resign().await.unwrap();
        self.until(&mut observed, |seen| seen.is_none()).await;
    }

    /// An observer that was busy for several reigns gets the last one.
    pub async fn a_late_observer_gets_the_latest(&self) {
        let (coordinator, eye) = (self.connect().await, self.connect().await);
        let mut observed = eye.observe();
        self.until(&mut observed, |seen| seen.is_none()).await;
        for n in 0..3 {
            self.lead(&coordinator, &format!("early{n}")).await.resign().await.unwrap();
        }
        let leader = self.lead(&coordinator, "latest").await;
        let seen = self.until(&mut observed, |seen| seen.is_some_and(|info| info.id == "latest")).await;
        assert_eq!(seen.map(|info| info.epoch), Some(leader.epoch()));
    }
}
