//! The other processes of a test: this test binary again, playing a master or a guard.

use super::processes::Spec;
use crate::GuardCommand;
use crate::guard::{Guard, run_guard};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future::or;
use std::io::BufRead as _;
use std::process::{Command, Stdio};
use tangelo_core::config::{Login, ZooKeeperConfig};
use tangelo_core::runtime::Runtime;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use zookeeper_client::{Acls, Client, CreateMode};

/// Says which part: `master`, `guard`. It is no secret, so the guard may see it.
pub(super) const PART: &str = "TANGELO_GUARD_TEST_PART";
/// On which runtime: `tokio`, `smol`.
pub(super) const RUNTIME: &str = "TANGELO_GUARD_TEST_RUNTIME";
/// Where a guard writes how it ended.
pub(super) const REPORT: &str = "TANGELO_GUARD_TEST_REPORT";

/// This test binary playing a part.
pub(super) fn arguments() -> [&'static str; 4] {
    ["--exact", "guard::tests::parts::part", "--nocapture", "--test-threads=1"]
}

/// What starts a guard; the environment is set by env(1), which becomes the guard.
pub(super) fn guard_command(runtime: &str, report: &str) -> GuardCommand {
    let exe = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    let mut args =
        vec![format!("{PART}=guard"), format!("{RUNTIME}={runtime}"), format!("{REPORT}={report}"), exe];
    args.extend(arguments().map(String::from));
    GuardCommand { program: "/usr/bin/env".into(), args }
}

/// Plays the part that the environment names. Without one it is a test: who starts a guard by hand is told.
#[test]
fn part() {
    match std::env::var(PART).as_deref() {
        Ok("master") => play(|runtime| Box::pin(master(runtime))),
        Ok("guard") => play(|runtime| {
            Box::pin(async move {
                let result = run_guard(runtime).await;
                let text = result.as_ref().map_or_else(|e| format!("{:?}: {e}", e.kind()), |()| "Ok".into());
                if let Ok(report) = std::env::var(REPORT) {
                    // A test that does not ask for it may have tidied up already.
                    let _ = std::fs::write(report, text);
                }
                std::process::exit(i32::from(result.is_err()));
            })
        }),
        _ => {
            let report = tempfile::NamedTempFile::new().unwrap();
            let command = guard_command("tokio", &report.path().to_string_lossy());
            let stdin = Stdio::null();
            let by_hand = Command::new(command.program).args(command.args).stdin(stdin).output().unwrap();
            assert_eq!(by_hand.status.code(), Some(1));
            let text = std::fs::read_to_string(report.path()).unwrap();
            assert!(text.starts_with("Invalid: a guard is started by its master"), "{text}");
        }
    }
}

fn play(part: impl FnOnce(Arc<dyn Runtime>) -> tangelo_core::BoxFuture<'static, ()>) {
    let runtime: Arc<dyn Runtime> = match std::env::var(RUNTIME).as_deref() {
        Ok("smol") => Arc::new(SmolRuntime::new().unwrap()),
        _ => Arc::new(TokioRuntime::new().unwrap()),
    };
    runtime.block_on(part(Arc::clone(&runtime)));
    std::process::exit(0);
}

/// Without the haste of a real one: on a busy machine a server may be silent for a while.
async fn connect(config: &ZooKeeperConfig) -> Client {
    let mut connector = Client::connector().with_session_timeout(config.timeout);
    if let Some(Login { username, password }) = &config.login {
        connector = connector.with_auth("digest", format!("{username}:{}", password.expose()).as_bytes());
    }
    connector.connect(&config.server).await.unwrap()
}

/// A master as far as its guard is concerned. What it is to do comes by stdin, what it has done goes to stdout.
async fn master(runtime: Arc<dyn Runtime>) {
    // The harness leaves a line unfinished.
    println!();
    let (sender, commands) = async_channel::unbounded();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let _ = sender.send_blocking(line.unwrap());
        }
        // The test has ended, however.
        std::process::exit(0);
    });
    let spec: Spec = serde_json::from_str(&commands.recv().await.unwrap()).unwrap();
    let config = spec.config();
    let guard = Guard::with_pace(Arc::clone(&runtime), spec.guard.clone().into(), &config, spec.pace());
    let mut guard = Some(guard);
    let mut client: Option<Client> = None;
    let mut ready = None;
    loop {
        let now = guard.as_ref().and_then(|guard| guard.shared.ready());
        if now != ready {
            ready = now;
            if let Some(pid) = now {
                println!("guard {pid}");
            }
        }
        let tick = async {
            runtime.sleep(Duration::from_millis(5)).await;
            None
        };
        let Some(command) = or(async { commands.recv().await.ok() }, tick).await else { continue };
        match &*command {
            // Another session with another lock node, as after the first has expired.
            "hold" | "hold-and-die" => {
                let session = connect(&config).await;
                let acls = if config.login.is_some() { Acls::creator_all() } else { Acls::anyone_all() };
                let prefix = format!("{}/lock/master-", config.path);
                let options = CreateMode::EphemeralSequential.with_acls(acls);
                let (_, sequence) = session.create(&prefix, b"{}", &options).await.unwrap();
                let (lock, owner) = (format!("{prefix}{sequence}"), session.session_id().0);
                if command == "hold-and-die" {
                    // Before it, so that not even a system call stands between the hold and the death.
                    println!("lock {lock} {owner}");
                    let guard = guard.as_ref().unwrap();
                    while !guard.shared.told() {
                        runtime.sleep(Duration::from_millis(1)).await;
                    }
                    guard.hold(&*lock, owner);
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                        .unwrap();
                }
                guard.as_ref().unwrap().hold(&*lock, owner);
                println!("lock {lock} {owner}");
                // The former session lives on until it expires, as that of a master that is cut off does.
                core::mem::forget(client.replace(session));
            }
            "release" => guard.as_ref().unwrap().release(),
            "let-go" => guard = None,
            other => panic!("what is {other}?"),
        }
        println!("done");
    }
}
