//! Starting one process with posix_spawn(3).
//!
//! posix_spawn neither copies the supervisor's page tables, as fork does (48 ms for one with 1 GiB), nor
//! runs any code of ours in the child.

use super::{log, procfs};
use crate::process::{LaunchSpec, ProcessRef};
use crate::{Error, ErrorKind, Result};
use alloc::collections::BTreeMap;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpid};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// Makes the child the leader of a new session, as setsid(2) does. It is `POSIX_SPAWN_SETSID` in glibc's
/// <spawn.h> since 2.26 (and in musl's), which nix does not name.
const POSIX_SPAWN_SETSID: i32 = 0x80;

/// A child that runs, or has run already.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: ProcessRef,
    pub(super) pidfd: OwnedFd,
}

/// Starts a process that has the calling thread's CPU mask from its first instruction on.
pub(super) fn launch(spec: &LaunchSpec) -> Result<Started> {
    let program = c_string(OsStr::new(&spec.program))?;
    let mut args = alloc::vec![program.clone()];
    for arg in &spec.args {
        args.push(c_string(OsStr::new(arg))?);
    }
    let env = environment(&spec.env)?;
    let null = File::open("/dev/null").map_err(|e| Error::io("open /dev/null", e))?;
    let log = match &spec.log {
        Some(spec) => Some(log::open(spec).map_err(|e| Error::io(format!("open the log {}", spec.path), e))?),
        None => None,
    };

    let pid = prepare(&null, log.as_ref())
        .and_then(|(attributes, actions)| posix_spawn(program.as_c_str(), &actions, &attributes, &args, &env))
        .map_err(|e| Error::io(format!("start {}", spec.program), e.into()))?;
    let pid =
        Pid::from_raw(pid.as_raw()).ok_or_else(|| Error::new(ErrorKind::Io, "posix_spawn gave no pid"))?;
    identify(pid, spec).inspect_err(|_| undo(pid))
}

/// The attributes and file actions of the child.
fn prepare(null: &File, log: Option<&File>) -> nix::Result<(PosixSpawnAttr, PosixSpawnFileActions)> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::from_bits_retain(POSIX_SPAWN_SETSID),
    )?;
    // Ignored and blocked signals outlive an exec: Rust ignores SIGPIPE, and who knows what else
    // the supervisor, or whoever started it, ignores (nohup: SIGHUP) or blocks.
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_sigmask(&SigSet::empty())?;

    // All descriptors of a Rust program are closed on exec, but those that are duplicated here.
    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_dup2(null.as_raw_fd(), 0)?;
    if let Some(log) = log {
        actions.add_dup2(log.as_raw_fd(), 1)?;
        actions.add_dup2(log.as_raw_fd(), 2)?;
    }
    Ok((attributes, actions))
}

/// Takes hold of our new child: nobody else reaps it, so the pid is surely its own.
fn identify(pid: Pid, spec: &LaunchSpec) -> Result<Started> {
    let doing = || format!("watch the new process of {}", spec.program);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|e| Error::io(doing(), e.into()))?;
    let id = u32::try_from(pid.as_raw_nonzero().get()).unwrap_or_default();
    let stat = procfs::stat(id).map_err(|e| Error::io(doing(), e))?;
    let Some(stat) = stat else {
        return Err(Error::new(
            ErrorKind::Io,
            format!("cannot {}: /proc does not show it; is SIGCHLD ignored?", doing()),
        ));
    };
    let process = ProcessRef { host: spec.host.clone(), pid: id, start_time: stat.start_time };
    Ok(Started { process, pidfd })
}

/// A process that cannot be watched must not run.
fn undo(pid: Pid) {
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
}

/// The supervisor's environment with `more` on top.
fn environment(more: &[(String, String)]) -> Result<Vec<CString>> {
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in more {
        if name.is_empty() || name.contains('=') {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("`{name}` cannot name an environment variable"),
            ));
        }
        all.insert(name.into(), value.into());
    }
    all.into_iter()
        .map(|(mut pair, value)| {
            pair.push("=");
            pair.push(value);
            c_string(&pair)
        })
        .collect()
}

fn c_string(text: &OsStr) -> Result<CString> {
    CString::new(text.as_bytes().to_vec()).map_err(|_| {
        // Not the text itself: an environment variable may be a secret.
        Error::new(
            ErrorKind::Invalid,
            "a program, argument or environment variable has a NUL character in it",
        )
    })
}
