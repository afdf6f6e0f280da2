//! The master process, as its guard sees it.

use alloc::boxed::Box;
use core::future::pending;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tangelo_core::local::alive;
use tangelo_core::process::ProcessRef;
use tangelo_core::runtime::{Readiness, Runtime};
use tangelo_core::{Error, Result};

/// A process that is watched for its end.
#[derive(Debug)]
pub(super) struct Master {
    /// None: it had ended before it could be watched.
    end: Option<Box<dyn Readiness>>,
}

impl Master {
    pub(super) fn watch(runtime: &dyn Runtime, process: &ProcessRef) -> Result<Self> {
        let failed = |e: std::io::Error| Error::io(alloc::format!("watch the master, {process}"), e);
        // Never 0 or negative, which mean other things than a process.
        let pid = i32::try_from(process.pid).ok().filter(|&pid| pid > 0).and_then(Pid::from_raw);
        let pidfd = match pid.ok_or(Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => return Ok(Self { end: None }),
            Err(e) => return Err(failed(e.into())),
        };
        // Only now: the descriptor keeps to whatever process had the pid when it was opened.
        if !alive(process) {
            return Ok(Self { end: None });
        }
        Ok(Self { end: Some(runtime.watch(pidfd).map_err(failed)?) })
    }

    /// Ends when the process has. Cancel safe.
    pub(super) async fn ended(&self) {
        let Some(end) = &self.end else { return };
        if end.readable().await.is_err() {
            // Nobody can tell: better no guard's work than that of a guard who is mistaken.
            pending::<()>().await;
        }
    }
}
