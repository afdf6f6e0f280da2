//! A coordinator of one's own: the masters of one machine meet in a file.
//!
//! [`RegisterCoordinator`] elects leaders on anything that can compare and swap one value. Here that is a file: read it
//! whole, and replace it whole, behind a lock. With a database or etcd in its place it works across machines.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind as K, Write};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tangelo::core::coordinator::{Register, RegisterCoordinator};
use tangelo::core::runtime::{Runtime, unblock};
use tangelo::{CoordinatorContext, Error, ErrorKind, Result, async_trait};

/// Elects by `run/masters/table` of an application. A leader that dies or freezes is replaced after `lease` of master.json.
pub fn coordinator(context: &CoordinatorContext) -> Result<RegisterCoordinator> {
    let register = FileRegister::new(context.runtime.clone(), context.dir.join("run/masters"));
    Ok(RegisterCoordinator::new(context.runtime.clone(), register, context.lease))
}

/// A value in the file `table` of a directory.
#[derive(Debug)]
pub struct FileRegister {
    runtime: Arc<dyn Runtime>,
    dir: PathBuf,
}

impl FileRegister {
    /// Nothing is opened yet.
    pub fn new(runtime: Arc<dyn Runtime>, dir: PathBuf) -> Self {
        Self { runtime, dir }
    }

    /// What happens to a file happens on a thread that may block, and may not end before its time is over: `work` is
    /// told whether its caller still waits.
    async fn off<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory, &Weak<()>) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (here, dir) = (Arc::new(()), Directory(self.dir.clone()));
        let caller = Arc::downgrade(&here);
        let done = unblock(&*self.runtime, move || work(&dir, &caller)).await?;
        done.map_err(|error| {
            // No waiting cures it if nobody may write there. Anything else may pass.
            let denied = error.kind() == K::PermissionDenied;
            let kind = if denied { ErrorKind::Denied } else { ErrorKind::Unavailable };
            Error::new(kind, format!("cannot use the file {}/table", self.dir.display())).with_source(error)
        })
    }
}

#[async_trait]
impl Register for FileRegister {
    async fn read(&self) -> Result<Vec<u8>> {
        self.off(|dir, _| dir.read()).await
    }

    async fn swap(&self, seen: &[u8], new: &[u8]) -> Result<bool> {
        let (seen, new) = (seen.to_vec(), new.to_vec());
        self.off(move |dir, caller| dir.swap(&seen, &new, caller)).await
    }
}

/// Where the file is.
struct Directory(PathBuf);

impl Directory {
    /// It needs no lock: the file is always whole.
    fn read(&self) -> io::Result<Vec<u8>> {
        match fs::read(self.0.join("table")) {
            Err(error) if error.kind() == K::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    fn swap(&self, seen: &[u8], new: &[u8], caller: &Weak<()>) -> io::Result<bool> {
        fs::create_dir_all(&self.0)?;
        let lock = File::options().create(true).append(true).open(self.0.join("lock"))?;
        // The kernel frees the lock of a process that dies. One that is frozen keeps it, and then nobody may wait for ever.
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::WouldBlock if caller.strong_count() > 0 => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                error => return Err(error.into()),
            }
        }
        if self.read()? != seen {
            return Ok(false);
        }
        let path = self.0.join("table.new");
        let mut file = File::create(&path)?;
        file.write_all(new)?;
        file.sync_all()?;
        // A rename is one step, also for a machine that loses its power: the old value, or the new one.
        fs::rename(&path, self.0.join("table"))?;
        File::open(&self.0)?.sync_all()?;
        Ok(true)
    }
}
