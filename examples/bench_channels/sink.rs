//! A sink that looks at every name that it is given, and counts.

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tangelo::{PushError, PushMessage, PushSink};

/// What has come here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    members: AtomicU64,
    /// The messages' first bytes, which are different.
    messages: Mutex<HashSet<Box<[u8]>>>,
}

#[derive(Debug)]
pub(crate) struct CountingSink(pub(crate) Counters);

impl PushSink for CountingSink {
    fn push(
        &self,
        message: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        _failed: &mut dyn FnMut(&str, PushError),
    ) {
        let Inner { members, messages } = &*self.0.0;
        members.fetch_add(users.map(black_box).count() as u64, Relaxed);
        let start = message.body.get(..8).unwrap_or_default();
        let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        if !messages.contains(start) {
            messages.insert(start.into());
        }
    }
}

impl Counters {
    /// How many different messages, and to how many members in all; then it counts anew.
    pub(crate) fn shown(&self) -> String {
        let Inner { members, messages } = &*self.0;
        let messages = core::mem::take(&mut *messages.lock().unwrap_or_else(PoisonError::into_inner)).len();
        format!("{messages} {}", members.swap(0, Relaxed))
    }
}
