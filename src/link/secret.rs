//! The cluster's shared secret.

use core::fmt;
use snow::params::HashChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use tangelo_core::{Error, ErrorKind, Result};

/// Keeps the key apart from any other use of the same text.
const CONTEXT: &[u8] = b"tangelo link secret v1\0";

/// The key that every process of a cluster holds, made from the secret's text.
///
/// Whoever records a handshake can try passwords against it at leisure: the text should be long
/// and random.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    /// The key of this text; white space around it (a file's last newline) does not count.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if nothing is left of the text.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the cluster's secret is empty: set TANGELO_SECRET, or `secret` in master.json",
            ));
        }
        let mut blake2s = DefaultResolver.resolve_hash(&HashChoice::Blake2s).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this build has no BLAKE2s: enable snow's feature use-blake2")
        })?;
        let mut key = [0; 32];
        blake2s.input(CONTEXT);
        blake2s.input(text.as_bytes());
        blake2s.result(&mut key);
        Ok(Self(key))
    }

    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Somebody might look: the compiler may not leave the zeros out.
        core::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
