//! The host's clock since boot, and waiting that always ends.

use anyhow::{Context as _, Result};
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

/// Time since boot (`CLOCK_BOOTTIME`), the same for all processes of this host.
#[must_use]
pub fn now() -> Duration {
    let t = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// Waits until `fd` is readable (or closed by its peer), at most until `deadline`; false if that passed.
///
/// # Errors
/// If the kernel refuses to watch `fd`.
pub fn readable_before(fd: impl AsFd, deadline: Duration) -> Result<bool> {
    loop {
        let left = deadline.saturating_sub(now());
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(e).context("poll"),
        }
    }
}

/// Lets `duration` pass: where the passing of time is what is asked for, such as the age of a
/// process or a span to measure over. Never for waiting until something has happened.
pub fn let_pass(duration: Duration) {
    let end = now() + duration;
    loop {
        let left = end.saturating_sub(now());
        if left.is_zero() {
            return;
        }
        // With no file to watch, only the time limit or a signal ends it.
        let _ = poll(&mut [], Some(&timespec(left)));
    }
}

/// Asks `what` again and again, `pause` apart, until it gives an answer; at most until `deadline`.
///
/// # Errors
/// The last error of `what` when the deadline has passed.
pub fn poll_until<T>(deadline: Duration, pause: Duration, mut what: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match what() {
            Err(_) if now() < deadline => let_pass(pause.min(deadline.saturating_sub(now()))),
            answer => return answer,
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
