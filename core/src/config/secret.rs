//! The cluster's secret.

use crate::{Error, ErrorKind, Result};
use alloc::format;
use alloc::string::String;
use core::fmt;

/// The shared secret that lets masters, servers and command lines into a cluster.
///
/// Nothing shows it by accident: there is no `Display`, and `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The shortest secret, in bytes.
    pub const SHORTEST: usize = 16;
    /// The longest secret, in bytes.
    pub const LONGEST: usize = 1024;

    /// A secret of [`SHORTEST`](Self::SHORTEST) to [`LONGEST`](Self::LONGEST) bytes; white space around it does not count.
    ///
    /// # Errors
    /// `Invalid` if it is shorter or longer; the message does not show it.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let (shortest, longest) = (Self::SHORTEST, Self::LONGEST);
        if !(shortest..=longest).contains(&text.len()) {
            let found = text.len();
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "expected a secret of {shortest} to {longest} bytes, found {found} (`openssl rand -hex 32` makes a good one)"
                ),
            ));
        }
        Ok(Self(text.into()))
    }

    /// The secret itself, for the key that is made of it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn short_secrets_are_refused_and_none_is_shown() {
        let error = Secret::new("  hunter2-hunter2\n").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let secret = Secret::new(" hunter2-hunter2-hunter2\n").unwrap();
        assert_eq!(secret.expose(), "hunter2-hunter2-hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
