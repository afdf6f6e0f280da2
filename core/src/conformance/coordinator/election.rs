//! Who leads, and when.

use super::Suite;
use super::futures::{Either, both, campaign, either, first, first_of, poll_once};
use crate::coordinator::{Epoch, LeadershipState};
use crate::{Instant, Leadership};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

impl Suite<'_> {
    /// Of several candidates exactly one leads, and each reign has a higher epoch.
    pub async fn one_leads_at_a_time_and_epochs_grow(&self) {
        let mut campaigns = Vec::new();
        for n in 0..5 {
            campaigns.push(campaign(&self.connect().await, &format!("m{n}"), 0));
        }
        let mut last = Epoch(0);
        while !campaigns.is_empty() {
            let leader = self.within("an election", first(&mut campaigns)).await.unwrap();
            assert_eq!(leader.state(), LeadershipState::Leading);
            assert!(leader.deadline() > Instant::now(), "a new leader is past its deadline");
            assert!(leader.epoch() > last, "epoch {} after {last}", leader.epoch());
            last = leader.epoch();
            let second = self.for_a_while(first(&mut campaigns)).await;
            assert!(second.is_none(), "a second leader beside epoch {last}: {second:?}");
            assert_eq!(leader.state(), LeadershipState::Leading, "it has lost the lead to nobody");
            leader.resign().await.unwrap();
        }
    }

    /// A leader that is well stays one, and renews its deadline again and again.
    pub async fn leading_lasts_and_the_deadline_moves_on(&self) {
        let leader = self.lead(&self.connect().await, "lasting").await;
        let begin = Instant::now();
        let first = leader.deadline();
        while leader.deadline() < first + first.saturating_since(begin) {
            assert_eq!(leader.state(), LeadershipState::Leading);
            assert!(leader.deadline() > Instant::now(), "leading past the deadline");
            let waited = Instant::now().saturating_since(begin);
            assert!(waited < self.patience, "the deadline has not moved on in {waited:?}");
            self.runtime.sleep(Duration::from_millis(5)).await;
        }
    }

    /// After a resignation the standby leads, and the old leader knows that it does not.
    pub async fn resigning_passes_on(&self) {
        let (a, b) = (self.connect().await, self.connect().await);
        let leader = self.lead(&a, "a").await;
        let mut standby = [campaign(&b, "b", 0)];
        let early = self.for_a_while(first_of(&mut standby)).await;
        assert!(early.is_none(), "elected beside a leader");
        let changed = leader.changed(LeadershipState::Leading);
        let (state, resigned) = self.within("the resignation", both(changed, leader.resign())).await;
        resigned.unwrap();
        assert_eq!((state, leader.state()), (LeadershipState::Lost, LeadershipState::Lost));
        let successor = self.within("the standby", first_of(&mut standby)).await.unwrap();
        assert!(successor.epoch() > leader.epoch());
        leader.resign().await.unwrap();
        drop(leader);
        assert_eq!(successor.state(), LeadershipState::Leading, "the old leader's end ends the new one");
    }

    /// Dropping a leadership resigns, also while the standby has waited for long.
    pub async fn a_dropped_leadership_passes_on(&self) {
        let (a, b) = (self.connect().await, self.connect().await);
        let leader = self.lead(&a, "a").await;
        let mut standby = [campaign(&b, "b", 0)];
        assert!(self.for_a_while(first_of(&mut standby)).await.is_none());
        let epoch = leader.epoch();
        drop(leader);
        let successor = self.within("the standby", first_of(&mut standby)).await.unwrap();
        assert!(successor.epoch() > epoch);
    }

    /// A campaign that is dropped neither leads nor stands in anybody's way, nor does one that is
    /// dropped in the moment it wins.
    pub async fn a_dropped_campaign_is_withdrawn(&self) {
        let (a, b, c) = (self.connect().await, self.connect().await, self.connect().await);
        let leader = self.lead(&a, "a").await;
        let mut withdrawn = [campaign(&b, "b", 9)];
        let mut standby = [campaign(&c, "c", 0)];
        assert!(self.for_a_while(either(first_of(&mut withdrawn), first_of(&mut standby))).await.is_none());
        drop(withdrawn);
        leader.resign().await.unwrap();
        let successor = self.within("the one that still stands", first_of(&mut standby)).await.unwrap();

        let mut unaware = campaign(&a, "a", 0);
        let _ = poll_once(&mut unaware).await;
        successor.resign().await.unwrap();
        // By now it has won, or is about to, and nobody asks it.
        self.runtime.sleep(Duration::from_millis(20)).await;
        drop(unaware);
        self.lead(&b, "b").await;
    }

    /// Two masters with one id are two candidates.
    pub async fn two_candidates_may_bear_one_id(&self) {
        let (a, b) = (self.connect().await, self.connect().await);
        let mut campaigns = alloc::vec![campaign(&a, "twin", 0), campaign(&b, "twin", 0)];
        let one = self.within("the first twin", first(&mut campaigns)).await.unwrap();
        assert!(self.for_a_while(first(&mut campaigns)).await.is_none(), "both twins lead");
        one.resign().await.unwrap();
        let two = self.within("the second twin", first(&mut campaigns)).await.unwrap();
        assert!(two.epoch() > one.epoch());
    }

    /// Fifty rounds of candidates that come, go, win, resign and vanish: there is always a next
    /// leader, one at a time, with a higher epoch.
    pub async fn campaigns_churn(&self) {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut coordinators = Vec::new();
        for _ in 0..4 {
            coordinators.push(self.connect().await);
        }
        let mut last = Epoch(0);
        let mut previous: Option<Box<dyn Leadership>> = None;
        for round in 0..50 {
            let mut campaigns = Vec::new();
            for (n, coordinator) in coordinators.iter().enumerate() {
                if n == 0 || rng.bool() {
                    campaigns.push(campaign(coordinator, &format!("r{round}-{n}"), 0));
                }
            }
            // Some are dropped at any moment, among it the one in which they win.
            let wait = self.runtime.sleep(Duration::from_micros(rng.u64(0..3000)));
            if let Either::Other(Ok(leader)) = either(wait, first(&mut campaigns)).await {
                assert!(leader.epoch() > last, "epoch {} after {last} in round {round}", leader.epoch());
                assert!(previous.is_none(), "two leaders in round {round}");
                last = leader.epoch();
                drop(leader);
            }
            match previous.take() {
                Some(leader) if rng.bool() => leader.resign().await.unwrap(),
                leader => drop(leader),
            }
            if campaigns.is_empty() {
                continue;
            }
            let keep = rng.usize(0..campaigns.len());
            let mut kept = [campaigns.swap_remove(keep)];
            drop(campaigns);
            let leader = self.within("the next leader", first_of(&mut kept)).await.unwrap();
            assert!(leader.epoch() > last, "epoch {} after {last} in round {round}", leader.epoch());
            assert_eq!(leader.state(), LeadershipState::Leading);
            last = leader.epoch();
            if rng.bool() {
                previous = Some(leader);
            }
        }
    }
}
