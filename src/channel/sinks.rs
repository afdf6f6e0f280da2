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
    all: Option<Vec<String>>,
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

    /// From now on it knows its clients.
    pub(super) fn takes_all<'a>(&self, clients: impl IntoIterator<Item = &'a str>) {
        self.0.lock().all = Some(clients.into_iter().map(Into::into).collect());
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

    fn push_all(
        &self,
        message: PushMessage<'_>,
        failed: &mut dyn FnMut(&str, PushError),
    ) -> Result<u64, PushError> {
        let all = self.0.lock().all.clone();
        let all = all.ok_or_else(|| PushError::new(ErrorKind::Unsupported, "knows nobody"))?;
        let mut missed = 0;
        self.push(message, &mut all.iter().map(String::as_str), &mut |uid, reason| {
            missed += 1;
            failed(uid, reason);
        });
        Ok(all.len() as u64 - missed)
    }

    fn has_session(&self, uid: &str) -> bool {
        !self.0.lock().gone.contains(uid)
    }
}
