//! Waiting for a descriptor.

use async_io::Async;
use async_trait::async_trait;
use std::io;
use std::os::fd::OwnedFd;
use tangelo_core::runtime::Readiness;

pub(crate) fn watch(fd: OwnedFd) -> io::Result<Box<dyn Readiness>> {
    Ok(Box::new(Watch(Async::new(fd)?)))
}

#[derive(Debug)]
struct Watch(Async<OwnedFd>);

#[async_trait]
impl Readiness for Watch {
    async fn readable(&self) -> io::Result<()> {
        // async-io registers interest anew for each call, so this is the level, not an edge.
        self.0.readable().await
    }
}
