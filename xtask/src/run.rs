//! Running a command to its end, within a time limit, with its output in a log.

use crate::{clock, processes};
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// How a command ended.
pub(crate) enum Ended {
    /// By itself.
    Exit(ExitStatus),
    /// It overran its limit, and every process of this run was killed.
    OverLimit,
}

/// Opens `log` for appending, with its directory.
pub(crate) fn open_log(log: &Path) -> Result<File> {
    let open = || {
        if let Some(dir) = log.parent() {
            std::fs::create_dir_all(dir)?;
        }
        OpenOptions::new().append(true).create(true).open(log)
    };
    open().with_context(|| format!("cannot write {}", log.display()))
}

/// Runs `command` until `deadline` at the latest, appends what it prints to `log`, and calls
/// `tick` about four times a second.
pub(crate) fn run(
    command: &mut Command,
    log: &Path,
    deadline: Duration,
    tick: &mut dyn FnMut(),
) -> Result<Ended> {
    let out = open_log(log)?;
    let mut child = command
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).context("pidfd_open")?;
    loop {
        let now = clock::now();
        if now >= deadline {
            processes::sweep();
            child.wait()?;
            return Ok(Ended::OverLimit);
        }
        if clock::readable_before(&pidfd, deadline.min(now + Duration::from_millis(250)))? {
            let status = child.wait()?;
            processes::halt_if_interrupted();
            return Ok(Ended::Exit(status));
        }
        tick();
    }
}

/// Waits for the end of `child`, until `deadline` at the latest.
pub(crate) fn wait(child: &mut Child, deadline: Duration) -> Result<ExitStatus> {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).context("pidfd_open")?;
    if !clock::readable_before(pidfd, deadline)? {
        bail!("process {} did not end", child.id());
    }
    Ok(child.wait()?)
}

/// Runs `command` for its success, within `limit`; the error ends with the last lines of `log`.
pub(crate) fn must(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    let what = shown(command);
    match run(command, log, clock::now() + limit, &mut || {})? {
        Ended::Exit(status) if status.success() => Ok(()),
        Ended::Exit(status) => bail!("`{what}`: {status}\n{}", tail(log, 15)),
        Ended::OverLimit => bail!("`{what}` took longer than {} s\n{}", limit.as_secs(), tail(log, 15)),
    }
}

/// What `command` prints on its standard output; an error if it does not succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let what = shown(command);
    let output = command.output().with_context(|| format!("cannot run `{what}`"))?;
    if !output.status.success() {
        bail!("`{what}`: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = core::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The last `lines` lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
