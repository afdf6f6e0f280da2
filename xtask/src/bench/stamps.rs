//! The file in which every started program notes when its `main` began.

use crate::clock;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use rustix::fd::OwnedFd;
use rustix::fs::inotify;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The environment variable that names the file.
pub(crate) const VARIABLE: &str = "TANGELO_BENCH_STAMP";

/// A start: `<id> <pid> <CLOCK_BOOTTIME ns>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) pid: u32,
    pub(crate) at: Duration,
}

/// Reads the stamps in their order, waiting for those to come.
pub(crate) struct Stamps {
    path: PathBuf,
    file: File,
    read: u64,
    watch: OwnedFd,
}

impl Stamps {
    /// An empty file in `dir`.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        let path = dir.join("starts");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&watch, &path, inotify::WatchFlags::MODIFY)?;
        Ok(Self { path, file, read: 0, watch })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next start, waited for until `deadline`.
    pub(crate) fn next(&mut self, deadline: Duration) -> Result<Stamp> {
        let mut events = [0u8; 4096];
        loop {
            if let Some(stamp) = self.take()? {
                return Ok(stamp);
            }
            if !clock::readable_before(&self.watch, deadline)? {
                bail!("no start was noted within the time limit");
            }
            // Only that something happened matters.
            while rustix::io::read(&self.watch, &mut events).is_ok_and(|n| n > 0) {}
        }
    }

    fn take(&mut self) -> Result<Option<Stamp>> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        self.file.read_to_string(&mut text)?;
        let Some((line, _)) = text.split_once('\n') else { return Ok(None) };
        self.read += u64::try_from(line.len() + 1)?;
        parse(line).map(Some)
    }
}

fn parse(line: &str) -> Result<Stamp> {
    let mut words = line.split(' ').skip(1);
    let mut word =
        || words.next().with_context(|| format!("a stamp should be `<id> <pid> <ns>`, not `{line}`"));
    Ok(Stamp { pid: word()?.parse()?, at: Duration::from_nanos(word()?.parse()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp() {
        assert_eq!(parse("a-1 42 1500").expect("good"), Stamp { pid: 42, at: Duration::from_nanos(1500) });
        assert!(parse("a-1 42").is_err());
    }
}
