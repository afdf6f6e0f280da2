//! A master in a process of its own.

use super::part::command;
use crate::support::{World, eventually, within};
use alloc::sync::Arc;
use async_channel::Receiver;
use core::time::Duration;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use tangelo_core::Instant;
use tangelo_core::runtime::Runtime;

/// Killed and reaped on drop; its guard ends by itself.
pub(crate) struct Master {
    process: Child,
    _stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Master {
    pub(crate) fn start(world: &World, id: &str, runtime: &str, timeout: Duration) -> Self {
        let (program, args) = command("master", runtime);
        let mut process =
            Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let server = world.ensemble.connect_string();
        writeln!(stdin, "{server} {} {} {id}", world.path, timeout.as_millis()).unwrap();
        let (sender, lines) = async_channel::unbounded();
        std::thread::spawn(move || {
            // A line may be cut by its death.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.try_send(line);
            }
        });
        Self { process, _stdin: stdin, lines }
    }

    /// Waits for a line that begins with `word` and gives the rest.
    pub(crate) async fn hear(&self, runtime: &Arc<dyn Runtime>, word: &str) -> String {
        let search = async {
            loop {
                let line = self.lines.recv().await.expect("a master has ended");
                if let Some(rest) = line.strip_prefix(word) {
                    return rest.trim().into();
                }
            }
        };
        within(runtime, &format!("a master to say {word:?}"), search).await
    }

    /// The pid of its guard, once that is connected with ZooKeeper: then it has been told whom to guard.
    pub(crate) async fn guard(&self, world: &World) -> Pid {
        let ports: Vec<_> = (0..world.ensemble.nodes()).map(|i| world.ensemble.address(i).port()).collect();
        eventually(&world.runtime, "a guard with a connection", || async {
            self.children().into_iter().find(|child| is_connected(*child, &ports))
        })
        .await
    }

    fn children(&self) -> Vec<Pid> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let files = tasks.into_iter().flatten().flatten().map(|task| task.path().join("children"));
        let lists: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        lists
            .iter()
            .flat_map(|list| list.split_whitespace())
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect()
    }

    /// SIGKILL; the moment in which it was sent.
    pub(crate) fn kill(&mut self) -> Instant {
        let now = Instant::now();
        self.process.kill().unwrap();
        now
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the process has a connection to one of `ports`.
fn is_connected(process: Pid, ports: &[u16]) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // proc_net(5): the remote address, the state (1: established) and the inode of each socket.
    let connected = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, port) = fields[2].rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (ports.contains(&port) && fields[3] == "01").then(|| format!("socket:[{}]", fields[9]))
    });
    let connected: Vec<_> = connected.collect();
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero()));
    let mut links =
        files.into_iter().flatten().flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    links.any(|link| connected.iter().any(|socket| link.as_os_str() == socket.as_str()))
}
