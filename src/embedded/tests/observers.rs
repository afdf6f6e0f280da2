//! Observers whose directory goes away.

use super::{candidate, run};
use crate::embedded::dir::{LEADER, LEADER_DIR};
use futures_lite::StreamExt as _;
use tangelo_core::{Coordinator as _, ErrorKind};

#[test]
fn a_dead_masters_address_is_seen_until_it_changes() {
    run(|f| async move {
        let coordinator = f.coordinator(500);
        let stale = br#"{"id":"dead","host":"127.0.0.1","port":1,"epoch":17}"#;
        std::fs::write(f.run_dir.join(LEADER), stale).unwrap();
        let mut observed = coordinator.observe();
        let seen = f.within("the present", observed.next()).await.unwrap().unwrap();
        assert_eq!(seen.map(|info| info.id).as_deref(), Some("dead"));
        let leader = coordinator.campaign(candidate("a")).await.unwrap();
        let seen = f.within("the change", observed.next()).await.unwrap().unwrap();
        assert_eq!(seen.map(|info| info.epoch), Some(leader.epoch()));
    });
}

#[test]
fn a_damaged_address_is_an_error_and_the_stream_goes_on() {
    run(|f| async move {
        let coordinator = f.coordinator(500);
        std::fs::write(f.run_dir.join(LEADER), "{").unwrap();
        let mut observed = coordinator.observe();
        let error = f.within("the error", observed.next()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let _leader = coordinator.campaign(candidate("a")).await.unwrap();
        assert!(f.within("the leader", observed.next()).await.unwrap().unwrap().is_some());
    });
}

#[test]
fn a_failure_that_passes_without_an_event_does_not_deafen() {
    run(|f| async move {
        let coordinator = f.coordinator(500);
        let elsewhere = f.run_dir.with_file_name("elsewhere");
        std::fs::write(&elsewhere, "{").unwrap();
        std::os::unix::fs::symlink(&elsewhere, f.run_dir.join(LEADER)).unwrap();
        let mut observed = coordinator.observe();
        f.within("the error", observed.next()).await.unwrap().unwrap_err();
        // It has failed again by now, and waits.
        let mut next = observed.next();
        assert!(futures_lite::future::poll_once(&mut next).await.is_none());
        std::fs::write(&elsewhere, br#"{"id":"late","host":"127.0.0.1","port":1,"epoch":17}"#).unwrap();
        let seen = f.within("the address", next).await.unwrap().unwrap();
        assert_eq!(seen.map(|info| info.id).as_deref(), Some("late"));
    });
}

#[test]
fn an_observer_is_not_deaf_after_its_directory_was_removed_or_moved() {
    run(|f| async move {
        let coordinator = f.coordinator(200);
        let mut observed = coordinator.observe();
        assert_eq!(f.within("the present", observed.next()).await.unwrap().unwrap(), None);
        let moved = f.run_dir.with_file_name("moved");
        for round in 0..6 {
            let id = format!("m{round}");
            let leader = f.within("a leader", coordinator.campaign(candidate(&id))).await.unwrap();
            let seen = f.within("the leader", observed.next()).await.unwrap().unwrap();
            assert_eq!(seen.map(|info| info.id), Some(id));
            match round % 3 {
                0 => std::fs::remove_dir_all(&f.run_dir).unwrap(),
                1 => std::fs::remove_dir_all(f.run_dir.join(LEADER_DIR)).unwrap(),
                _ => {
                    let _ = std::fs::remove_dir_all(&moved);
                    std::fs::rename(&f.run_dir, &moved).unwrap();
                }
            }
            let seen = f.within("that nobody leads", observed.next()).await.unwrap().unwrap();
            assert_eq!(seen, None, "in round {round}");
            drop(leader);
        }
    });
}
