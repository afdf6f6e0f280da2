//! ZooKeeper's four-letter words: a look at a node without a session.

use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// A frozen node accepts and never answers, so asking must end by itself.
pub(super) const LIMIT: Duration = Duration::from_secs(1);

/// What the node at `address` answers to `word`, such as `ruok`, `srvr`, `dump`, `cons` or `wchp`.
///
/// # Errors
/// If it does not answer within `limit` for each of connecting and reading.
pub fn ask(address: SocketAddr, word: &str, limit: Duration) -> Result<String> {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(word.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    asked().with_context(|| format!("ZooKeeper at {address} does not answer `{word}`"))
}

/// What a node does in its ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It orders the writes.
    Leader,
    /// It follows a leader.
    Follower,
    /// It is alone.
    Standalone,
}

impl Mode {
    /// Whether it decides the order of writes.
    #[must_use]
    pub const fn leads(self) -> bool {
        matches!(self, Self::Leader | Self::Standalone)
    }
}

/// What `srvr` says of a node that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What it does.
    pub mode: Mode,
    /// The last transaction it has seen: the epoch of ZooKeeper's own leader in the upper 32 bits.
    pub zxid: u64,
}

/// The answer to `srvr`.
///
/// # Errors
/// If the node serves nobody at the moment.
pub fn status(answer: &str) -> Result<Status> {
    let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let mode = match value("Mode:") {
        Some("leader") => Mode::Leader,
        Some("follower") => Mode::Follower,
        Some("standalone") => Mode::Standalone,
        _ => bail!("ZooKeeper does not serve yet: {}", answer.trim()),
    };
    let zxid = value("Zxid:").and_then(|zxid| u64::from_str_radix(zxid.strip_prefix("0x")?, 16).ok());
    Ok(Status { mode, zxid: zxid.with_context(|| format!("no zxid in {answer}"))? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_follower_and_of_a_node_without_a_quorum() {
        let answer = "Zookeeper version: 3.8.0\nLatency min/avg/max: 0/0.0/0\nZxid: 0x10000000a\nMode: follower\nNode count: 5\n";
        let expected = Status { mode: Mode::Follower, zxid: 0x1_0000_000a };
        assert_eq!(status(answer).expect("a status"), expected);
        let error = status("This ZooKeeper instance is not currently serving requests\n").expect_err("none");
        assert!(error.to_string().contains("not currently serving"), "{error}");
    }
}
