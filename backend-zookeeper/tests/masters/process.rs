//! A master in a process of its own.

use super::part::command;
use crate::support::{World, within};
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

    /// The pid of its guard, if it has one.
    pub(crate) fn guard(&self) -> Option<u32> {
        let pid = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let of_threads =
            threads.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        [children].into_iter().chain(of_threads).find_map(|pids| pids.split_whitespace().next()?.parse().ok())
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
