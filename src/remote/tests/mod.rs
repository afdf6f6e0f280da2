//! Masters and agents without ssh: an agent is this test binary, run again, behind pipes.

mod agents;
mod conformance;
mod faults;
mod talk;

use super::Reach;
use super::agent::{self, Orders};
use super::authority::Authority;
use super::host::Host;
use super::supervisor::HostSupervisor;
use crate::parts;
use crate::sync::Mutex;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use tangelo_core::config::SshConfig;
use tangelo_core::coordinator::{Epoch, LeadershipState};
use tangelo_core::local::LocalSupervisor;
use tangelo_core::process::{LaunchSpec, LogSpec};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Instant, Leadership, Result, Supervisor};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the other host is called. Nothing is looked up.
const FAR: &str = "far";

/// The directory of the agent that this process is to be.
const DIR: &str = "TANGELO_TEST_AGENT_DIR";
/// How it behaves: `well`, or `dies-launching`.
const MANNERS: &str = "TANGELO_TEST_AGENT_MANNERS";

/// No test, but what a test runs as an agent.
#[test]
fn an_agent_of_its_own() {
    let Ok(dir) = std::env::var(DIR) else { return };
    if std::env::var(MANNERS).as_deref() == Ok("dies-launching") {
        let runtime = parts::runtime().unwrap();
        let orders = Orders::new(&runtime, local(&runtime), parts::built_in_affinity());
        runtime.block_on(Box::pin(async {
            drop(agent::serve(orders, io::stdin(), DyingLaunching(io::stdout())).await);
        }));
    } else {
        agent::run(Path::new(&dir), "test", |_| {}).unwrap();
    }
    std::process::exit(0);
}

/// Ends the process instead of telling of a launch that was obeyed.
struct DyingLaunching<W>(W);

impl<W: Write> Write for DyingLaunching<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if String::from_utf8_lossy(bytes).contains("\"process\"") {
            std::process::exit(9);
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The command that is an agent.
fn agent_command(dir: &Path, manners: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let (_, module) = module_path!().split_once("::").unwrap();
    command.args(["--exact", "--nocapture", &format!("{module}::an_agent_of_its_own")]);
    command.env(DIR, dir).env(MANNERS, manners);
    command
}

fn reach() -> Reach {
    Reach::new(&SshConfig::default(), Path::new("/srv/game"), "development", "/srv/game/bin")
}

/// A leadership that a test steers.
#[derive(Debug)]
struct Reign(Mutex<(LeadershipState, Instant)>);

impl Reign {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((LeadershipState::Leading, Instant::now() + PATIENCE * 10))))
    }

    fn set(&self, state: LeadershipState, deadline: Instant) {
        *self.0.lock() = (state, deadline);
    }
}

#[async_trait]
impl Leadership for Reign {
    fn epoch(&self) -> Epoch {
        Epoch(1)
    }

    fn state(&self) -> LeadershipState {
        self.0.lock().0
    }

    fn deadline(&self) -> Instant {
        self.0.lock().1
    }

    async fn changed(&self, _: LeadershipState) -> LeadershipState {
        core::future::pending().await
    }

    async fn store(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    async fn load(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    async fn resign(&self) -> Result<()> {
        Ok(())
    }

    async fn hand_over(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

/// A supervisor and a reign, and another host whose agents are started by `command`.
struct World {
    runtime: Arc<dyn Runtime>,
    supervisor: Arc<HostSupervisor>,
    reign: Arc<Reign>,
    dir: TempDir,
}

impl World {
    fn new(runtime: &Arc<dyn Runtime>, command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let reign = Reign::new();
        let supervisor = supervisor(runtime, &reign, Box::new(command));
        Self { runtime: Arc::clone(runtime), supervisor, reign, dir: tempfile::tempdir().unwrap() }
    }

    /// A launch of /bin/sh on the other host.
    fn sh(&self, script: &str) -> LaunchSpec {
        let path = self.dir.path().join("sh.log").to_str().unwrap().into();
        LaunchSpec {
            host: FAR.into(),
            program: "/bin/sh".into(),
            args: ["-c", script].map(String::from).into(),
            env: Vec::new(),
            log: Some(LogSpec { path, max_bytes: 1 << 20, keep: 1 }),
            cpus: None,
        }
    }

    async fn eventually(&self, what: &str, condition: impl FnMut() -> bool) {
        eventually(&self.runtime, what, condition).await;
    }
}

/// What supervises this host's processes.
fn local(runtime: &Arc<dyn Runtime>) -> Arc<dyn Supervisor> {
    Arc::new(LocalSupervisor::new(Arc::clone(runtime), parts::built_in_affinity()))
}

fn supervisor(
    runtime: &Arc<dyn Runtime>,
    reign: &Arc<Reign>,
    command: Box<dyn Fn() -> Command + Send + Sync>,
) -> Arc<HostSupervisor> {
    let local = local(runtime);
    let authority = Authority::Reign(Arc::clone(reign) as Arc<dyn Leadership>);
    let supervisor = HostSupervisor::new(runtime, local, reach(), authority);
    supervisor.know(FAR, Host::by_command(runtime, &reach(), FAR, command));
    Arc::new(supervisor)
}

async fn eventually(runtime: &Arc<dyn Runtime>, what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        runtime.sleep(Duration::from_millis(5)).await;
    }
}

/// Runs a test on this build's runtime.
fn run(test: impl FnOnce(Arc<dyn Runtime>) -> BoxFuture<'static, ()>) {
    let runtime = parts::runtime().unwrap();
    let test = test(Arc::clone(&runtime));
    runtime.block_on(test);
}
