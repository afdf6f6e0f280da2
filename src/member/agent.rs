//! What the application says to the agent.

use crate::sync::Mutex;
use async_channel::{Receiver, Sender, bounded};
use core::sync::atomic::{AtomicBool, Ordering};

/// The application's side of the agent. In a process that is no server nobody listens.
#[derive(Debug)]
pub(crate) struct Agent {
    status: Mutex<Option<String>>,
    stop: AtomicBool,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Default for Agent {
    fn default() -> Self {
        let (wake, woken) = bounded(1);
        Self { status: Mutex::default(), stop: AtomicBool::new(false), wake, woken }
    }
}

impl Agent {
    /// The server says this of itself from now on.
    pub(crate) fn status(&self, status: String) {
        *self.status.lock() = Some(status);
        self.wake();
    }

    /// The server is to stop.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        // A full channel means that somebody has woken it already.
        let _ = self.wake.try_send(());
    }

    /// Waits for news: a new status, if there is one, and whether to stop.
    pub(super) async fn news(&self) -> (Option<String>, bool) {
        // We hold the sender too, so this cannot fail.
        let _ = self.woken.recv().await;
        (self.status.lock().take(), self.stop.load(Ordering::Acquire))
    }
}
