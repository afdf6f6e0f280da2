//! One life of another server, and the calls that wait for its link.

use super::calls::{Asked, Calls, Then};
use super::turns::Turns;
use crate::link::Frame;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::fmt;
use tangelo_core::config::Incarnation;
use tangelo_core::{ErrorKind, Instant};

/// One life of another server; its link is opened by the first call.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) incarnation: Incarnation,
    pub(super) open: Mutex<Option<Arc<Calls>>>,
    /// Calls go out in the order in which they came, also while the link is being opened, or is full.
    pub(super) turns: Turns,
    /// The last failure to open the link: whoever has waited through it need not try again.
    pub(super) failed: Mutex<Option<(Instant, ErrorKind, String)>>,
}

impl Peer {
    pub(super) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, open: Mutex::default(), turns: Turns::default(), failed: Mutex::default() }
    }

    pub(super) fn opened(&self) -> Option<Arc<Calls>> {
        self.open.lock().as_ref().filter(|calls| !calls.is_closed()).cloned()
    }

    /// Sends it, or gives it back.
    pub(super) fn send_at_once(&self, calls: &Calls, frame: Frame) -> Option<Frame> {
        let mut frame = Some(frame);
        self.turns.at_once(|| {
            frame = calls.try_send(frame.take()?).err();
            frame.is_none().then_some(())
        });
        frame
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(calls) = self.open.lock().take() {
            calls.retire();
        }
    }
}

/// A call whose outcome is not known yet.
#[derive(Debug)]
pub(crate) enum Ask {
    Sent(Asked),
    /// To be [sent](Peers::send).
    Unsent(Unsent),
}

/// A call that could not be sent at once.
pub(crate) struct Unsent {
    pub(super) peer: Arc<Peer>,
    pub(super) ready: Ready,
    pub(super) since: Instant,
    pub(super) deadline: Instant,
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent").field("peer", &self.peer).finish_non_exhaustive()
    }
}

pub(super) enum Ready {
    /// There is no room, or others wait.
    Frame(Asked, Arc<Calls>, Frame),
    /// There is no link.
    Body(String, Vec<u8>, Then),
}
