//! Log files with rotation by size.
//!
//! A launched process writes straight into its file; no pipe ties it to a master. So there are
//! two moments at which a file can be rotated: its owner's launch, and whenever its owner itself
//! calls [`rotate_own_output`].

use crate::process::LogSpec;
use alloc::format;
use alloc::string::String;
use rustix::stdio::{dup2_stderr, dup2_stdout};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Readable by the group, so that a log shipper needs no root.
const MODE: u32 = 0o640;

/// Opens the log of a process that is about to start; rotates it first if it is full.
pub(super) fn open(spec: &LogSpec) -> io::Result<File> {
    if fs::metadata(&spec.path).is_ok_and(|file| is_full(spec, file.len())) {
        make_way(spec)?;
    } else if let Some(dir) = Path::new(&spec.path).parent() {
        // Whoever tidies up the logs of a running cluster must not keep its servers from restarting.
        fs::create_dir_all(dir)?;
    }
    append(&spec.path)
}

fn is_full(spec: &LogSpec, bytes: u64) -> bool {
    bytes > 0 && bytes >= spec.max_bytes
}

fn append(path: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

fn rotated(spec: &LogSpec, n: u32) -> String {
    format!("{}.{n}", spec.path)
}

/// Renames `x.log` to `x.log.1`, that to `x.log.2`, and so on; the oldest goes.
fn make_way(spec: &LogSpec) -> io::Result<()> {
    if spec.keep == 0 {
        return absent_is_fine(fs::remove_file(&spec.path));
    }
    for n in (1..spec.keep).rev() {
        absent_is_fine(fs::rename(rotated(spec, n), rotated(spec, n + 1)))?;
    }
    absent_is_fine(fs::rename(&spec.path, rotated(spec, 1)))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// Rotates the log of this very process, if its stdout is that file and the file is full; says
/// whether it did.
///
/// The file is renamed and a new one takes its place as stdout, and as stderr if that was the same
/// file. Each write goes whole into one of them, so nothing is lost, and neither is anything if
/// the process is killed in between. It makes a few system calls on files; the usual answer, "not
/// full", costs two.
///
/// # Errors
/// If the new file cannot be made (the output then goes on into the old one), or a file cannot be
/// renamed.
pub fn rotate_own_output(spec: &LogSpec) -> io::Result<bool> {
    // Two threads that rotate at once would rename the new file away.
    static ROTATING: Mutex<()> = Mutex::new(());
    let _rotating = ROTATING.lock().unwrap_or_else(PoisonError::into_inner);

    let stdout = rustix::fs::fstat(rustix::stdio::stdout())?;
    if !is_full(spec, u64::try_from(stdout.st_size).unwrap_or(0)) {
        return Ok(false);
    }
    let named = match fs::metadata(&spec.path) {
        Ok(named) => named,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    let is_log = |dev: u64, ino: u64| (dev, ino) == (named.dev(), named.ino());
    if !is_log(stdout.st_dev, stdout.st_ino) {
        return Ok(false);
    }
    let stderr = rustix::fs::fstat(rustix::stdio::stderr())?;

    // All that is likely to fail comes first, under a name that is nobody's log yet.
    let fresh = format!("{}.new", spec.path);
    absent_is_fine(fs::remove_file(&fresh))?;
    let file = append(&fresh)?;
    make_way(spec)?;
    fs::rename(&fresh, &spec.path)?;
    dup2_stdout(&file)?;
    if is_log(stderr.st_dev, stderr.st_ino) {
        dup2_stderr(&file)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
