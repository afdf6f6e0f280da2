//! Waiting for a descriptor.

use async_trait::async_trait;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::OwnedFd;
use tangelo_core::runtime::Readiness;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

// The constructor is deprecated because a safe type could swap its descriptor while it is
// registered; an `OwnedFd` cannot, and the replacement is an unsafe function.
#[allow(deprecated, reason = "an OwnedFd keeps its descriptor until it is dropped")]
pub(crate) fn watch(fd: OwnedFd) -> io::Result<Box<dyn Readiness>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(Box::new(Watch(AsyncFd::with_interest(fd, Interest::READABLE)?)))
}

#[derive(Debug)]
struct Watch(AsyncFd<OwnedFd>);

#[async_trait]
impl Readiness for Watch {
    async fn readable(&self) -> io::Result<()> {
        loop {
            // tokio remembers an edge until it is cleared; only the descriptor itself knows the level.
            let mut guard = self.0.readable().await?;
            if is_readable(guard.get_inner())? {
                return Ok(());
            }
            // Clears the edge that was seen, and no later one.
            guard.clear_ready();
        }
    }
}

fn is_readable(fd: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}
