//! Which candidate leads next.

use super::Suite;
use super::futures::{Either, campaign, campaign_at, either, first, first_of};
use crate::coordinator::{Candidate, LeadershipState};
use crate::{Coordinator, ErrorKind};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

impl Suite<'_> {
    /// When the lead frees, the candidate with the highest priority gets it.
    pub async fn a_higher_priority_goes_first(&self) {
        for round in 0..5 {
            let leader = self.lead(&self.connect().await, "leader").await;
            let mut campaigns = Vec::new();
            for n in 0..4 {
                let priority = if n == round % 4 { 5 } else { n - 2 };
                campaigns.push(campaign(&self.connect().await, &format!("p{priority}"), priority));
            }
            let mut observed = self.connect().await.observe();
            assert!(self.for_a_while(first(&mut campaigns)).await.is_none());
            let mut priorities: Vec<_> = (0..4).filter(|n| *n != round % 4).map(|n| n - 2).collect();
            priorities.extend([5]);
            priorities.sort_unstable_by(|a, b| b.cmp(a));
            let ids: Vec<_> = priorities.iter().map(|priority| format!("p{priority}")).collect();
            let ids: Vec<_> = ids.iter().map(|id| &**id).collect();
            self.all_stand(&self.connect().await, &ids, first(&mut campaigns)).await;
            leader.resign().await.unwrap();
            let _highest = self.within("the highest", first(&mut campaigns)).await.unwrap();
            let seen = self.until(&mut observed, |seen| seen.is_some_and(|info| info.id != "leader")).await;
            assert_eq!(seen.map(|info| info.id).as_deref(), Some("p5"), "in round {round}");
        }
    }

    /// A leader hands over to a candidate of its choice, if the coordinator can choose.
    pub async fn a_leader_hands_over(&self) {
        let leader = self.lead(&self.connect().await, "leader").await;
        let (low, high) = (self.connect().await, self.connect().await);
        let mut low = [campaign(&low, "low", 0)];
        let mut high = [campaign(&high, "high", 5)];
        let both = either(first_of(&mut low), first_of(&mut high));
        self.all_stand(&self.connect().await, &["high", "low"], both).await;
        match leader.hand_over("nobody").await.unwrap_err().kind() {
            ErrorKind::Unsupported => return,
            kind => assert_eq!(kind, ErrorKind::NotFound),
        }
        assert_eq!(leader.state(), LeadershipState::Leading, "a hand-over to nobody ends the reign");
        leader.hand_over("low").await.unwrap();
        assert_eq!(leader.state(), LeadershipState::Lost);
        let chosen = async {
            match either(first_of(&mut low), first_of(&mut high)).await {
                Either::One(chosen) => chosen.unwrap(),
                Either::Other(_) => panic!("another than the chosen one leads"),
            }
        };
        let chosen = self.within("the chosen one", chosen).await;
        assert!(chosen.epoch() > leader.epoch());
    }

    /// Of several candidates with one id the leader chooses by address, if the coordinator can choose.
    pub async fn a_leader_hands_over_by_address(&self) {
        let leader = self.lead(&self.connect().await, "twin").await;
        let mut others = Vec::new();
        for (port, priority) in [(4001, 1), (4002, 0), (4003, -1)] {
            others.push(campaign_at(&self.connect().await, "twin", port, priority));
        }
        self.all_stand(&self.connect().await, &["twin"; 3], first(&mut others)).await;
        for nobody in ["127.0.0.1:4004", "elsewhere:4003", "127.0.0.1"] {
            match leader.hand_over(nobody).await.unwrap_err().kind() {
                ErrorKind::Unsupported => return,
                kind => assert_eq!(kind, ErrorKind::NotFound, "{nobody} stands for nobody"),
            }
        }
        let mut observed = self.connect().await.observe();
        leader.hand_over("127.0.0.1:4003").await.unwrap();
        let chosen = self.within("the chosen one", first(&mut others)).await.unwrap();
        assert!(chosen.epoch() > leader.epoch());
        let seen = self.until(&mut observed, |seen| seen.is_some_and(|info| info.epoch > leader.epoch()));
        assert_eq!(seen.await.map(|info| info.port), Some(4003));
    }

    /// Who stands is told in the order in which they would lead; the leader is not among them, nor
    /// is anybody who has withdrawn.
    pub async fn candidates_are_told_in_their_order(&self) {
        let eye = self.connect().await;
        // Those of earlier cases may still be on their way out.
        self.standing(&eye, &[]).await;
        let leader = self.lead(&self.connect().await, "leader").await;
        let mut campaigns = Vec::new();
        for (id, priority) in [("low", -1), ("high", 7), ("middle", 0)] {
            campaigns.push(campaign(&self.connect().await, id, priority));
        }
        assert!(self.for_a_while(first(&mut campaigns)).await.is_none());
        self.standing(&eye, &["high", "middle", "low"]).await;
        // Its own candidates and those of others.
        let own = self.connect().await;
        campaigns.push(campaign(&own, "own", 3));
        assert!(self.for_a_while(first(&mut campaigns)).await.is_none());
        let told = self.standing(&own, &["high", "own", "middle", "low"]).await;
        let (host, port, priority) = (&*told[0].host, told[0].port, told[0].priority);
        assert_eq!((host, port, priority), ("127.0.0.1", 3005, 7));

        leader.resign().await.unwrap();
        let next = self.within("the next leader", first(&mut campaigns)).await.unwrap();
        self.standing(&eye, &["own", "middle", "low"]).await;
        campaigns.clear();
        self.standing(&eye, &[]).await;
        assert_eq!(next.state(), LeadershipState::Leading);
    }

    /// The same while `campaigns` stand; none of them leads meanwhile.
    async fn all_stand<T>(
        &self,
        coordinator: &Arc<dyn Coordinator>,
        ids: &[&str],
        campaigns: impl Future<Output = T>,
    ) {
        match either(campaigns, self.standing(coordinator, ids)).await {
            Either::One(_) => panic!("two lead at once"),
            Either::Other(_) => (),
        }
    }

    /// Waits until those stand, and no others, in this order.
    async fn standing(&self, coordinator: &Arc<dyn Coordinator>, ids: &[&str]) -> Vec<Candidate> {
        let mut last = Vec::new();
        let stand = async {
            loop {
                last = coordinator.candidates().await.unwrap();
                if last.iter().map(|candidate| &*candidate.id).eq(ids.iter().copied()) {
                    return;
                }
                self.runtime.sleep(Duration::from_millis(5)).await;
            }
        };
        match either(stand, self.runtime.sleep(self.patience)).await {
            Either::One(()) => last,
            Either::Other(()) => panic!("{ids:?} should stand, and in that order, not {last:?}"),
        }
    }
}
