//! What the suites share.

use crate::Instant;
pub(super) use crate::patience::within;
use crate::runtime::Runtime;
use core::time::Duration;
use std::eprintln;

/// A case that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs one case, with its name on stderr if it fails and an end to its patience.
pub(super) async fn case(runtime: &dyn Runtime, name: &str, case: impl Future<Output = ()>) {
    let _named = Named(name);
    assert!(
        within(runtime, PATIENCE, case).await.is_some(),
        "conformance case `{name}` has not ended within {PATIENCE:?}"
    );
}

/// Looks again and again until `look` sees something, for at most 20 s.
pub(super) async fn eventually<T>(
    runtime: &dyn Runtime,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now().saturating_since(start) < Duration::from_secs(20), "never saw {what}");
        runtime.sleep(Duration::from_millis(2)).await;
    }
}

/// Prints the name of a case that panics.
pub(super) struct Named<'a>(pub(super) &'a str);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("conformance case `{}` failed", self.0);
        }
    }
}
