//! The ssh process of one connection.

use super::connection::ENDED;
use super::reach::Reach;
use crate::sync::Mutex;
use crate::time::timeout;
use alloc::sync::Arc;
use async_channel::{Receiver, bounded};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Instant, Result};
use tracing::warn;

/// How often one looks whether it has ended. It ends at once, mostly, and rarely.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long it may take to go once it is killed, and its last words to be read.
const KILLED_WITHIN: Duration = Duration::from_secs(5);
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// The longest part of a line of its that is shown.
const SHOWN: usize = 300;

/// A child whose stderr is read.
#[derive(Debug)]
pub(super) struct Ssh {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Closes when there is no more to read.
    silent: Receiver<()>,
}

/// How it ended, and the last thing that it, or the other host, had to say.
#[derive(Debug, Default)]
pub(super) struct End {
    pub(super) status: Option<ExitStatus>,
    pub(super) said: String,
}

impl Ssh {
    /// Starts it. This may block for some milliseconds.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn start(mut command: Command) -> Result<(Self, ChildStdin, ChildStdout)> {
        // In a group of its own, since a Ctrl-C on the master's terminal is the master's affair.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy();
            Error::io(format_args!("start {program}; Debian has it in the package openssh-client"), error)
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::new(ErrorKind::Io, "ssh has no pipes"));
        };
        let said = Arc::<Mutex<String>>::default();
        let (words, (end, silent)) = (Arc::clone(&said), bounded(1));
        let reader = thread::Builder::new().name("tangelo-ssh-err".into()).stack_size(128 * 1024);
        let reading = reader.spawn(move || {
            read(stderr, &words);
            drop(end);
        });
        let ssh = Self { child, said, silent };
        reading.map_err(|e| Error::io("start a thread for another host", e))?;
        Ok((ssh, stdin, stdout))
    }

    /// Waits for its end, and brings it about after `grace`.
    pub(super) async fn end(mut self, runtime: &Arc<dyn Runtime>, grace: Duration) -> End {
        let mut status = self.within(runtime, grace).await;
        if status.is_none() {
            // It may just have ended by itself.
            let _ = self.child.kill();
            status = self.within(runtime, KILLED_WITHIN).await;
        }
        if status.is_none() {
            warn!(pid = self.child.id(), "ssh does not end though it was killed");
        }
        // Something that it has started may have its stderr still.
        let _ = timeout(runtime, LAST_WORDS_WITHIN, self.silent.recv()).await;
        End { status, said: self.said.lock().clone() }
    }

    async fn within(&mut self, runtime: &Arc<dyn Runtime>, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            runtime.sleep(LOOK_AGAIN).await;
        }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        // Only if nobody has waited for its end: this program is ending.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
        }
    }
}

/// Keeps the last line that says anything.
fn read(stderr: impl Read, said: &Mutex<String>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without end must not fill the memory.
        match lines.by_ref().take(1 << 16).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text: String = text.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        if !text.is_empty() {
            *said.lock() = text;
        }
    }
}

/// What to tell a person of a connection that never came to be.
pub(super) fn explain(reach: &Reach, host: &str, end: &End, stray: &str, over: &str) -> Error {
    // What was wrong with its words matters more than any of them.
    let ended = over.is_empty() || over == ENDED;
    let silent =
        end.status.map_or_else(|| "ssh does not end".into(), |status| format!("ssh has ended, {status}"));
    let said = [if ended { "" } else { over }, &*end.said, stray];
    let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or(&silent);
    let said = said.trim_end_matches('.');
    let message = match end.status.and_then(|status| status.code()).filter(|_| ended) {
        // ssh(1): "or with 255 if an error occurred".
        Some(255) => format!(
            "cannot reach host {host} by ssh: {said}; this has to work without a password, with \"ssh\" in \
             master.json set right: `{}`",
            reach.shown(host)
        ),
        // What shells answer for a program that is not there or cannot be run.
        Some(126 | 127) => format!(
            "host {host} cannot run {}: {said}; install the application there, or say where it is \
             with \"program\" in \"ssh\" of master.json",
            reach.program
        ),
        _ => format!("host {host} takes no orders by ssh: {said}; this has to work: `{}`", reach.shown(host)),
    };
    // Never `NotFound`: that would say that a process is gone.
    Error::new(ErrorKind::Unavailable, message)
}
