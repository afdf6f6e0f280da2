//! What a frontend does with a push.

use super::PushError;
use crate::ErrorKind;
use core::fmt::Debug;

/// A message on its way to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushMessage<'a> {
    /// What clients know it by, such as `onChat`.
    pub route: &'a str,
    /// The message itself.
    pub body: &'a [u8],
}

/// Hands messages to the clients of this frontend.
///
/// # Contract
///
/// - It never blocks: a user whose queue is full has failed, and does not hold up the others.
/// - Every user that it is given and does not report as failed counts as delivered.
/// - It may call the channel services; no lock of theirs is held meanwhile.
pub trait PushSink: Debug + Send + Sync {
    /// Hands `message` to each of `users`, and tells `failed` of each that it cannot reach. What is
    /// the same for all of them is best done once, before the first.
    ///
    /// A large channel comes in several calls.
    fn push(
        &self,
        message: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        failed: &mut dyn FnMut(&str, PushError),
    );

    /// Hands `message` to every client of this frontend, also those that are not bound to a user: tells
    /// `failed` of each that it cannot reach (the name is empty for one without), and returns how many
    /// it was handed to.
    ///
    /// # Errors
    /// If it cannot be done at all; then nobody has got it. Default: [`Unsupported`](ErrorKind::Unsupported).
    fn push_all(
        &self,
        message: PushMessage<'_>,
        failed: &mut dyn FnMut(&str, PushError),
    ) -> Result<u64, PushError> {
        let _ = (message, failed);
        Err(PushError::new(ErrorKind::Unsupported, "this server's sink for pushes cannot push to everybody"))
    }

    /// Whether a user has a session here: whoever has none is not put into a channel at this
    /// frontend. Default: everybody has.
    fn has_session(&self, uid: &str) -> bool {
        let _ = uid;
        true
    }
}
