//! Clusters whose masters meet in a ZooKeeper.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use tangelo_services::zookeeper::{Ensemble, Options};

/// How long a session lasts here: short, so that a frozen master is replaced soon.
pub(crate) const SESSION: Duration = Duration::from_millis(2000);

/// One node for all tests that do nothing to it.
static SHARED: Mutex<Option<Ensemble>> = Mutex::new(None);

thread_local! {
    /// What zookeeper.json says of the clusters that this test makes.
    static CONFIG: RefCell<Option<Value>> = const { RefCell::new(None) };
}

/// Runs a test whose clusters are on ZooKeeper, each below a node of its own.
pub(crate) fn shared(test: fn()) {
    let server = {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let ensemble = shared.get_or_insert_with(|| Ensemble::standalone().expect("a ZooKeeper"));
        ensemble.connect_string()
    };
    on(&server, test);
}

/// Runs a test with an ensemble of its own, below the default options.
pub(crate) fn own(nodes: usize, test: impl FnOnce(&Ensemble)) {
    let ensemble = Ensemble::start(nodes, Options::default()).expect("a ZooKeeper");
    let server = ensemble.connect_string();
    on(&server, || test(&ensemble));
}

fn on(server: &str, test: impl FnOnce()) {
    set(json!({"server": server, "path": path(), "timeout": SESSION.as_millis(), "create": true}));
    test();
    CONFIG.set(None);
}

/// From now on zookeeper.json says this.
pub(crate) fn set(config: Value) {
    CONFIG.set(Some(config));
}

/// A node that no other test has.
pub(crate) fn path() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("/test-{}/master", NUMBER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn config_here() -> Option<Value> {
    CONFIG.with_borrow(Clone::clone)
}

/// Ends the shared node.
pub(crate) fn end() {
    drop(SHARED.lock().unwrap_or_else(PoisonError::into_inner).take());
}
