//! The public suite, and what is particular to us within one process.

use super::{candidate, lease_in, run};
use crate::embedded::dir::{EPOCH, LOCK};
use crate::embedded::{EmbeddedCoordinator, current_leader, standbys};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future::poll_once;
use tangelo_core::conformance::coordinator::test_all;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::{BoxFuture, Coordinator, ErrorKind, Instant};

#[test]
fn conforms() {
    run(|f| async move {
        let connect = || -> BoxFuture<'static, Arc<dyn Coordinator>> {
            let coordinator = f.coordinator(1000);
            Box::pin(async move { Arc::new(coordinator) as Arc<dyn Coordinator> })
        };
        test_all(Arc::clone(&f.runtime), &connect).await;
    });
}

#[test]
fn a_lease_out_of_range_is_refused() {
    run(|f| async move {
        for lease in [Duration::ZERO, Duration::from_millis(99), Duration::from_secs(3601)] {
            let error =
                EmbeddedCoordinator::new(Arc::clone(&f.runtime), f.run_dir.clone(), lease).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    });
}

#[test]
fn withdrawn_campaigns_do_not_pile_up_threads() {
    run(|f| async move {
        let leader = f.coordinator(1000).campaign(candidate("a")).await.unwrap();
        let standby = f.coordinator(1000);
        for _ in 0..100 {
            let mut campaign = standby.campaign(candidate("b"));
            f.at_most(Duration::from_millis(2), &mut campaign).await;
        }
        assert!(standby.waiters.idle() <= 2, "{} threads wait for nobody", standby.waiters.idle());
        drop(leader);
        f.within("the standby", standby.campaign(candidate("b"))).await.unwrap();
        assert_eq!(standby.waiters.idle(), 0, "a thread that has had the lock waits on");
    });
}

#[test]
fn the_command_line_sees_who_leads_and_who_stands_by() {
    run(|f| async move {
        assert_eq!(current_leader(&f.run_dir).unwrap(), None, "before there is a directory");
        let (a, b) = (f.coordinator(1000), f.coordinator(1000));
        assert_eq!(current_leader(&f.run_dir).unwrap(), None);
        let leader = a.campaign(candidate("a")).await.unwrap();
        assert_eq!(current_leader(&f.run_dir).unwrap().map(|info| info.epoch), Some(leader.epoch()));
        assert_eq!(standbys(&f.run_dir).unwrap(), []);
        let mut campaign = b.campaign(candidate("b"));
        let stands = f.until("it stands by", || standbys(&f.run_dir).unwrap().len() == 1);
        let won = async { panic!("it leads beside the other: {:?}", campaign.as_mut().await) };
        futures_lite::future::or(won, stands).await;
        let seen = standbys(&f.run_dir).unwrap();
        assert_eq!((seen[0].candidate.id.as_str(), seen[0].pid), ("b", std::process::id()));
        leader.resign().await.unwrap();
        assert_ne!(current_leader(&f.run_dir).unwrap().map(|info| info.id).as_deref(), Some("a"));
        drop(campaign);
        // Its thread may have the lock in this moment, and gives it back.
        f.until("nobody stands by", || standbys(&f.run_dir).unwrap().is_empty()).await;
        f.until("nobody leads", || current_leader(&f.run_dir).unwrap().is_none()).await;
    });
}

#[test]
fn a_damaged_epoch_is_an_error_that_says_what_to_do() {
    run(|f| async move {
        let coordinator = f.coordinator(1000);
        std::fs::write(f.run_dir.join(EPOCH), "4?\n").unwrap();
        let error = f.within("the error", coordinator.campaign(candidate("a"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("write a number into it"), "{error}");
        assert_eq!(current_leader(&f.run_dir).unwrap(), None, "published without an epoch");
        std::fs::write(f.run_dir.join(EPOCH), "1000\n").unwrap();
        let leader = f.within("the repaired one", coordinator.campaign(candidate("a"))).await.unwrap();
        assert_eq!(leader.epoch(), Epoch(1001));
    });
}

#[test]
fn the_epoch_survives_that_its_file_is_removed() {
    run(|f| async move {
        std::fs::create_dir(&f.run_dir).unwrap();
        std::fs::write(f.run_dir.join(EPOCH), "41\n").unwrap();
        let leader = f.coordinator(1000).campaign(candidate("a")).await.unwrap();
        std::fs::remove_file(f.run_dir.join(EPOCH)).unwrap();
        assert_eq!(
            leader.store(b"x").await.unwrap_err().kind(),
            ErrorKind::Fenced,
            "without proof of its epoch"
        );
        drop(leader);
        let leader = f.within("the next", f.coordinator(1000).campaign(candidate("b"))).await.unwrap();
        assert_eq!(leader.epoch(), Epoch(43));
    });
}

#[test]
fn a_later_epoch_in_the_file_fences_the_leader() {
    run(|f| async move {
        let leader = f.coordinator(1000).campaign(candidate("a")).await.unwrap();
        leader.store(b"mine").await.unwrap();
        std::fs::write(f.run_dir.join(EPOCH), "9\n").unwrap();
        assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(std::fs::read(f.run_dir.join("state.json")).unwrap(), b"mine");
    });
}

#[test]
fn removing_the_lock_file_ends_the_reign_and_never_makes_two() {
    run(|f| async move {
        let (a, b) = (f.coordinator(800), f.coordinator(800));
        let leader = a.campaign(candidate("a")).await.unwrap();
        std::fs::remove_file(f.run_dir.join(LOCK)).unwrap();
        let successor = f.within("the successor", b.campaign(candidate("b"))).await.unwrap();
        let (lost, deadline) = (leader.state(), leader.deadline());
        assert!(lost == LeadershipState::Lost || deadline <= Instant::now(), "two lead");
        assert!(successor.epoch() > leader.epoch());
        assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
        drop(leader);
        assert_eq!(current_leader(&f.run_dir).unwrap().map(|info| info.epoch), Some(successor.epoch()));
        assert!(lease_in(&f.run_dir).held, "the old leader's end has marked the new one's lease as free");
    });
}

#[test]
fn removing_run_ends_the_reign_and_the_epoch_still_grows() {
    run(|f| async move {
        let (a, b) = (f.coordinator(400), f.coordinator(400));
        let first = a.campaign(candidate("a")).await.unwrap();
        first.resign().await.unwrap();
        let leader = a.campaign(candidate("a")).await.unwrap();
        let mut standby = b.campaign(candidate("b"));
        assert!(f.at_most(Duration::from_millis(200), &mut standby).await.is_none());
        std::fs::remove_dir_all(&f.run_dir).unwrap();
        let state = f.within("the loss", leader.changed(LeadershipState::Leading)).await;
        assert_eq!(state, LeadershipState::Lost);
        assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
        let successor = f.within("the standby", &mut standby).await.unwrap();
        assert!(successor.epoch() > leader.epoch(), "{} after {}", successor.epoch(), leader.epoch());
        successor.store(b"anew").await.unwrap();
    });
}

#[test]
fn a_leader_whose_executor_hangs_is_over_before_any_timer_says_so() {
    run(|f| async move {
        let leader = f.coordinator(100).campaign(candidate("a")).await.unwrap();
        let begin = Instant::now();
        // Takes both worker threads of the runtime and this one, as a deadlock would.
        for _ in 0..2 {
            f.runtime.spawn(Box::pin(async move { spin_until(begin + Duration::from_millis(300)) }));
        }
        spin_until(begin + Duration::from_millis(250));
        assert!(leader.deadline() <= Instant::now());
        assert_eq!(leader.state(), LeadershipState::Lost);
        assert!(poll_once(leader.changed(LeadershipState::Leading)).await.is_some(), "needs a timer");
        assert_eq!(leader.store(b"late").await.unwrap_err().kind(), ErrorKind::Fenced);
        f.within("the lock to be let go", f.coordinator(100).campaign(candidate("b"))).await.unwrap();
    });
}

fn spin_until(end: Instant) {
    while Instant::now() < end {
        core::hint::spin_loop();
    }
}
