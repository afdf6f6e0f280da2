//! What looks at the deadlines of all clients, so that none needs a timer of its own.

use super::client::millis;
use super::clients::SHARDS;
use super::hub::Hub;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use core::time::Duration;
use futures_lite::future::yield_now;
use tangelo_core::Instant;

/// How late a deadline may be noticed.
const EVERY: Duration = Duration::from_millis(250);
/// How many sweeps there are between two looks at the number of clients, for `list`.
const SHOWN_EVERY: u32 = 4;

/// Begins to look at deadlines, unless somebody does; it ends when there are no connections.
pub(super) fn begin(hub: &Arc<Hub>) {
    if !hub.sweeping.swap(true, Ordering::AcqRel) {
        let sweeping = Arc::clone(hub);
        hub.app.runtime().spawn(Box::pin(async move { sweep(&sweeping).await }));
    }
}

async fn sweep(hub: &Hub) {
    let mut shown = None;
    for turn in 0_u32.. {
        hub.app.sleep(EVERY).await;
        wake_due(hub).await;
        let last = hub.clients().open() == 0;
        if turn.is_multiple_of(SHOWN_EVERY) || last {
            show(hub, &mut shown);
        }
        if last {
            hub.sweeping.store(false, Ordering::Release);
            // One may have come before that.
            if hub.clients().open() == 0 || hub.sweeping.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}

async fn wake_due(hub: &Hub) {
    let now = millis(Instant::now());
    for part in 0..SHARDS {
        hub.clients().in_part(part, |client| client.wake_if_due(now));
        yield_now().await;
    }
}

/// Says how many clients there are, unless the application says something itself.
fn show(hub: &Hub, shown: &mut Option<usize>) {
    let clients = hub.clients().len();
    if shown.replace(clients) != Some(clients) {
        let plural = if clients == 1 { "" } else { "s" };
        hub.app.shared().agent.default_status(format!("{clients} client{plural}"));
    }
}
