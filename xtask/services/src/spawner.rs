//! One permanent thread that starts every server, so that the kernel ends them when this process dies.

use crate::account::Account;
use anyhow::{Context as _, Result, anyhow};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

type Job = (Command, Sender<std::io::Result<Child>>);

/// The kernel's parent-death signal comes when the *thread* that spawned ends, and threads of tests end.
static THREAD: LazyLock<Option<Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = channel::<Job>();
    let run = move || {
        for (mut command, answer) in jobs {
            let _ = answer.send(command.spawn());
        }
    };
    std::thread::Builder::new().name("spawner".to_owned()).spawn(run).ok().map(|_| sender)
});

/// `program` with `args`, killed when this process ends in whatever way; in a process group of its own.
pub(crate) fn command(program: &str, args: &[String]) -> Command {
    command_as(None, program, args)
}

/// The same, as another user.
pub(crate) fn command_as(account: Option<Account>, program: &str, args: &[String]) -> Command {
    // If we die before the signal is armed, the shell sees a foreign parent and goes no further.
    const GUARD: &str = r#"test "$PPID" = "$0" && exec "$@""#;
    let mut command = Command::new("setpriv");
    // The kernel forgets that signal when the user changes, so setpriv asks for it afterwards.
    command.args(account.into_iter().flat_map(Account::words));
    command.args(["--pdeathsig", "KILL", "sh", "-c", GUARD]).arg(std::process::id().to_string());
    command.arg(program).args(args).process_group(0).stdin(Stdio::null());
    command
}

/// Starts a [`command`].
pub(crate) fn spawn(command: Command) -> Result<Child> {
    let what = command.get_program().to_string_lossy().into_owned();
    let (answer, child) = channel();
    let thread = THREAD.as_ref().context("cannot start the thread that starts servers")?;
    thread.send((command, answer)).map_err(|_| anyhow!("the thread that starts servers has ended"))?;
    let child = child.recv().context("the thread that starts servers has ended")?;
    child.with_context(|| format!("cannot run {what} (Debian package util-linux)"))
}
