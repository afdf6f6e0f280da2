//! The output of a process, line by line, each with the moment it came.

use crate::clock;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// Standard output and standard error of a process together.
pub(crate) struct Lines {
    lines: Receiver<(Duration, String)>,
    seen: Vec<String>,
}

impl Lines {
    /// Starts `command`, and a thread that notes each line as it comes, also into `log`.
    pub(crate) fn of(command: &mut Command, log: &std::path::Path) -> Result<(Child, Self)> {
        let (reader, writer) = std::io::pipe()?;
        let mut log = crate::run::open_log(log)?;
        let what = crate::run::shown(command);
        let spawned = command.stdout(writer.try_clone()?).stderr(writer).spawn();
        // The command would keep its end of the pipe open.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let child = spawned.with_context(|| format!("cannot run `{what}`"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for (at, line) in timed(reader) {
                let _ = writeln!(log, "{:.6} {line}", at.as_secs_f64());
                // The process must not block on a full pipe, so reading goes on without a receiver.
                let _ = sender.send((at, line));
            }
        });
        Ok((child, Self { lines, seen: Vec::new() }))
    }

    /// When the next line with all of `words` came, waited for until `deadline`.
    pub(crate) fn wait_for(&mut self, words: &[&str], deadline: Duration) -> Result<Duration> {
        loop {
            match self.lines.recv_timeout(deadline.saturating_sub(clock::now())) {
                Ok((at, line)) => {
                    let found = words.iter().all(|word| line.contains(word));
                    self.seen.push(line);
                    if found {
                        return Ok(at);
                    }
                }
                Err(why) => {
                    let why = match why {
                        RecvTimeoutError::Timeout => "within the time limit",
                        RecvTimeoutError::Disconnected => "before it ended",
                    };
                    let tail = self.seen[self.seen.len().saturating_sub(10)..].join("\n");
                    bail!("no line with `{}` came {why}; its last lines:\n{tail}", words.join("` and `"))
                }
            }
        }
    }
}

fn timed(reader: PipeReader) -> impl Iterator<Item = (Duration, String)> {
    BufReader::new(reader).split(b'\n').map_while(Result::ok).map(|line| {
        let at = clock::now();
        (at, String::from_utf8_lossy(&line).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_outputs_are_found_and_an_end_is_told() {
        let log = std::env::temp_dir().join(format!("tangelo-lines-{}", std::process::id()));
        let mut command = crate::processes::command("sh");
        command.args(["-c", "echo one; echo two three >&2"]);
        let (mut child, mut lines) = Lines::of(&mut command, &log).expect("sh");
        let deadline = clock::now() + Duration::from_secs(10);
        lines.wait_for(&["three", "two"], deadline).expect("it is printed");
        let error = lines.wait_for(&["four"], deadline).expect_err("it is not printed").to_string();
        assert!(error.contains("before it ended"), "{error}");
        child.wait().expect("wait");
        std::fs::remove_file(log).expect("log");
    }
}
