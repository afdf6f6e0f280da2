//! What a master shows is written by a thread of its own: a terminal that is stopped with Ctrl-S, or a
//! pipe that nobody reads, must not hold the leader up past its lease.

use core::time::Duration;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, channel, sync_channel};

/// How much may wait to be shown; what comes beyond that is dropped.
const WAITING: usize = 4096;

type Job = Box<dyn FnOnce() + Send>;

static SCREEN: OnceLock<SyncSender<Job>> = OnceLock::new();

/// From now on things are shown by the thread; without one, by whoever wants them shown.
pub(super) fn open() {
    let (screen, jobs) = sync_channel::<Job>(WAITING);
    let writer = move || jobs.into_iter().for_each(|job| job());
    if std::thread::Builder::new().name("screen".into()).spawn(writer).is_ok() {
        // A second one would be as good as the first, which stays.
        let _ = SCREEN.set(screen);
    }
}

/// Shows something, or queues it to be shown.
pub(super) fn show(job: impl FnOnce() + Send + 'static) {
    match SCREEN.get() {
        Some(screen) => drop(screen.try_send(Box::new(job))),
        None => job(),
    }
}

/// Waits until everything is shown; whether it was, within `limit`.
pub(super) fn flush(limit: Duration) -> bool {
    let (shown, all) = channel();
    // Whoever waits may have given up.
    show(move || {
        let _ = shown.send(());
    });
    all.recv_timeout(limit).is_ok()
}
