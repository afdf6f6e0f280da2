//! The lease: until when the holder of the lock leads.
//!
//! One line of JSON with a checksum, padded to a fixed size, that the leader overwrites in place. A
//! reader that meets a half-written one reads again.

use super::dir::FileId;
use super::process::Process;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use tangelo_core::Instant;
use tangelo_core::coordinator::Epoch;

/// The size of the record, in bytes.
const SIZE: usize = 512;

/// How long a lease runs and what follows from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// From one renewal to the moment a standby may act.
    pub(super) lease: Duration,
}

impl Terms {
    /// The time between two renewals.
    pub(super) fn renew_every(self) -> Duration {
        self.lease / 4
    }

    /// A leader stops this much before a standby may act; within it a leader that was merely late
    /// lets the lock go by itself.
    pub(super) fn margin(self) -> Duration {
        self.lease / 8
    }
}

/// What stands in `run/lease`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    /// Which reign, also among several in one process; drawn at random.
    pub(super) token: u64,
    /// Its number; while it begins, that of the last one.
    pub(super) epoch: Epoch,
    /// `false` once it was given up.
    pub(super) held: bool,
    /// The file that it is locked by: whoever holds that very file's lock need not wait for the lease.
    pub(super) lock: FileId,
    /// Who leads.
    #[serde(flatten)]
    pub(super) process: Process,
    /// When a standby may act, in ns on the host's `CLOCK_BOOTTIME`.
    pub(super) deadline_ns: u64,
}

impl Lease {
    /// When a standby may act.
    pub(super) fn deadline(&self) -> Instant {
        Instant::from_boot(Duration::from_nanos(self.deadline_ns))
    }

    /// Writes it over the last one.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.encode()?, 0)
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        let checksum = fnv1a(&line);
        line.extend_from_slice(format!(" {checksum:016x}").as_bytes());
        if line.len() >= SIZE {
            return Err(io::Error::other("the lease record does not fit"));
        }
        line.resize(SIZE - 1, b' ');
        line.push(b'\n');
        Ok(line)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let line = core::str::from_utf8(bytes.get(..SIZE)?).ok()?.trim_end();
        let (json, checksum) = line.rsplit_once(' ')?;
        (u64::from_str_radix(checksum, 16).ok()? == fnv1a(json.as_bytes())).then_some(())?;
        serde_json::from_str(json).ok()
    }
}

/// What a look at `run/lease` shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// No file, or nothing in it yet.
    Absent,
    /// Not a record.
    Damaged,
    /// A record.
    Known(Lease),
}

/// Reads the lease at `path`.
pub(super) fn read(path: &Path) -> io::Result<Reading> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Reading::Absent),
        Err(e) => return Err(e),
    };
    read_from(&file)
}

/// Reads the lease in an open file. Meeting it half-written again and again is next to impossible,
/// so a record that stays wrong is damaged.
pub(super) fn read_from(file: &File) -> io::Result<Reading> {
    let mut bytes = [0; SIZE];
    for _ in 0..8 {
        if let Err(e) = file.read_exact_at(&mut bytes, 0) {
            if e.kind() != io::ErrorKind::UnexpectedEof {
                return Err(e);
            }
            if file.metadata()?.len() == 0 {
                return Ok(Reading::Absent);
            }
        } else if let Some(lease) = Lease::decode(&bytes) {
            return Ok(Reading::Known(lease));
        }
    }
    Ok(Reading::Damaged)
}

/// FNV-1a, 64 bits: it tells a torn record, it guards against nobody.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        let process =
            Process { pid: u32::MAX, start_time: u64::MAX, pid_namespace: u64::MAX, boot: "b".repeat(36) };
        Lease {
            token: u64::MAX,
            epoch: Epoch(u64::MAX),
            held: false,
            lock: (u64::MAX, u64::MAX),
            process,
            deadline_ns: u64::MAX,
        }
    }

    #[test]
    fn the_largest_record_fits_and_comes_back() {
        let bytes = lease().encode().unwrap();
        assert_eq!(bytes.len(), SIZE);
        assert_eq!(Lease::decode(&bytes), Some(lease()));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut bytes = lease().encode().unwrap();
        let digit = bytes.iter().position(|b| *b == b'8').unwrap();
        bytes[digit] = b'7';
        assert_eq!(Lease::decode(&bytes), None);
    }

    #[test]
    fn a_torn_or_foreign_file_is_damaged_and_an_empty_one_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease");
        assert_eq!(read(&path).unwrap(), Reading::Absent);
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&path).unwrap(), Reading::Absent);
        std::fs::write(&path, "12").unwrap();
        assert_eq!(read(&path).unwrap(), Reading::Damaged);
        std::fs::write(&path, [b'x'; SIZE]).unwrap();
        assert_eq!(read(&path).unwrap(), Reading::Damaged);
    }
}
