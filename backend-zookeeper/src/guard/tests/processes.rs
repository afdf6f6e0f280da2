//! A test's end of the processes that play a part in it.

use super::parts::{PART, RUNTIME, arguments, guard_command};
use crate::GuardCommand;
use crate::guard::pace::Pace;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use rustix::process::{pidfd_open, pidfd_send_signal, waitid};
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use tangelo_core::config::{Login, Password, ZooKeeperConfig};
use tangelo_services::clock;

/// What is waited for comes much sooner; a busy machine gets this long.
pub(super) const fn limit() -> Duration {
    Duration::from_secs(30)
}

/// So soon a guard has done its work on however busy a machine: sooner than the session of 5 s would end by itself.
pub(super) const SOON: Duration = Duration::from_secs(4);

/// A session timeout so long that nothing ends by itself in a test.
pub(super) const NEVER_MS: u64 = 30_000;

/// A guard's command, as a master of a test is told it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Program {
    program: String,
    args: Vec<String>,
}

impl From<Program> for GuardCommand {
    fn from(Program { program, args }: Program) -> Self {
        Self { program, args }
    }
}

/// What a master of a test is told in its first line. It goes through stdin, as there may be a password in it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) server: String,
    pub(super) path: String,
    pub(super) timeout_ms: u64,
    pub(super) login: Option<(String, String)>,
    pub(super) runtime: String,
    pub(super) guard: Program,
    /// How often the guard is asked, and how long it may take to answer.
    pub(super) ask_ms: u64,
    pub(super) linger_ms: u64,
}

impl Spec {
    pub(super) fn new(server: String, runtime: &str, report: &str) -> Self {
        let GuardCommand { program, args } = guard_command(runtime, report);
        Self {
            server,
            path: "/pomelo/master".into(),
            timeout_ms: 5000,
            login: None,
            runtime: runtime.into(),
            guard: Program { program, args },
            ask_ms: 5000,
            linger_ms: 30_000,
        }
    }

    pub(super) fn config(&self) -> ZooKeeperConfig {
        let login = self.login.as_ref();
        ZooKeeperConfig {
            server: self.server.clone(),
            path: self.path.clone(),
            timeout: Duration::from_millis(self.timeout_ms),
            login: login
                .map(|(name, word)| Login { username: name.clone(), password: Password::new(word.clone()) }),
            ..ZooKeeperConfig::default()
        }
    }

    pub(super) fn pace(&self) -> Pace {
        let ask = Duration::from_millis(self.ask_ms);
        Pace { ask, answer: ask, linger: Duration::from_millis(self.linger_ms), ..Pace::default() }
    }
}

/// A master in a process of its own; killed on drop.
pub(super) struct Master {
    process: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

/// A lock node and the session that owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) path: String,
    pub(super) owner: i64,
}

impl Master {
    pub(super) fn start(spec: &Spec) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments()).env(PART, "master").env(RUNTIME, &spec.runtime);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // A line may be cut by the master's death.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut master = Self { process, stdin, lines };
        master.say(&serde_json::to_string(spec).unwrap());
        master
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn say(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").unwrap();
    }

    /// Has it do something, and waits until it is done.
    pub(super) fn tell(&mut self, command: &str) {
        self.say(command);
        self.hear("done");
    }

    /// The rest of the next line that begins with `word`.
    fn hear(&mut self, word: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(limit()).unwrap_or_else(|e| panic!("no {word:?}: {e}"));
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().into();
            }
        }
    }

    /// The lock node that it takes next.
    pub(super) fn lock(&mut self) -> Lock {
        let line = self.hear("lock ");
        let (path, owner) = line.split_once(' ').unwrap();
        Lock { path: path.into(), owner: owner.parse().unwrap() }
    }

    /// The next guard that stands ready.
    pub(super) fn guard(&mut self) -> Process {
        Process::find(self.hear("guard ").parse().unwrap())
    }

    /// A guard that stands ready and has been told of a lock node.
    pub(super) fn lead(&mut self) -> (Process, Lock) {
        let guard = self.guard();
        self.say("hold");
        (guard, self.lock())
    }

    /// SIGKILL; returns as soon as it is sent.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// SIGSTOP; returns once it has stopped.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.process)), options).unwrap();
    }

    pub(super) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process that is not our child; killed on drop.
pub(super) struct Process {
    pub(super) pid: u32,
    pidfd: OwnedFd,
}

impl Process {
    fn find(pid: u32) -> Self {
        let id = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        Self { pid, pidfd: pidfd_open(id, PidfdFlags::empty()).unwrap() }
    }

    pub(super) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).unwrap();
    }

    pub(super) fn ends_within(&self, limit: Duration) -> bool {
        clock::readable_before(&self.pidfd, clock::now() + limit).unwrap()
    }

    /// What /proc/PID/`file` says.
    pub(super) fn proc(&self, file: &str) -> String {
        let bytes = std::fs::read(format!("/proc/{}/{file}", self.pid)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it has a connection to this port of this host.
    pub(super) fn is_connected_to(&self, port: u16) -> bool {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().flatten();
        let sockets: Vec<_> = files.filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // proc_net(5): the remote address is the third field, the inode the tenth.
        table.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields[2].ends_with(&format!(":{port:04X}"))
                && sockets.contains(&format!("socket:[{}]", fields[9]).into())
        })
    }

    /// SIGSTOP; returns once it has stopped.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
        let deadline = clock::now() + limit();
        let stopped = || {
            let stat = self.proc("stat");
            let state = stat.rsplit_once(')').unwrap().1.trim_start().chars().next();
            if state == Some('T') { Ok(()) } else { Err(std::io::Error::other("runs").into()) }
        };
        clock::poll_until(deadline, Duration::from_millis(1), stopped).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}
