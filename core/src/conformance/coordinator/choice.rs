//! Which candidate leads next.

use super::Suite;
use super::futures::{Either, campaign, either, first, first_of};
use crate::ErrorKind;
use crate::coordinator::LeadershipState;
use alloc::format;
use alloc::vec::Vec;

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
        assert!(self.for_a_while(either(first_of(&mut low), first_of(&mut high))).await.is_none());
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
}
