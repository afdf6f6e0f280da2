//! What a master and its guard say to each other: JSON objects, one a line, over the guard's stdin.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tangelo_core::config::{Login, Password, ZooKeeperConfig};
use tangelo_core::process::ProcessRef;
use tangelo_core::{Error, ErrorKind, Result};

/// The first line: whom to guard, and where. It has a password in it, so there is no `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) master: ProcessRef,
    server: String,
    path: String,
    timeout_ms: u64,
    username: Option<String>,
    password: Option<String>,
    /// How long the guard awaits the master's death once the line to it is cut.
    linger_ms: u64,
}

impl Assignment {
    pub(super) fn new(master: ProcessRef, config: &ZooKeeperConfig, linger: Duration) -> Self {
        let login = config.login.as_ref();
        Self {
            master,
            server: config.server.clone(),
            path: config.path.clone(),
            timeout_ms: millis(config.timeout),
            username: login.map(|login| login.username.clone()),
            password: login.map(|login| login.password.expose().to_string()),
            linger_ms: millis(linger),
        }
    }

    /// Where ZooKeeper is and how it is used: all of it that a guard needs.
    pub(super) fn config(&self) -> ZooKeeperConfig {
        let login = self.username.clone().zip(self.password.as_deref());
        ZooKeeperConfig {
            server: self.server.clone(),
            path: self.path.clone(),
            timeout: Duration::from_millis(self.timeout_ms),
            login: login.map(|(username, password)| Login { username, password: Password::new(password) }),
            ..ZooKeeperConfig::default()
        }
    }

    pub(super) const fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }
}

/// A lock node of the master, and the session that owns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) lock: String,
    pub(super) session: i64,
}

/// Every further line of the master: all that it holds now. It is also how the master asks
/// whether the guard still lives.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Grows with each order.
    pub(super) number: u64,
    /// Oldest first.
    pub(super) holds: Vec<Hold>,
}

/// What the guard says back, to each order and when its session comes or goes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The last order that it has taken.
    pub(super) number: u64,
    /// Whether it has a session with ZooKeeper now.
    pub(super) connected: bool,
}

/// Reads one line.
///
/// The error does not say what was found, since that may be a password.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(line).map_err(|e| {
        let message = format!("malformed {what} (at column {}): is this another version?", e.column());
        Error::new(ErrorKind::Protocol, message)
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ZooKeeperConfig {
        ZooKeeperConfig {
            server: "a:2181,b:2181/game".into(),
            path: "/x/y".into(),
            timeout: Duration::from_millis(1234),
            login: Some(Login { username: "pomelo".into(), password: Password::new("hush\n\"") }),
            ..ZooKeeperConfig::default()
        }
    }

    #[test]
    fn an_assignment_is_one_line_and_says_all() {
        let master = ProcessRef { host: "here".into(), pid: 7, start_time: u64::MAX >> 1 };
        let line =
            serde_json::to_vec(&Assignment::new(master.clone(), &config(), Duration::from_secs(3))).unwrap();
        assert!(!line.contains(&b'\n'));
        let read: Assignment = parse(&line, "assignment").unwrap();
        assert_eq!((&read.master, read.config(), read.linger().as_secs()), (&master, config(), 3));
    }

    #[test]
    fn what_is_malformed_is_not_shown() {
        let line = br#"{"master": "hush", "password": "hush"}"#;
        let Err(error) = parse::<Assignment>(line, "assignment") else { panic!("that is none") };
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}
