//! The store dies, or freezes, and comes back.

use super::Suite;
use super::stores::{Manager, assert_stale, life, set, try_all, try_at, users};
use crate::channel::Frontend;
use crate::{BoxFuture, ErrorKind, Instant, Result};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

/// Takes the store away and brings it back, with what it had stored: by `kill -9` and a restart, by
/// SIGSTOP and SIGCONT, by a network that is cut.
pub trait Outage: Send + Sync {
    /// From its end on nobody reaches the store.
    fn down(&self) -> BoxFuture<'_, ()>;

    /// From its end on everybody may reach it again.
    fn up(&self) -> BoxFuture<'_, ()>;
}

/// What a call may take longer than the manager's timeout, on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

impl Suite<'_> {
    /// While the store is down every call fails in time, and none answers that there is nothing;
    /// when it is back the same manager works again, and nothing is lost.
    pub async fn a_store_that_is_down_is_an_error(&self) {
        let Some((outage, timeout)) = self.outage else { return };
        let s = self.open().await;
        let (room, front, everybody) = (self.name("room"), self.frontend(), users(5000));
        self.persists("add_many", || s.a.add_many(&room, &front, &everybody)).await;
        for round in 0..2 {
            outage.down().await;
            for manager in [&s.a, &s.b] {
                let (m, began) = (manager, Instant::now());
                self.fails("add", timeout, m.add(&room, &front, "anna")).await;
                self.fails("add_many", timeout, m.add_many(&room, &front, &users(10))).await;
                self.fails("leave", timeout, m.leave(&room, &front, "nobody")).await;
                self.fails("members", timeout, async {
                    let mut pages = m.members(&room);
                    poll_fn(|cx| pages.as_mut().poll_next(cx)).await.unwrap_or_else(|| Ok(Vec::new()))
                })
                .await;
                self.fails("members_by_server", timeout, m.members_by_server(&room, &front.sid)).await;
                self.fails("channels_of_server", timeout, m.channels_of_server(&front.sid)).await;
                self.fails("contains", timeout, m.contains(&room, &front.sid, "user-0")).await;
                self.fails("count", timeout, m.count(&room)).await;
                self.fails("destroy", timeout, m.destroy(&self.name("room"))).await;
                self.fails("purge_server", timeout, m.purge_server(&self.frontend())).await;
                self.fails("an add of many at once", timeout * 2, self.thousand(m, &front)).await;
                let took = Instant::now().saturating_since(began);
                assert!(
                    took < timeout * 12 + SLACK * 2,
                    "the calls of a manager without its store took {took:?}"
                );
            }
            outage.up().await;
            for manager in [&s.a, &s.b] {
                self.recovers(manager, &room, &front).await;
                let expected = set(&everybody);
                let mut found = self.found(manager, &room, &front).await;
                // Whether the store has got it before it went is anybody's guess.
                found.remove("anna");
                assert!(
                    found == expected,
                    "{} of {} members after outage {round}",
                    found.len(),
                    expected.len()
                );
            }
        }
        s.close().await;
    }

    /// A manager may be started before its store: that fails in time, and may be repeated.
    pub async fn a_start_without_the_store_fails_and_may_be_repeated(&self) {
        let Some((outage, timeout)) = self.outage else { return };
        let (room, front) = (self.name("room"), self.frontend());
        outage.down().await;
        let manager = (self.connect)().await;
        self.fails("start", timeout, manager.start()).await;
        outage.up().await;
        self.persists("start", || manager.start()).await;
        self.recovers(&manager, &room, &front).await;
        self.persists("add", || manager.add(&room, &front, "anna")).await;
        assert_eq!(self.found(&manager, &room, &front).await, set(&["anna"]));
        manager.stop().await.unwrap();
    }

    /// Under load, what was acknowledged before, during and after the outage is there, and nobody
    /// who was never added.
    pub async fn no_acknowledged_change_is_lost_in_an_outage(&self) {
        let Some((outage, _)) = self.outage else { return };
        let s = self.open().await;
        let (room, front, over) = (self.name("room"), self.frontend(), Arc::new(AtomicBool::new(false)));
        let mut adding = Vec::new();
        for n in 0..16 {
            let manager = Arc::clone(if n % 2 == 0 { &s.a } else { &s.b });
            let (room, front, over) = (room.clone(), front.clone(), Arc::clone(&over));
            let runtime = Arc::clone(&self.runtime);
            adding.push(self.spawn(async move {
                let (mut there, mut unknown, mut last) = (Vec::new(), Vec::new(), Ok(()));
                for m in 0.. {
                    if over.load(Ordering::Relaxed) && last.is_ok() || m > 100_000 {
                        break;
                    }
                    let user = format!("user-{n}-{m}");
                    last = manager.add(&room, &front, &user).await;
                    match &last {
                        Ok(()) => there.push(user),
                        Err(error) => {
                            assert_away(error, "an add amid an outage");
                            unknown.push(user);
                            runtime.sleep(Duration::from_millis(20)).await;
                        }
                    }
                    runtime.sleep(Duration::from_millis(1)).await;
                }
                last.expect("an adder never gets through again");
                (there, unknown)
            }));
        }
        for _ in 0..2 {
            self.runtime.sleep(Duration::from_millis(300)).await;
            outage.down().await;
            self.runtime.sleep(Duration::from_millis(500)).await;
            outage.up().await;
        }
        self.runtime.sleep(Duration::from_millis(300)).await;
        over.store(true, Ordering::Relaxed);
        let (mut there, mut unknown) = (Vec::new(), Vec::new());
        for task in adding {
            let (acknowledged, others) = task.end().await;
            there.extend(acknowledged);
            unknown.extend(others);
        }
        let found = self.found(&s.a, &room, &front).await;
        let lost: Vec<_> = there.iter().filter(|uid| !found.contains(*uid)).take(10).collect();
        assert!(lost.is_empty(), "acknowledged and lost, of {}: {lost:?}", there.len());
        let known = set(there.iter().chain(&unknown));
        assert!(found.is_subset(&known), "members whom nobody has added");
        s.close().await;
    }

    /// A purge that fails for want of the store is done when it is called again.
    pub async fn a_purge_is_finished_after_an_outage(&self) {
        let Some((outage, timeout)) = self.outage else { return };
        let s = self.open().await;
        let (front, rooms) = (self.frontend(), (0..50).map(|_| self.name("room")).collect::<Vec<_>>());
        for n in 1..=2 {
            let (alive, some) = (life(&front, n), users(20));
            for room in &rooms {
                self.persists("add_many", || s.a.add_many(room, &alive, &some)).await;
            }
            // One purge is caught by the outage, wherever it is; the other finds no store at all.
            let caught = self.spawn({
                let (manager, alive) = (s.a.clone(), alive.clone());
                async move { manager.purge_server(&alive).await }
            });
            outage.down().await;
            self.fails("purge_server", timeout, s.b.purge_server(&alive)).await;
            if let Err(error) = caught.end().await {
                assert_away(&error, "a purge amid an outage");
            }
            outage.up().await;
            self.recovers(&s.b, &rooms[0], &life(&front, n)).await;
            self.persists("purge_server", || s.b.purge_server(&alive)).await;
            let rest = self.persists("channels_of_server", || s.b.channels_of_server(&front.sid)).await;
            assert!(rest.is_empty(), "still in {rest:?}");
            for room in &rooms {
                let ghosts = self.persists("members", || try_all(&s.b, room)).await;
                assert!(ghosts.is_empty(), "ghosts after the outage: {ghosts:?}");
            }
            self.recovers(&s.a, &rooms[0], &alive).await;
            assert_stale(s.a.add(&rooms[0], &alive, "anna").await, "after the purge");
        }
        s.close().await;
    }

    /// Many adds at once: the error of the first that fails, if all of them do.
    async fn thousand(&self, manager: &Manager, front: &Frontend) -> Result<()> {
        let room = self.name("room");
        let calls: Vec<_> = (0..200)
            .map(|n| {
                let (manager, room, front) = (Arc::clone(manager), room.clone(), front.clone());
                self.spawn(async move { manager.add(&room, &front, &format!("user-{n}")).await })
            })
            .collect();
        let mut outcome = Ok(());
        for call in calls {
            match call.end().await {
                Ok(()) => panic!("an add succeeds without a store"),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn fails<T: Debug>(&self, what: &str, limit: Duration, call: impl Future<Output = Result<T>>) {
        let ended = super::within(&*self.runtime, limit + SLACK, call).await;
        match ended {
            None => panic!("{what} has not ended in {:?}, with a timeout of {limit:?}", limit + SLACK),
            Some(Ok(value)) => panic!("{what} succeeds without a store: {:.60}", format!("{value:?}")),
            Some(Err(error)) => assert_away(&error, what),
        }
    }

    /// Has a call done while the store is there: it has just come back, or the machine is so busy that the short timeout
    /// of these managers is missed. All of them may be repeated.
    pub(super) async fn persists<T, F: Future<Output = Result<T>>>(
        &self,
        what: &str,
        mut call: impl FnMut() -> F,
    ) -> T {
        let begin = Instant::now();
        loop {
            let error = match call().await {
                Ok(value) => return value,
                Err(error) => error,
            };
            assert_away(&error, what);
            let waited = Instant::now().saturating_since(begin);
            assert!(waited < self.patience / 2, "{what} has not got through in {waited:?}: {error}");
            self.runtime.sleep(Duration::from_millis(20)).await;
        }
    }

    /// The users of a channel at a frontend.
    async fn found(&self, manager: &Manager, room: &str, front: &Frontend) -> BTreeSet<String> {
        self.persists("members_by_server", || try_at(manager, room, &front.sid)).await
    }

    /// Waits until a manager works again by itself.
    async fn recovers(&self, manager: &Manager, room: &str, front: &Frontend) {
        let leave = || async {
            match manager.leave(room, front, "nobody").await {
                Err(error) if error.kind() == ErrorKind::StaleIncarnation => Ok(()),
                outcome => outcome,
            }
        };
        self.persists("a leave after an outage", leave).await;
    }
}

fn assert_away(error: &crate::Error, what: &str) {
    let away = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
    assert!(away, "{what}: {:?}, expected Unavailable or Timeout: {error}", error.kind());
    let line: String = format!("{error}");
    assert!(!line.contains('\n'), "an error of several lines: {line}");
}
