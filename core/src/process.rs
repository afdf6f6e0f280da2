//! Processes, as supervisors know them.

use crate::CpuSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Names one process for good: a pid alone may be reused, a pid with its start time is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessRef {
    /// The host it runs on, as servers.json names it.
    pub host: String,
    /// Its process id there; also the id of its session and process group.
    pub pid: u32,
    /// When it started: clock ticks since boot (field 22 of proc_pid_stat(5)) in the lower 40 bits,
    /// and the first 24 bits of the boot's id above them, so that a reboot starts anew.
    pub start_time: u64,
}

impl fmt::Display for ProcessRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)
    }
}

/// Where the output of a process goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    /// The file that stdout and stderr are appended to.
    pub path: String,
    /// A file at least this large is rotated, in bytes.
    pub max_bytes: u64,
    /// How many rotated files (`<path>.1`, the newest, to `<path>.<keep>`) are kept.
    pub keep: u32,
}

/// All that a supervisor needs to start a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// The host to start it on, as servers.json names it.
    pub host: String,
    /// The program's absolute path.
    pub program: String,
    /// Its arguments, without the program's name.
    pub args: Vec<String>,
    /// Environment variables set on top of the supervisor's own.
    pub env: Vec<(String, String)>,
    /// Where stdout and stderr go; `None` inherits the supervisor's.
    pub log: Option<LogSpec>,
    /// The CPUs it is bound to before its first instruction; `None` leaves it free.
    pub cpus: Option<CpuSet>,
}

/// A signal that a supervisor sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Signal {
    /// SIGTERM to the process: stop in order.
    Terminate,
    /// SIGKILL to its whole process group: nothing of it remains.
    Kill,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It is gone, but it was not our child, so nobody told us how.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Unknown => f.write_str("gone"),
        }
    }
}
