//! A mutex for small pieces of shared state.

use std::sync::{MutexGuard, PoisonError};

/// A mutex whose data stays usable when a holder panicked: nothing behind one is left half-changed.
/// It is never held across an await.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
