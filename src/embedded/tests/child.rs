//! Masters and observers in processes of their own: this test binary, run again.

use super::{PATIENCE, candidate, runtime};
use crate::embedded::EmbeddedCoordinator;
use crate::embedded::dir::LOCK;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Coordinator as _, Instant, Leadership};

const ROLE: &str = "TANGELO_TEST_EMBEDDED";

/// The test that plays a role when it is run again as a child.
const ENTRY: &str = "a_process_of_its_own_leads";

/// A process that says on stdout what happens to it.
pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Process {
    /// A process that campaigns, and campaigns again when it has lost.
    pub(super) fn master(run_dir: &Path, id: &str, lease_ms: u64) -> Self {
        Self::start(&format!("master {id} {lease_ms} {}", run_dir.display()))
    }

    /// A process that observes.
    pub(super) fn observer(run_dir: &Path) -> Self {
        Self::start(&format!("observer - 1000 {}", run_dir.display()))
    }

    /// A process that takes the lock and does no more.
    pub(super) fn locker(run_dir: &Path) -> Self {
        Self::start(&format!("locker - 1000 {}", run_dir.display()))
    }

    fn start(role: &str) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", &format!("{module}::{ENTRY}")])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The test harness says things too, without ending its line.
                if let Some((_, said)) = line.split_once("@ ")
                    && sender.send(said.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Self { child, stdin, lines }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Tells it something; a stopped one hears it when it goes on.
    pub(super) fn tell(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").unwrap();
    }

    /// The next thing it says must begin with `what`; returns the rest.
    pub(super) fn says(&self, what: &str) -> String {
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(e) => panic!("pid {} did not say {what:?}: {e}", self.pid()),
        };
        let rest = line.strip_prefix(what);
        rest.unwrap_or_else(|| panic!("pid {} says {line:?}, not {what:?}", self.pid())).trim().to_owned()
    }

    /// Whether it says nothing for this long.
    pub(super) fn is_silent(&self, for_ms: u64) -> bool {
        self.lines.recv_timeout(Duration::from_millis(for_ms)) == Err(RecvTimeoutError::Timeout)
    }

    /// The epoch and the moment in which it began to lead.
    pub(super) fn leads(&self) -> (u64, Instant) {
        let said = self.says("leads");
        let (epoch, at) = said.split_once(' ').unwrap();
        (epoch.parse().unwrap(), Instant::from_boot(Duration::from_nanos(at.parse().unwrap())))
    }

    /// How often its threads have gone to sleep so far, that is, have been woken.
    pub(super) fn wakeups(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let status = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap());
        let count = |status: String| {
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::trim));
            line.unwrap().parse::<u64>().unwrap()
        };
        status.map(count).sum()
    }

    /// How it has ended, if it has.
    pub(super) fn child_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(super) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(what: impl core::fmt::Display) {
    println!("\n@ {what}");
}

#[test]
fn a_process_of_its_own_leads() {
    if let Ok(role) = std::env::var(ROLE) {
        return play(&role);
    }
    let dir = tempfile::tempdir().unwrap();
    let (epoch, _) = Process::master(&dir.path().join("run"), "alone", 1000).leads();
    assert_eq!(epoch, 1);
}

fn play(role: &str) {
    let [role, id, lease, run_dir] = role.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
    let runtime = runtime();
    let lease = Duration::from_millis(lease.parse().unwrap());
    let coordinator = EmbeddedCoordinator::new(Arc::clone(&runtime), run_dir.into(), lease).unwrap();
    let commands = commands();
    let role: BoxFuture<'_, ()> = match role {
        "master" => Box::pin(master(&*runtime, coordinator, id, commands)),
        "observer" => Box::pin(observer(coordinator, commands)),
        "locker" => Box::pin(locker(Path::new(run_dir), commands)),
        other => panic!("no role {other}"),
    };
    runtime.block_on(role);
}

/// What the parent says; the end of it is the end of the parent, and ours.
fn commands() -> async_channel::Receiver<String> {
    let (sender, commands) = async_channel::unbounded();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.try_send(line);
        }
    });
    commands
}

async fn master(
    runtime: &dyn Runtime,
    coordinator: EmbeddedCoordinator,
    id: &str,
    commands: async_channel::Receiver<String>,
) {
    loop {
        let election = async { Some(coordinator.campaign(candidate(id)).await.unwrap()) };
        let orphaned = async {
            while commands.recv().await.is_ok() {}
            None
        };
        let Some(leader) = futures_lite::future::or(election, orphaned).await else { return };
        say(format_args!("leads {} {}", leader.epoch(), Instant::now().since_boot().as_nanos()));
        loop {
            let command = async { Some(commands.recv().await) };
            let lost = async {
                leader.changed(LeadershipState::Leading).await;
                // What was said while we were frozen is answered first.
                runtime.sleep(Duration::from_secs(1)).await;
                None
            };
            match futures_lite::future::or(command, lost).await {
                Some(Ok(command)) => obey(&*leader, &command).await,
                Some(Err(_)) => return,
                None => break,
            }
        }
        say("lost");
    }
}

async fn obey(leader: &dyn Leadership, command: &str) {
    match command.split_once(' ').unwrap_or((command, "")) {
        ("probe", state) => {
            let overdue = leader.deadline() <= Instant::now();
            let stored = match leader.store(state.as_bytes()).await {
                Ok(()) => "stored".to_owned(),
                Err(e) => format!("{:?}", e.kind()),
            };
            say(format_args!("probe overdue={overdue} {:?} {stored}", leader.state()));
        }
        ("load", _) => {
            let state = leader.load().await.unwrap().unwrap_or_default();
            say(format_args!("state {}", String::from_utf8_lossy(&state)));
        }
        ("resign", _) => leader.resign().await.unwrap(),
        (other, _) => panic!("no command {other}"),
    }
}

async fn observer(coordinator: EmbeddedCoordinator, commands: async_channel::Receiver<String>) {
    let mut observed = coordinator.observe();
    loop {
        let next = async { observed.next().await };
        let orphaned = async {
            let _ = commands.recv().await;
            None
        };
        match futures_lite::future::or(next, orphaned).await {
            Some(Ok(Some(info))) => say(format_args!("sees {} {}", info.id, info.epoch)),
            Some(Ok(None)) => say("sees nobody"),
            Some(Err(e)) => say(format_args!("error {e}")),
            None => return,
        }
    }
}

async fn locker(run_dir: &Path, commands: async_channel::Receiver<String>) {
    let file = std::fs::File::options().create(true).append(true).open(run_dir.join(LOCK)).unwrap();
    file.lock().unwrap();
    say("locked");
    let _ = commands.recv().await;
}
