//! What the application says to the agent.

use crate::sync::Mutex;
use async_channel::{Receiver, Sender, bounded};
use core::sync::atomic::{AtomicBool, Ordering};

/// The application's side of the agent. In a process that is no server nobody listens.
#[derive(Debug)]
pub(crate) struct Agent {
    status: Mutex<Option<String>>,
    /// Whether the application has said something.
    told: AtomicBool,
    stop: AtomicBool,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Default for Agent {
    fn default() -> Self {
        let (wake, woken) = bounded(1);
        Self {
            status: Mutex::default(),
            told: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            wake,
            woken,
        }
    }
}

impl Agent {
    /// The server says this of itself from now on.
    pub(crate) fn status(&self, status: String) {
        {
            let mut news = self.status.lock();
            self.told.store(true, Ordering::Release);
            *news = Some(status);
        }
        self.wake();
    }

    /// It says this unless the application has said something itself.
    pub(crate) fn default_status(&self, status: String) {
        {
            let mut news = self.status.lock();
            if self.told.load(Ordering::Acquire) {
                return;
            }
            *news = Some(status);
        }
        self.wake();
    }

    /// What has been said and not been passed on.
    #[cfg(test)]
    pub(crate) fn said(&self) -> Option<String> {
        self.status.lock().take()
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
