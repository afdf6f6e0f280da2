//! The file, which every batch of changes replaces as a whole.

use async_channel::Receiver;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind as K, Write};
use std::path::PathBuf;
use std::time::Duration;
use tangelo::core::Instant;
use tangelo::core::channel::Members;

/// Does something with the members, if they can be read, and then tells its caller, knowing whether all is on disk.
pub(crate) type Job = Box<dyn FnOnce(Option<&mut Members>) -> Tell + Send>;
pub(crate) type Tell = Box<dyn FnOnce(Result<(), String>)>;

/// A directory with `channels.bin`, and with `channels.lock` for whoever reads or changes it.
#[derive(Debug)]
pub(crate) struct Store(pub(crate) PathBuf);

impl Store {
    /// Works until there can be no more jobs. All that wait are one batch: one lock, one file, one sync.
    pub(crate) fn work(&self, jobs: &Receiver<Job>, patience: Duration) {
        while let Ok(first) = jobs.recv_blocking() {
            let mut batch = Vec::from([first]);
            batch.extend(std::iter::from_fn(|| jobs.try_recv().ok()));
            let mut tell = Vec::new();
            let done = self.visit(patience, |members| {
                tell.extend(batch.drain(..).map(|job| job(Some(&mut *members))));
            });
            tell.extend(batch.into_iter().map(|job| job(None)));
            let done = done.map_err(|error| format!("cannot use {}/channels.bin: {error}", self.0.display()));
            tell.into_iter().for_each(|tell| tell(done.clone()));
        }
    }

    /// Has the members for itself while `work` is done; waits at most `patience` for that.
    fn visit(&self, patience: Duration, work: impl FnOnce(&mut Members)) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let lock = File::options().create(true).append(true).open(self.0.join("channels.lock"))?;
        let until = Instant::now() + patience;
        // The kernel frees the lock of a process that dies. One that is frozen keeps it.
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::WouldBlock if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                error => return Err(error.into()),
            }
        }
        let (mut members, before) = match fs::read(self.0.join("channels.bin")) {
            Ok(bytes) => (postcard::from_bytes(&bytes).map_err(io::Error::other)?, bytes),
            Err(error) if error.kind() == K::NotFound => Default::default(),
            Err(error) => return Err(error),
        };
        work(&mut members);
        let after = postcard::to_allocvec(&members).map_err(io::Error::other)?;
        if after != before {
            let new = self.0.join("channels.new");
            let mut file = File::create(&new)?;
            file.write_all(&after)?;
            file.sync_all()?;
            // One step, also for a machine that loses its power: the old file, or the new one.
            fs::rename(&new, self.0.join("channels.bin"))?;
            File::open(&self.0)?.sync_all()?;
        }
        Ok(())
    }
}
