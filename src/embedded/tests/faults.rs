//! What may lie in `run/` when a master comes.

use super::{candidate, lease_in, run};
use crate::embedded::current_leader;
use crate::embedded::dir::{EPOCH, LEADER, LEASE, LOCK, id_of};
use crate::embedded::lease::Lease;
use crate::embedded::process::Process;
use core::time::Duration;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command};
use tangelo_core::coordinator::Epoch;
use tangelo_core::local::find_process;
use tangelo_core::{Coordinator as _, Instant};

struct Bystander(Child);

impl Bystander {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Locks the leader's lock, and writes a lease that ran out a second ago in the name of `process`.
fn overdue(run_dir: &Path, process: Process) -> File {
    let lock = File::options().create(true).append(true).open(run_dir.join(LOCK)).unwrap();
    lock.lock().unwrap();
    let ago = Instant::now().saturating_sub(Duration::from_secs(1)).since_boot();
    let lease = Lease {
        token: 1,
        epoch: Epoch(6),
        held: true,
        lock: id_of(&lock).unwrap(),
        process,
        deadline_ns: u64::try_from(ago.as_nanos()).unwrap(),
    };
    lease.write(&File::create(run_dir.join(LEASE)).unwrap()).unwrap();
    lock
}

#[test]
fn a_process_that_only_has_the_pid_of_the_leader_is_never_killed() {
    run(|f| async move {
        let coordinator = f.coordinator(200);
        let mut bystander = Bystander::new();
        let me = Process::current().unwrap();
        // The pid was reused; or it counts in another namespace; or it is of an earlier boot.
        let reused = Process { pid: bystander.0.id(), start_time: 1, ..me.clone() };
        let elsewhere = Process { pid: bystander.0.id(), pid_namespace: 1, ..me.clone() };
        let earlier = Process { pid: bystander.0.id(), boot: "earlier".into(), ..me };
        for process in [reused, elsewhere, earlier] {
            let lock = overdue(&f.run_dir, process);
            let mut campaign = coordinator.campaign(candidate("a"));
            assert!(
                f.at_most(Duration::from_millis(600), &mut campaign).await.is_none(),
                "led beside the lock"
            );
            assert!(bystander.lives(), "a stranger was killed");
            drop(lock);
            let leader = f.within("the lock", &mut campaign).await.unwrap();
            assert!(leader.epoch() > Epoch(6));
        }
    });
}

#[test]
fn the_holder_is_killed_past_its_lease_and_only_then() {
    run(|f| async move {
        let coordinator = f.coordinator(200);
        let mut bystander = Bystander::new();
        let start_time = find_process("", bystander.0.id()).unwrap().unwrap().start_time;
        let holder = Process { pid: bystander.0.id(), start_time, ..Process::current().unwrap() };
        let _lock = overdue(&f.run_dir, holder);
        let mut lease = lease_in(&f.run_dir);
        lease.deadline_ns += 1_600_000_000;
        lease.write(&File::options().write(true).open(f.run_dir.join(LEASE)).unwrap()).unwrap();
        let mut campaign = coordinator.campaign(candidate("a"));
        f.at_most(Duration::from_millis(400), &mut campaign).await;
        assert!(bystander.lives() || Instant::now() >= lease.deadline(), "killed before its deadline");
        let killed = async {
            while bystander.lives() {
                f.runtime.sleep(Duration::from_millis(1)).await;
            }
        };
        let elected = async {
            let _ = campaign.await;
        };
        f.within("the end of the holder", futures_lite::future::or(killed, elected)).await;
        assert!(Instant::now() >= lease.deadline(), "killed before its deadline");
    });
}

#[test]
fn what_a_dead_master_left_is_replaced_and_its_epoch_passed() {
    run(|f| async move {
        let coordinator = f.coordinator(300);
        let stale = br#"{"id":"dead","host":"127.0.0.1","port":1,"epoch":17}"#;
        std::fs::write(f.run_dir.join(LEADER), stale).unwrap();
        std::fs::write(f.run_dir.join(EPOCH), "17\n").unwrap();
        assert_eq!(current_leader(&f.run_dir).unwrap(), None, "nobody holds the lock");
        let leader = f.within("a leader", coordinator.campaign(candidate("a"))).await.unwrap();
        assert_eq!(leader.epoch(), Epoch(18));
        assert_eq!(current_leader(&f.run_dir).unwrap().map(|info| info.id).as_deref(), Some("a"));
    });
}

#[test]
fn litter_in_run_is_no_obstacle() {
    run(|f| async move {
        let coordinator = f.coordinator(300);
        let litter = [
            LEADER,
            LEASE,
            "successor",
            "candidates/1-2.json",
            "candidates/.x.tmp",
            ".epoch.tmp",
            ".state.json.tmp",
        ];
        for name in litter {
            std::fs::write(f.run_dir.join(name), b"\xffrubbish").unwrap();
        }
        let leader = f.within("a leader", coordinator.campaign(candidate("a"))).await.unwrap();
        leader.store(b"x").await.unwrap();
        assert_eq!(leader.load().await.unwrap().as_deref(), Some(&b"x"[..]));
        assert!(!f.run_dir.join("candidates/1-2.json").exists(), "dead candidates pile up");
    });
}

#[test]
fn a_directory_that_may_not_be_written_is_an_error_that_names_it() {
    run(|f| async move {
        let coordinator = f.coordinator(300);
        // A file where the directory should be stops root too.
        std::fs::remove_dir_all(&f.run_dir).unwrap();
        std::fs::write(&f.run_dir, "").unwrap();
        let mut campaign = coordinator.campaign(candidate("a"));
        assert!(
            f.at_most(Duration::from_millis(200), &mut campaign).await.is_none_or(|result| result.is_err())
        );
        std::fs::remove_file(&f.run_dir).unwrap();
        f.within("a leader in the end", coordinator.campaign(candidate("a"))).await.unwrap();
    });
}
