//! The other processes of a test: this test binary again, as a master or as its guard.

use alloc::sync::Arc;
use core::time::Duration;
use std::io::BufRead as _;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Candidate, LeadershipState};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Coordinator};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_zookeeper::{GuardCommand, ZooKeeperCoordinator, run_guard};

/// Says which part: `master`, `guard`.
const PART: &str = "TANGELO_MASTERS_TEST_PART";
/// On which runtime: `tokio`, `smol`.
const RUNTIME: &str = "TANGELO_MASTERS_TEST_RUNTIME";

/// How to start this binary as `part`, by env(1), which becomes it.
pub(crate) fn command(part: &str, runtime: &str) -> (String, Vec<String>) {
    let exe = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    let mut args = vec![format!("{PART}={part}"), format!("{RUNTIME}={runtime}"), exe];
    args.extend(["--exact", "part::part", "--nocapture", "--test-threads=1"].map(String::from));
    ("/usr/bin/env".into(), args)
}

/// Plays the part that the environment names, if it names one.
#[test]
fn part() {
    match std::env::var(PART).as_deref() {
        Ok("master") => play(|runtime| Box::pin(master(runtime))),
        Ok("guard") => play(|runtime| {
            Box::pin(async move {
                let result = run_guard(runtime).await;
                std::process::exit(i32::from(result.is_err()));
            })
        }),
        _ => {}
    }
}

fn runtime() -> String {
    std::env::var(RUNTIME).unwrap_or_default()
}

fn play(part: impl FnOnce(Arc<dyn Runtime>) -> BoxFuture<'static, ()>) {
    let runtime: Arc<dyn Runtime> = match &*runtime() {
        "smol" => Arc::new(SmolRuntime::new().unwrap()),
        _ => Arc::new(TokioRuntime::new().unwrap()),
    };
    runtime.block_on(part(Arc::clone(&runtime)));
    std::process::exit(0);
}

/// Stands for election again and again, and tells of its reigns. Its first line of input says where;
/// it ends with its input.
async fn master(runtime: Arc<dyn Runtime>) {
    // The harness leaves a line unfinished.
    println!();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let [server, path, timeout_ms, id] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("what is {line}?")
    };
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().lines().last();
        std::process::exit(0);
    });
    let config = ZooKeeperConfig {
        server: server.into(),
        path: path.into(),
        timeout: Duration::from_millis(timeout_ms.parse().unwrap()),
        ..ZooKeeperConfig::default()
    };
    let (program, args) = command("guard", &self::runtime());
    let coordinator = ZooKeeperCoordinator::new(Arc::clone(&runtime), config).unwrap();
    let coordinator = coordinator.with_guard(GuardCommand { program, args });
    let candidate = Candidate { id: id.into(), host: "127.0.0.1".into(), port: 3005, priority: 0 };
    loop {
        let leader = coordinator.campaign(candidate.clone()).await.unwrap();
        println!("leads {}", leader.epoch());
        let mut seen = LeadershipState::Leading;
        while seen != LeadershipState::Lost {
            seen = leader.changed(seen).await;
            println!("is {seen:?}");
        }
    }
}
