//! The file, which every batch of changes replaces as a whole.

use async_channel::Receiver;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind as K};
use std::{path::PathBuf, time::Duration};
use tangelo::core::{Instant, channel::Members};

/// Does something with the members, if they can be read, and then tells its caller, knowing whether all is on disk.
pub(crate) type Job = Box<dyn FnOnce(Option<&mut Members>) -> Tell + Send>;
pub(crate) type Tell = Box<dyn FnOnce(Result<(), String>)>;

/// A directory with `channels.bin`, and with `channels.lock` for whoever reads or changes it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) dir: PathBuf,
    /// The members, and the file that says so, which is parsed again only if another process has changed it.
    pub(crate) seen: Option<(Members, Vec<u8>)>,
}

impl Store {
    /// Works until there can be no more jobs. All that wait are one batch: one lock, one file, one sync.
    pub(crate) fn work(mut self, jobs: &Receiver<Job>, patience: Duration) {
        while let Ok(first) = jobs.recv_blocking() {
            let mut batch = Vec::from([first]);
            batch.extend(std::iter::from_fn(|| jobs.try_recv().ok()));
            let mut tell = Vec::new();
            let done = self.visit(patience, |members| {
                tell.extend(batch.drain(..).map(|job| job(Some(&mut *members))));
            });
            tell.extend(batch.into_iter().map(|job| job(None)));
            let done = done.map_err(|why| format!("cannot use {}/channels.bin: {why}", self.dir.display()));
            tell.into_iter().for_each(|tell| tell(done.clone()));
        }
    }

    /// Has the members for itself while `work` is done; waits at most `patience` for that.
    fn visit(&mut self, patience: Duration, work: impl FnOnce(&mut Members)) -> io::Result<()> {
        // Taken, and not given back if anything fails: who knows then what is on disk.
        let (seen, until) = (self.seen.as_mut().map(std::mem::take), Instant::now() + patience);
        let [file, new, lock] = ["bin", "new", "lock"].map(|end| self.dir.join(format!("channels.{end}")));
        // Whoever has seen the file does not make another: if it is not there, its disk is away.
        if seen.is_none() {
            fs::create_dir_all(&self.dir)?;
        }
        let lock = File::options().create(seen.is_none()).append(true).open(lock)?;
        // The kernel frees the lock of a process that dies. One that is frozen keeps it.
        while let Err(error) = lock.try_lock() {
            if matches!(error, TryLockError::Error(_)) || Instant::now() > until {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let (mut members, before) = match (fs::read(&file), seen) {
            (Err(error), None) if error.kind() == K::NotFound => Default::default(),
            (Ok(bytes), Some(seen)) if bytes == seen.1 && !bytes.is_empty() => seen,
            (read, _) => {
                let bytes = read?;
                (postcard::from_bytes(&bytes).map_err(io::Error::other)?, bytes)
            }
        };
        work(&mut members);
        let after = postcard::to_allocvec(&members).map_err(io::Error::other)?;
        if after != before {
            fs::write(&new, &after)?;
            File::open(&new)?.sync_all()?;
            // One step, also for a machine that loses its power: the old file, or the new one.
            fs::rename(&new, &file)?;
            File::open(&self.dir)?.sync_all()?;
        }
        self.seen = Some((members, after));
        Ok(())
    }
}
