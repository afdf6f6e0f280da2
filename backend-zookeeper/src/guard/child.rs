//! One guard process, as its master sees it.

use super::link::Link;
use super::time::within;
use crate::GuardCommand;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use futures_lite::future::or;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitStatus, Stdio};
use tangelo_core::runtime::{Readiness, Runtime, unblock};
use tangelo_core::{Error, Result};

/// Between looks at a process whose end was announced and that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A guard process. It is not killed on drop, but it must be let go or killed, since somebody has to reap it.
pub(super) struct Child {
    runtime: Arc<dyn Runtime>,
    process: std::process::Child,
    pidfd: OwnedFd,
    end: Box<dyn Readiness>,
    link: Link,
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

/// What a child does.
pub(super) enum Event {
    /// It has ended, and is reaped.
    Ended(Option<ExitStatus>),
    /// It says something.
    Line(Vec<u8>),
    /// It has closed the line, or it broke.
    Cut,
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// If the command cannot be run, or the new process cannot be watched.
    pub(super) async fn start(runtime: &Arc<dyn Runtime>, command: &GuardCommand) -> Result<Self> {
        let failed = |e: io::Error| Error::io(format!("start the guard {}", command.program), e);
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let mut order = Command::new(&command.program);
        // Without code between fork and exec, which would force a fork of the whole master. Its stdout is not ours,
        // in case somebody waits for the end of that.
        order.args(&command.args).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        // It waits until the new process has come to its exec. The order is dropped there, and with it our copy
        // of the guard's end of the line.
        let mut process = unblock(&**runtime, move || order.spawn()).await?.map_err(failed)?;
        let watched = || -> io::Result<(OwnedFd, Box<dyn Readiness>, Link)> {
            // Nobody else reaps it, so the pid is surely its own.
            let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty())?;
            let end = runtime.watch(pidfd.try_clone()?)?;
            Ok((pidfd, end, Link::new(&**runtime, ours)?))
        };
        match watched() {
            Ok((pidfd, end, link)) => Ok(Self { runtime: Arc::clone(runtime), process, pidfd, end, link }),
            Err(e) => {
                // What cannot be watched must not run; and it must be reaped.
                let _ = process.kill();
                runtime.spawn_blocking(Box::new(move || {
                    let _ = process.wait();
                }));
                Err(failed(e))
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A copy of our end of the line, to write to.
    pub(super) fn stream(&self) -> io::Result<UnixStream> {
        self.link.stream().try_clone()
    }

    /// What it does next. Cancel safe.
    pub(super) async fn next(&mut self) -> Event {
        let line = async {
            match self.link.line().await {
                Ok(Some(line)) => Event::Line(line),
                // Most often its end, which is announced a little later.
                Ok(None) | Err(_) => Event::Cut,
            }
        };
        let ended = async { Event::Ended(reap(&*self.runtime, &*self.end, &mut self.process).await) };
        or(line, ended).await
    }

    /// Waits for its end and reaps it, for `limit` at most. Cancel safe.
    pub(super) async fn ended(&mut self, limit: Duration) -> Option<Option<ExitStatus>> {
        within(&*self.runtime, limit, reap(&*self.runtime, &*self.end, &mut self.process)).await
    }

    /// Ends it in any case. Nobody waits for that: it may take a while until the kernel gets round to it.
    pub(super) fn kill(mut self) {
        // It is not reaped, so this is nobody else.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let runtime = Arc::clone(&self.runtime);
        runtime.spawn(Box::pin(async move {
            reap(&*self.runtime, &*self.end, &mut self.process).await;
        }));
    }
}

/// Waits for the end of a child of ours. Cancel safe.
async fn reap(
    runtime: &dyn Runtime,
    end: &dyn Readiness,
    process: &mut std::process::Child,
) -> Option<ExitStatus> {
    loop {
        let announced = end.readable().await.is_ok();
        match process.try_wait() {
            Ok(Some(status)) => return Some(status),
            // Somebody else has reaped it, or SIGCHLD is ignored.
            Err(_) if announced => return None,
            Ok(None) | Err(_) => runtime.sleep(LOOK_AGAIN).await,
        }
    }
}
