//! Seeing who leads, at no cost while nothing changes.

use super::context::Context;
use super::dir::LEADER_DIR;
use super::published;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::runtime::{Readiness, Runtime};
use tangelo_core::{BoxStream, Result};

/// How often to look where no watch is possible (the directory is missing, or this user has used up
/// `fs.inotify.max_user_instances`, 128 by default), and after the address could not be read.
const POLL: Duration = Duration::from_millis(500);

/// The leader now, then every change.
pub(super) fn observe(context: Arc<Context>) -> BoxStream<'static, Result<Option<LeaderInfo>>> {
    let observer = Observer { context, watch: None, last: Last::Nothing, told: false };
    Box::pin(futures_lite::stream::unfold(observer, |mut observer| async move {
        let item = observer.next().await;
        Some((item, observer))
    }))
}

#[derive(Debug)]
struct Observer {
    context: Arc<Context>,
    watch: Option<Watch>,
    last: Last,
    /// Whether the log says already that there is no watch.
    told: bool,
}

/// What came out of the stream last.
#[derive(Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Leader(Option<LeaderInfo>),
    Failure,
}

impl Observer {
    async fn next(&mut self) -> Result<Option<LeaderInfo>> {
        loop {
            // The watch comes first, so that no change falls between it and the reading.
            if self.watch.is_none() {
                self.watch = self.establish();
            }
            match published::read(&self.context.run_dir) {
                Ok(leader) => {
                    if let Some(info) = &leader {
                        self.context.saw_epoch(info.epoch);
                    }
                    let now = Last::Leader(leader.clone());
                    if self.last != now {
                        self.last = now;
                        return Ok(leader);
                    }
                }
                Err(error) => {
                    if self.last != Last::Failure {
                        self.last = Last::Failure;
                        return Err(error);
                    }
                }
            }
            match &self.watch {
                Some(watch) => {
                    // A failure that passes, as of too many open files, leaves no event behind.
                    let again = self.last == Last::Failure;
                    let retry = async {
                        if !again {
                            core::future::pending::<()>().await;
                        }
                        self.context.runtime.sleep(POLL).await;
                        true
                    };
                    if !futures_lite::future::or(watch.changed(), retry).await {
                        self.watch = None;
                    }
                }
                None => self.context.runtime.sleep(POLL).await,
            }
        }
    }

    fn establish(&mut self) -> Option<Watch> {
        match Watch::new(&*self.context.runtime, &self.context.run_dir) {
            Ok(watch) => {
                self.told = false;
                Some(watch)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound && !core::mem::replace(&mut self.told, true) {
                    tracing::warn!(
                        %error,
                        "cannot watch run/leader and look every 500 ms instead; raise fs.inotify.max_user_instances"
                    );
                }
                None
            }
        }
    }
}

/// An inotify(7) watch on `run/leader/`.
#[derive(Debug)]
struct Watch {
    queue: OwnedFd,
    ready: Box<dyn Readiness>,
}

impl Watch {
    fn new(runtime: &dyn Runtime, run_dir: &Path) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // Of run/ only its going away matters, not what goes on in there.
        let gone = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        inotify::add_watch(&queue, run_dir, gone)?;
        let changes =
            WatchFlags::MOVED_TO | WatchFlags::MOVED_FROM | WatchFlags::DELETE | WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&queue, run_dir.join(LEADER_DIR), changes | gone)?;
        let ready = runtime.watch(queue.try_clone()?)?;
        Ok(Self { queue, ready })
    }

    /// Waits for a change. `false`: this watch is at its end, or events were lost, and another is needed.
    async fn changed(&self) -> bool {
        const GONE: ReadFlags = ReadFlags::DELETE_SELF
            .union(ReadFlags::MOVE_SELF)
            .union(ReadFlags::IGNORED)
            .union(ReadFlags::UNMOUNT)
            .union(ReadFlags::QUEUE_OVERFLOW);
        if self.ready.readable().await.is_err() {
            return false;
        }
        let mut buffer = [MaybeUninit::uninit(); 2048];
        let mut events = Reader::new(&self.queue, &mut buffer);
        loop {
            match events.next() {
                Ok(event) if event.events().intersects(GONE) => return false,
                Ok(_) => {}
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}
