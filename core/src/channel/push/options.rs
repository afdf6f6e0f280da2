//! Whom a push is for, and how long it may take.

use super::super::check_name;
use crate::{Error, ErrorKind, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Whom a push is for, and how long it may take. Default: all members, 5 s.
///
/// ```
/// use core::time::Duration;
/// use tangelo_core::channel::PushOptions;
///
/// let options = PushOptions::new().except(["anna"]).timeout(Duration::from_millis(500));
/// assert!(options.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushOptions {
    /// Members that get nothing, wherever they are.
    pub except: Vec<String>,
    /// If given, no other members get anything.
    pub only: Option<Vec<String>>,
    /// When the report is given, whoever has not answered: 1 ms to a day.
    pub timeout: Duration,
}

impl Default for PushOptions {
    fn default() -> Self {
        Self { except: Vec::new(), only: None, timeout: Duration::from_secs(5) }
    }
}

/// More users than this are better a channel of their own.
const MAX_USERS: usize = 10_000;

impl PushOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves these users out.
    #[must_use]
    pub fn except<U: Into<String>>(mut self, users: impl IntoIterator<Item = U>) -> Self {
        self.except.extend(users.into_iter().map(Into::into));
        self
    }

    /// Leaves all but these users out; called again, it adds to them.
    #[must_use]
    pub fn only<U: Into<String>>(mut self, users: impl IntoIterator<Item = U>) -> Self {
        self.only.get_or_insert_default().extend(users.into_iter().map(Into::into));
        self
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether it can be done.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if a name or the timeout is out of bounds, or there are more than 10 000 users.
    pub fn check(&self) -> Result<()> {
        let only = self.only.as_deref().unwrap_or_default();
        if self.except.len() + only.len() > MAX_USERS {
            let message = format!("a push names at most {MAX_USERS} users: make them a channel of their own");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_secs(24 * 3600));
        if !(shortest..=longest).contains(&self.timeout) {
            return Err(Error::new(ErrorKind::Invalid, "the timeout of a push is 1 ms to a day"));
        }
        self.except.iter().chain(only).try_for_each(|uid| check_name("user", uid))
    }
}
