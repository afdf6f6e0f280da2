//! Waiting for what must happen, with a deadline.

use core::time::Duration;
use tangelo::core::Instant;

/// A command that finds no master says so, without the 3 s that it gives an election.
pub(crate) const PROMPT: Duration = Duration::from_millis(2500);

/// How long anything may take that takes milliseconds on a machine with nothing else to do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The pause between two looks at something cheap, and at something that takes a command.
const OFTEN: Duration = Duration::from_millis(5);
pub(crate) const SELDOM: Duration = Duration::from_millis(40);

/// Looks until there is something; `None` if there is nothing within `limit`.
pub(crate) fn within<T>(limit: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
    within_every(OFTEN, limit, look)
}

/// The same with longer pauses.
pub(crate) fn within_every<T>(
    pause: Duration,
    limit: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        sleep(pause);
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it does not within [`DEADLINE`].
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(within(DEADLINE, || condition().then_some(())).is_some(), "not within {DEADLINE:?}: {what}");
}

#[expect(clippy::disallowed_methods, reason = "the pause between two looks: there is a deadline around it")]
fn sleep(pause: Duration) {
    std::thread::sleep(pause);
}
