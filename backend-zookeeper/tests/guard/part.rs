//! The other processes of a test: this binary again.

use crate::coordinator;
use crate::support::{World, candidate, within};
use alloc::sync::Arc;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use tangelo_core::Coordinator as _;
use tangelo_core::runtime::Runtime;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_zookeeper::{GuardCommand, run_guard};

/// Says which part, on which runtime, and where ZooKeeper is: `guard smol`, `leader smol 127.0.0.1:2181 /path`.
pub(crate) const VARIABLE: &str = "TANGELO_TEST_PART";

pub(crate) fn play(part: &str) {
    let words: Vec<&str> = part.split(' ').collect();
    let runtime: Arc<dyn Runtime> = match words[1] {
        "smol" => Arc::new(SmolRuntime::new().unwrap()),
        _ => Arc::new(TokioRuntime::new().unwrap()),
    };
    let inside = Arc::clone(&runtime);
    match words[..] {
        ["leader", name, server, path] => runtime.block_on(Box::pin(lead(inside, name, server, path))),
        _ => runtime.block_on(Box::pin(async { run_guard(inside).await.unwrap() })),
    }
}

/// Leads until the end of stdin; the first line there asks it to resign.
async fn lead(runtime: Arc<dyn Runtime>, name: &str, server: &str, path: &str) {
    let exe = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    // env(1) sets the variable and becomes the guard.
    let args = vec![format!("{VARIABLE}=guard {name}"), exe];
    let command = GuardCommand { program: "/usr/bin/env".into(), args };
    let coordinator = coordinator(&runtime, server, path).with_guard(command);
    let reign = coordinator.campaign(candidate("leader", 0)).await.unwrap();
    println!("epoch {}", reign.epoch());
    let (sender, lines) = async_channel::unbounded();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let _ = sender.send_blocking(line.unwrap());
        }
    });
    if lines.recv().await.is_ok() {
        reign.resign().await.unwrap();
        drop(reign);
        println!("resigned");
    }
    while lines.recv().await.is_ok() {}
}

/// A leader in a process of its own; killed on drop.
pub(crate) struct Leader {
    process: Child,
    stdin: ChildStdin,
    lines: async_channel::Receiver<String>,
    runtime: Arc<dyn Runtime>,
    pub(crate) epoch: u64,
}

impl Leader {
    /// Starts it; it leads when this returns.
    pub(crate) async fn start(runtime: &Arc<dyn Runtime>, world: &World) -> Self {
        let name = if format!("{runtime:?}").contains("Smol") { "smol" } else { "tokio" };
        let part = format!("leader {name} {} {}", world.ensemble.connect_string(), world.path);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(VARIABLE, part).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (sender, lines) = async_channel::unbounded();
        std::thread::spawn(move || {
            // The last line may be cut by its death.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send_blocking(line);
            }
        });
        let mut leader = Self { process, stdin, lines, runtime: Arc::clone(runtime), epoch: 0 };
        leader.epoch = leader.hear("epoch ").await.parse().unwrap();
        leader
    }

    async fn hear(&self, word: &str) -> String {
        let line = within(&self.runtime, word, self.lines.recv()).await.unwrap();
        line.strip_prefix(word).unwrap_or_else(|| panic!("{line:?} instead of {word:?}")).into()
    }

    pub(crate) async fn resign(&mut self) {
        writeln!(self.stdin, "resign").unwrap();
        self.hear("resigned").await;
    }

    /// SIGKILL; returns as soon as it is sent.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// Its children.
    pub(crate) fn guards(&self) -> Vec<Guard> {
        let parent = self.process.id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let children = processes.filter(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // The parent is the second field after the name (proc_pid_stat(5)).
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            fields.split_whitespace().nth(1) == Some(&parent)
        });
        children.map(|process| Guard(process.path())).collect()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A guard, by its directory in /proc.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guard(PathBuf);

impl Guard {
    pub(crate) fn kill(&self) {
        let pid: i32 = self.0.file_name().unwrap().to_string_lossy().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// The ports of its connections.
    pub(crate) fn ports(&self) -> Vec<u16> {
        let Ok(files) = std::fs::read_dir(self.0.join("fd")) else { return Vec::new() };
        let sockets: Vec<_> =
            files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // proc_net(5): the local address is the second field, the inode the tenth.
        let ports = table.lines().filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (_, port) = fields[1].rsplit_once(':')?;
            let own = sockets.contains(&format!("socket:[{}]", fields[9]).into());
            if own { u16::from_str_radix(port, 16).ok() } else { None }
        });
        ports.collect()
    }

    pub(crate) fn has_ended(&self) -> bool {
        // Whoever takes over orphans here may be slow to reap them.
        let stat = std::fs::read_to_string(self.0.join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(')').map_or("", |(_, fields)| fields).trim_start();
        matches!(state.chars().next(), None | Some('Z' | 'X'))
    }
}
