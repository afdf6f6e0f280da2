//! The agent's two pipes.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use std::fs::File;
use tangelo_core::{Error, Result};

/// Takes stdin and stdout for the agent alone: whatever else in this program prints something prints
/// it to stderr from now on, and no process that is launched gets hold of them.
///
/// # Errors
/// What the system says.
pub(super) fn take() -> Result<(File, File)> {
    let failed = |e: rustix::io::Errno| Error::io("take stdin and stdout", e.into());
    // Above the three that every process has.
    let input = fcntl_dupfd_cloexec(stdin(), 3).map_err(failed)?;
    let output = fcntl_dupfd_cloexec(stdout(), 3).map_err(failed)?;
    let null = File::open("/dev/null").map_err(|e| Error::io("open /dev/null", e))?;
    dup2_stdin(&null).map_err(failed)?;
    dup2_stdout(stderr()).map_err(failed)?;
    Ok((input.into(), output.into()))
}
