//! Who stands for election, and who goes first when the lock frees.
//!
//! Each candidate holds a lock on a file of its own in `run/candidates/`, so that a dead one is told
//! from a live one. The files decide only who lets whom go first: one leader at a time is the
//! business of the leader's lock.

use super::dir::{CANDIDATES, RunDir, SUCCESSOR, id_at, id_of};
use super::process::Process;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tangelo_core::coordinator::Candidate;
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// How long the one that a leader handed over to may keep the others waiting.
const HAND_OVER: Duration = Duration::from_secs(1);
/// How long a candidate with a higher priority may keep the others waiting.
const PRIORITY: Duration = Duration::from_millis(100);
/// A candidate's file is no larger than this, in bytes.
const LIMIT: u64 = 64 * 1024;

/// A live candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// The candidate.
    #[serde(flatten)]
    pub(crate) candidate: Candidate,
    /// Its process.
    pub(crate) pid: u32,
}

/// The file of a candidate, as long as it stands. Dropping it withdraws the candidacy.
#[derive(Debug)]
pub(super) struct Entry {
    path: PathBuf,
    file: File,
    pub(super) candidate: Candidate,
}

impl Entry {
    /// Puts `candidate` up.
    pub(super) fn register(run_dir: &Path, candidate: Candidate) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        let json = serde_json::to_vec(&Standing { candidate: candidate.clone(), pid }).map_err(|e| {
            Error::new(ErrorKind::Invalid, "a candidate that cannot be written as JSON").with_source(e)
        })?;
        let dir = run_dir.join(CANDIDATES);
        // Somebody who clears away dead candidates may remove the file before it is locked.
        for _ in 0..16 {
            RunDir::open_or_create(run_dir)?;
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            // The random part tells namespaces apart, in which pids repeat.
            let name = format!("{pid}-{number}-{:08x}", fastrand::u32(..));
            let (temp, path) = (dir.join(format!(".{name}.tmp")), dir.join(format!("{name}.json")));
            match write_locked(&temp, &path, &json) {
                Ok(file) => return Ok(Self { path, file, candidate }),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io(format_args!("write {}", path.display()), e)),
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("cannot put up a candidate: somebody removes the files in {}", dir.display()),
        ))
    }

    /// Whether the file is still there for the others to see.
    pub(super) fn stands(&self) -> bool {
        matches!((id_of(&self.file), id_at(&self.path)), (Ok(mine), Ok(there)) if mine == there)
    }

    /// Its name, by which it is told from the others.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn write_locked(temp: &Path, path: &Path, json: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temp)?;
    file.lock()?;
    let written = file.write_all(json).and_then(|()| std::fs::rename(temp, path));
    if written.is_err() {
        let _ = std::fs::remove_file(temp);
    }
    written.map(|()| file)
}

/// The live candidates with the paths of their files. Files of dead ones are removed.
pub(super) fn list(run_dir: &Path) -> Result<Vec<(PathBuf, Standing)>> {
    let dir = run_dir.join(CANDIDATES);
    let failed = |e| Error::io(format_args!("read the directory {}", dir.display()), e);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut live = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let Ok(file) = File::open(&path) else { continue };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut json = Vec::new();
                if (&file).take(LIMIT).read_to_end(&mut json).is_ok()
                    && let Ok(standing) = serde_json::from_slice(&json)
                {
                    live.push((path, standing));
                }
            }
            // Nobody holds it, so its candidate is dead. (An owner that has not locked it yet makes another.)
            Ok(()) => {
                let _ = std::fs::remove_file(&path);
            }
            Err(TryLockError::Error(_)) => {}
        }
    }
    Ok(live)
}

/// Why a candidate lets another go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// The last leader chose the other.
    Chosen,
    /// The other has the higher priority.
    Priority,
}

/// Whether the candidate at `me` should let another go first.
pub(super) fn precedence(
    live: &[(PathBuf, Standing)],
    me: &Path,
    candidate: &Candidate,
    chosen: Option<&str>,
) -> Option<Precedence> {
    let mut others = live.iter().filter(|(path, _)| path != me).map(|(_, standing)| &standing.candidate);
    if let Some(chosen) = chosen {
        if candidate.is_named(chosen) {
            return None;
        }
        if others.clone().any(|other| other.is_named(chosen)) {
            return Some(Precedence::Chosen);
        }
    }
    others.any(|other| other.priority > candidate.priority).then_some(Precedence::Priority)
}

/// Whom the last leader handed over to, and how long that counts.
#[derive(Debug, Serialize, Deserialize)]
struct Successor {
    id: String,
    boot: String,
    until_ns: u64,
}

/// Notes that `id` is to lead next.
pub(super) fn choose(dir: &RunDir, id: &str, me: &Process) -> Result<()> {
    let until = (Instant::now() + HAND_OVER).since_boot().as_nanos();
    let successor = Successor {
        id: id.into(),
        boot: me.boot.clone(),
        until_ns: u64::try_from(until).unwrap_or(u64::MAX),
    };
    let json = serde_json::to_vec(&successor).map_err(|e| {
        Error::new(ErrorKind::Invalid, "a successor that cannot be written as JSON").with_source(e)
    })?;
    dir.replace(SUCCESSOR, &json, false)
}

/// Whom the last leader has chosen, if that still counts.
pub(super) fn chosen(dir: &RunDir, me: &Process) -> Option<String> {
    let successor: Successor = serde_json::from_slice(&dir.read(SUCCESSOR, LIMIT).ok()??).ok()?;
    let until = Instant::from_boot(Duration::from_nanos(successor.until_ns));
    (successor.boot == me.boot && Instant::now() < until).then_some(successor.id)
}

/// When a candidate last began to let one with a higher priority go first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Courtesy(Option<Instant>);

impl Courtesy {
    /// Whether there is still patience for that. It comes back after a while, for the next time the lock frees.
    pub(super) fn lasts(self) -> bool {
        let age = self.0.map(|since| Instant::now().saturating_since(since));
        age.is_none_or(|age| age < PRIORITY || age > PRIORITY * 10)
    }

    pub(super) fn shown(&mut self) {
        let now = Instant::now();
        if self.0.is_none_or(|since| now.saturating_since(since) > PRIORITY * 10) {
            self.0 = Some(now);
        }
    }
}
