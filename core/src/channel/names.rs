//! What channels, users and frontends may be called.

use super::Frontend;
use crate::config::Incarnation;
use crate::{Error, ErrorKind, Result};
use alloc::format;

/// The longest name of a channel, a user or a frontend, in bytes.
pub const MAX_NAME: usize = 255;

/// The last life a frontend can have: 2⁵³ − 1, so that stores which count in doubles count right.
pub const MAX_INCARNATION: Incarnation = Incarnation((1 << 53) - 1);

/// Checks the name of a channel, a user or a frontend: 1 to [`MAX_NAME`] bytes of UTF-8 without
/// NUL. `what` it names is for the error.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid).
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME {
        "is longer"
    } else if name.bytes().any(|byte| byte == 0) {
        "has a NUL"
    } else {
        return Ok(());
    };
    let message = format!("a {what} is named by 1 to {MAX_NAME} bytes without NUL, and this name {problem}");
    Err(Error::new(ErrorKind::Invalid, message))
}

/// Checks a frontend: its name, and that its incarnation is not beyond [`MAX_INCARNATION`].
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid).
pub fn check_frontend(frontend: &Frontend) -> Result<()> {
    check_name("frontend", &frontend.sid)?;
    if frontend.incarnation <= MAX_INCARNATION {
        return Ok(());
    }
    let message = format!("an incarnation is at most {MAX_INCARNATION}, found {}", frontend.incarnation);
    Err(Error::new(ErrorKind::Invalid, message))
}

/// Checks everything that a change names, as every manager does before it begins.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid).
pub fn check_change<U: AsRef<str>>(channel: &str, frontend: &Frontend, uids: &[U]) -> Result<()> {
    check_name("channel", channel)?;
    check_frontend(frontend)?;
    uids.iter().try_for_each(|uid| check_name("user", uid.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_otherwise_opaque() {
        for name in ["a", ":", "%", "a b", "ä😀", "\n", "../..", &"x".repeat(255)] {
            assert!(check_name("user", name).is_ok(), "{name}");
        }
        for name in ["", "\0", "a\0b", &"x".repeat(256), &"ä".repeat(128)] {
            assert_eq!(check_name("user", name).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        }
    }

    #[test]
    fn one_wrong_name_spoils_a_change() {
        let frontend = |sid: &str, n| Frontend { sid: sid.into(), incarnation: Incarnation(n) };
        assert!(check_change("c", &frontend("s", MAX_INCARNATION.0), &["a", "b"]).is_ok());
        assert!(check_change::<&str>("c", &frontend("s", 0), &[]).is_ok());
        assert!(check_change("", &frontend("s", 1), &["a"]).is_err());
        assert!(check_change("c", &frontend("", 1), &["a"]).is_err());
        assert!(check_change("c", &frontend("s", 1), &["a", ""]).is_err());
        assert!(check_change("c", &frontend("s", MAX_INCARNATION.0 + 1), &["a"]).is_err());
    }
}
