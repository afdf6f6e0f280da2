//! Leaders in processes of their own, with their guards, killed; and the election that follows.
//!
//! This binary is the tests, and, with [`part::VARIABLE`] set, a leader or its guard.

extern crate alloc;

mod part;
#[path = "../support/mod.rs"]
mod support;

use alloc::sync::Arc;
use core::time::Duration;
use libtest_mimic::{Arguments, Trial};
use part::{Guard, Leader};
use std::process::ExitCode;
use support::{World, eventually, smol, tokio, within};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Instant};
use tangelo_services::zookeeper::Options;
use tangelo_zookeeper::ZooKeeperCoordinator;

type Test = fn(Arc<dyn Runtime>) -> BoxFuture<'static, ()>;

const TESTS: [(&str, Test); 3] = [
    ("a_killed_leader_has_a_successor_in_milliseconds", |runtime| Box::pin(killed_leaders(runtime))),
    ("a_leader_whose_guard_was_killed_is_guarded_again", |runtime| Box::pin(killed_guard(runtime))),
    ("a_leader_that_resigns_lets_its_guard_go", |runtime| Box::pin(resigned(runtime))),
];

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(part::VARIABLE) {
        part::play(&part);
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    for (name, test) in TESTS {
        let on_smol = move || {
            smol(test);
            Ok(())
        };
        trials.push(Trial::test(format!("on_smol::{name}"), on_smol));
        let on_tokio = move || {
            tokio(test);
            Ok(())
        };
        trials.push(Trial::test(format!("on_tokio::{name}"), on_tokio));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A leader, its guard and a standby, and what becomes of them.
struct Scene {
    world: World,
    runtime: Arc<dyn Runtime>,
}

impl Scene {
    /// With ZooKeeper's own tick, and sessions of 5 s: what a death would cost without a guard, at least.
    fn new(runtime: Arc<dyn Runtime>) -> Self {
        let world = World::own(&runtime, 1, Options { sync: true, ..Options::stock() });
        Self { world, runtime }
    }

    /// A leader in a process of its own, whose guard has its session.
    async fn leader(&self) -> Leader {
        let leader = Leader::start(&self.runtime, &self.world).await;
        self.guard(&leader).await;
        leader
    }

    /// The guard of this leader, once it has a session.
    async fn guard(&self, leader: &Leader) -> Guard {
        let ready = || async { leader.guards().into_iter().find(|guard| self.has_session(guard)) };
        eventually(&self.runtime, "a guard with a session", ready).await
    }

    fn has_session(&self, guard: &Guard) -> bool {
        let clients = self.world.ensemble.four_letter(0, "cons").unwrap();
        // A line is: /ADDRESS:PORT[..](..,sid=0x..,..)
        let has = |port: u16| {
            let mut lines = clients.lines();
            lines.any(|line| line.contains(&format!(":{port}[")) && line.contains("sid=0x"))
        };
        guard.ports().into_iter().any(has)
    }

    /// Kills the leader; how long it takes until the standby leads, with a higher epoch.
    async fn succession(&self, mut leader: Leader) -> Duration {
        let coordinator = self.world.coordinator_for(Duration::from_secs(5));
        let standby = self.world.standby_on(&coordinator, "standby", 0).await;
        let killed = Instant::now();
        leader.kill();
        let successor = within(&self.runtime, "the standby to lead", standby).await.unwrap();
        let time = Instant::now().saturating_since(killed);
        assert!(successor.epoch().0 > leader.epoch);
        // On a busy machine it may take longer than a resignation waits; it comes all the same.
        let _ = successor.resign().await;
        time
    }
}

async fn killed_leaders(runtime: Arc<dyn Runtime>) {
    let scene = Scene::new(runtime);
    let mut times = Vec::new();
    for _ in 0..20 {
        let leader = scene.leader().await;
        let guards = leader.guards();
        times.push(scene.succession(leader).await);
        let gone = || async { guards.iter().all(|guard| guard.has_ended()).then_some(()) };
        eventually(&scene.runtime, "the guard to leave", gone).await;
    }
    times.sort();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!("from SIGKILL of the leader to the reign of the standby: median {median:?}, most {most:?}");
    assert!(most < Duration::from_secs(4), "{times:?}");
}

async fn killed_guard(runtime: Arc<dyn Runtime>) {
    let scene = Scene::new(runtime);
    let leader = scene.leader().await;
    let guard = scene.guard(&leader).await;
    guard.kill();
    let ended = || async { guard.has_ended().then_some(()) };
    eventually(&scene.runtime, "the guard to end", ended).await;
    assert_ne!(scene.guard(&leader).await, guard);
    let time = scene.succession(leader).await;
    assert!(time < Duration::from_secs(4), "{time:?}");
}

async fn resigned(runtime: Arc<dyn Runtime>) {
    let scene = Scene::new(runtime);
    let mut leader = scene.leader().await;
    assert_eq!(leader.guards().len(), 1);
    leader.resign().await;
    let none = || async { leader.guards().is_empty().then_some(()) };
    eventually(&scene.runtime, "the guard to leave", none).await;
}

/// What a leader of a test uses.
fn coordinator(runtime: &Arc<dyn Runtime>, server: &str, path: &str) -> ZooKeeperCoordinator {
    let (server, path) = (server.into(), path.into());
    let config = tangelo_core::config::ZooKeeperConfig { server, path, create: true, ..Default::default() };
    ZooKeeperCoordinator::new(Arc::clone(runtime), config).unwrap()
}
