//! A sink for tests, which remembers what it got.

use crate::sync::Mutex;
use alloc::collections::{BTreeMap, BTreeSet};
use tangelo_core::ErrorKind;
use tangelo_core::channel::{PushError, PushMessage, PushSink};

#[derive(Debug, Default)]
pub(super) struct TestSink(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    got: BTreeMap<String, Vec<String>>,
    refused: BTreeMap<String, String>,
    panics: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl TestSink {
    /// The messages of each user.
    pub(super) fn got(&self) -> BTreeMap<String, Vec<String>> {
        self.0.lock().got.clone()
    }

    pub(super) fn refuse(&self, uid: &str, reason: &str) {
        self.0.lock().refused.insert(uid.into(), reason.into());
    }

    pub(super) fn panic_at(&self, uid: &str) {
        self.0.lock().panics.insert(uid.into());
    }

    /// The user's session has closed.
    pub(super) fn close(&self, uid: &str) {
        self.0.lock().gone.insert(uid.into());
    }
}

impl PushSink for TestSink {
    fn push(
        &self,
        message: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        failed: &mut dyn FnMut(&str, PushError),
    ) {
        for uid in users {
            let mut state = self.0.lock();
            assert!(!state.panics.contains(uid), "told to panic");
            if let Some(reason) = state.refused.get(uid) {
                failed(uid, PushError::new(ErrorKind::Unavailable, reason));
                continue;
            }
            let text = format!("{}: {}", message.route, String::from_utf8_lossy(message.body));
            state.got.entry(uid.into()).or_default().push(text);
        }
    }

    fn has_session(&self, uid: &str) -> bool {
        !self.0.lock().gone.contains(uid)
    }
}
