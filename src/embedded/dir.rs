//! The run directory.

use alloc::string::String;
use alloc::vec::Vec;
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use tangelo_core::{Error, ErrorKind, Result};

/// Its lock is the leadership. Never unlinked.
pub(super) const LOCK: &str = "leader.lock";
/// Until when the holder of the lock leads.
pub(super) const LEASE: &str = "lease";
/// The epoch of the last reign.
pub(super) const EPOCH: &str = "epoch";
/// The cluster's desired state.
pub(super) const STATE: &str = "state.json";
/// Whom the last leader handed over to.
pub(super) const SUCCESSOR: &str = "successor";
/// The directory of what observers watch: nothing else may change in there.
pub(super) const LEADER_DIR: &str = "leader";
/// The address of the leader.
pub(super) const LEADER: &str = "leader/leader.json";
/// One file per candidate, locked as long as it stands.
pub(super) const CANDIDATES: &str = "candidates";

/// Which file this is, whatever its name.
pub(super) type FileId = (u64, u64);

/// The identity of an open file.
pub(super) fn id_of(file: &File) -> io::Result<FileId> {
    let meta = file.metadata()?;
    Ok((meta.dev(), meta.ino()))
}

/// The identity of the file at `path`.
pub(super) fn id_at(path: &Path) -> io::Result<FileId> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Makes `run/` and what belongs in it, its parents too, for this user only.
pub(super) fn create_all(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io(format_args!("create the directory {}", path.display()), e))?;
    RunDir::open_or_create(path).map(drop)
}

/// An open run directory. What is done through it is done to this very directory, even if
/// somebody has moved or replaced the one at its path meanwhile.
#[derive(Debug)]
pub(super) struct RunDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl RunDir {
    /// Opens `run/`; makes it and its sub-directories if they are missing, but not its parents.
    pub(super) fn open_or_create(path: &Path) -> Result<Self> {
        for dir in [path.to_owned(), path.join(LEADER_DIR), path.join(CANDIDATES)] {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io(format_args!("create the directory {}", dir.display()), e));
                }
                _ => {}
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| Error::io(format_args!("open the directory {}", path.display()), e.into()))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where `name` is, for messages and for checks by path.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn failed(&self, doing: &str, name: &str, error: impl Into<io::Error>) -> Error {
        Error::io(format_args!("{doing} {}", self.path_of(name).display()), error.into())
    }

    /// Opens a file for reading and writing; makes it if it is missing.
    pub(super) fn open_file(&self, name: &str) -> Result<File> {
        self.open_with(name, OFlags::RDWR | OFlags::CREATE).map_err(|e| self.failed("open", name, e))
    }

    fn open_with(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let fd = rustix::fs::openat(&self.fd, name, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(fd))
    }

    /// Whether `file` is the one that stands at the *path* of `name` now.
    pub(super) fn has_at_path(&self, name: &str, file: FileId) -> bool {
        id_at(&self.path_of(name)).is_ok_and(|at| at == file)
    }

    /// A whole file, of at most `limit` bytes; `None` if there is none.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let file = match self.open_with(name, OFlags::RDONLY) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.failed("open", name, e)),
        };
        read_bounded(&file, &self.path_of(name), limit).map(Some)
    }

    /// Writes the next version of `name` beside it, and to the disk if it is to be `durable`. There
    /// is one writer, the leader, so the temporary name is fixed and leaves no litter behind.
    pub(super) fn stage(&self, name: &str, bytes: &[u8], durable: bool) -> Result<()> {
        let temp = temp_name(name);
        let write = || {
            let mut file = self.open_with(&temp, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
            file.write_all(bytes)?;
            if durable { file.sync_all() } else { Ok(()) }
        };
        write().map_err(|e| self.failed("write", &temp, e))
    }

    /// Lets the staged version of `name` take its place. After an error that is
    /// [`Unavailable`](ErrorKind::Unavailable) the new one is there, but perhaps not after a crash of the host.
    pub(super) fn commit(&self, name: &str, durable: bool) -> Result<()> {
        rustix::fs::renameat(&self.fd, temp_name(name), &self.fd, name)
            .map_err(|e| self.failed("replace", name, e))?;
        if durable {
            rustix::fs::fsync(&self.fd).map_err(|e| {
                let path = self.path_of(name);
                Error::new(
                    ErrorKind::Unavailable,
                    format!("cannot be sure that {} is on the disk", path.display()),
                )
                .with_source(io::Error::from(e))
            })?;
        }
        Ok(())
    }

    /// [`stage`](Self::stage) and [`commit`](Self::commit).
    pub(super) fn replace(&self, name: &str, bytes: &[u8], durable: bool) -> Result<()> {
        self.stage(name, bytes, durable)?;
        self.commit(name, durable)
    }

    /// Removes a file; that it is missing is no error.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(self.failed("remove", name, e)),
        }
    }

    /// Makes a sub-directory that somebody may have removed.
    pub(super) fn ensure_dir(&self, name: &str) -> Result<()> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(e) => Err(self.failed("create the directory", name, e)),
        }
    }
}

/// The contents of `file`, the one at `path`, of at most `limit` bytes.
pub(super) fn read_bounded(file: &File, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(format_args!("read {}", path.display()), e))?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("{} is larger than {limit} bytes, so it is not ours; move it away", path.display()),
        ));
    }
    Ok(bytes)
}

fn temp_name(name: &str) -> String {
    let base = name.rsplit('/').next().unwrap_or(name);
    format!(".{base}.tmp")
}
