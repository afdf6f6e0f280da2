//! What ids, server types, environments and hosts may look like.

use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;

/// The longest id, server type or environment, in bytes.
pub const MAX_NAME: usize = 64;
/// The longest host, in bytes: a domain name has at most 253.
const MAX_HOST: usize = 253;

/// Checks an id, server type or environment: it becomes part of file names and of node names in a
/// coordinator, so it has 1 to [`MAX_NAME`] letters, digits, `.`, `_` and `-` of ASCII.
///
/// # Errors
/// What is wrong with it, as a phrase for the end of a message.
pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    let problem = if name.is_empty() {
        "found an empty one"
    } else if name.len() > MAX_NAME {
        "found a longer one"
    } else if name == "." || name == ".." {
        "found the name of a directory"
    } else if name.bytes().all(allowed) {
        return Ok(());
    } else {
        return Err(format!("{NAME}, found {}", quoted(name)));
    };
    Err(format!("{NAME}, {problem}"))
}

const NAME: &str = "expected a name of 1 to 64 letters, digits, \".\", \"_\" or \"-\"";

/// Checks that `host` can be a host's name or address.
pub(super) fn check_host(host: &str) -> Result<(), String> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-' | b':' | b'%');
    if (1..=MAX_HOST).contains(&host.len()) && !host.starts_with('-') && host.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("expected a host name or an IP address, found {}", quoted(host)))
}

/// Whether `host` is this machine's loopback: `localhost`, `127.0.0.0/8` or `::1`.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    canonical_host(host) == LOOPBACK || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

const LOOPBACK: &str = "127.0.0.1";

/// One spelling for the hosts that are certainly the same: `localhost` is `127.0.0.1`.
pub(super) fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host == "localhost" {
        return LOOPBACK.to_string();
    }
    host.parse::<IpAddr>().map_or(host, |address| address.to_string())
}

/// `text` in double quotes, on one line and not too long to read.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() { format!("\"{shown}…\"") } else { format!("\"{shown}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        for name in ["", ".", "..", "a/b", "a b", "ä", "a\n", "a\0", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["chat", "chat-server-1", "a.b_c", "...", &"x".repeat(64)] {
            assert_eq!(check_name(name), Ok(()));
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in ["localhost", "10.0.0.1", "::1", "fe80::1%eth0", "game-1.example.org", "node_1"] {
            assert_eq!(check_host(host), Ok(()));
        }
        for host in ["", "a b", "-oProxyCommand", "a/b", "a\0", "ä", &"x".repeat(254)] {
            assert!(check_host(host).is_err(), "{host}");
        }
    }

    #[test]
    fn loopback_has_many_spellings() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1", "0:0::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "localhost.example.org", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
