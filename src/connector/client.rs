//! One client at this frontend.

use crate::app::App;
use crate::sync::Mutex;
use alloc::sync::Arc;
use serde_json::{Map, Value};
use tangelo_core::channel::PushError;
use tangelo_core::{Error, ErrorKind, Result};

#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    id: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    uid: Option<Arc<str>>,
    settings: Map<String, Value>,
    encoded: Arc<[u8]>,
    closed: bool,
    sent: Vec<(Option<u64>, String, Vec<u8>)>,
}

impl Client {
    pub(crate) fn new(app: &App, id: u64) -> Self {
        Self(Arc::new(Inner { app: app.clone(), id, state: Mutex::default() }))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn uid(&self) -> Option<Arc<str>> {
        self.0.state.lock().uid.clone()
    }

    pub(crate) fn bind(&self, uid: &str) -> Result<()> {
        tangelo_core::channel::check_name("user", uid)?;
        let mut state = self.0.state.lock();
        if state.uid.as_deref().is_some_and(|bound| bound != uid) {
            return Err(Error::new(ErrorKind::AlreadyExists, "bound to another"));
        }
        state.uid = Some(uid.into());
        drop(state);
        crate::handler::dispatch::bound(&self.0.app, self);
        Ok(())
    }

    pub(crate) fn unbind(&self) {
        self.0.state.lock().uid = None;
    }

    pub(crate) fn settings(&self) -> Map<String, Value> {
        self.0.state.lock().settings.clone()
    }

    pub(crate) fn settings_json(&self) -> Arc<[u8]> {
        Arc::clone(&self.0.state.lock().encoded)
    }

    pub(crate) fn set_settings(&self, changed: Map<String, Value>) {
        let mut state = self.0.state.lock();
        state.settings.extend(changed);
        state.encoded = serde_json::to_vec(&state.settings).unwrap_or_default().into();
    }

    pub(crate) fn push(&self, route: &str, body: &[u8]) -> Result<(), PushError> {
        self.0.state.lock().sent.push((None, route.into(), body.into()));
        Ok(())
    }

    pub(crate) fn respond(&self, id: u64, route: &str, body: &[u8]) {
        self.0.state.lock().sent.push((Some(id), route.into(), body.into()));
    }

    pub(crate) fn kick(&self, reason: &str) {
        self.0.state.lock().closed = true;
        crate::handler::dispatch::closed(&self.0.app, self, reason);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.state.lock().closed
    }

    pub(crate) fn sent(&self) -> Vec<(Option<u64>, String, Vec<u8>)> {
        core::mem::take(&mut self.0.state.lock().sent)
    }
}
