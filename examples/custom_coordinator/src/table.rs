//! The table: who leads, who stands by, and until when. A file that is replaced as a whole, behind a lock.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind as K, Write};
use std::path::PathBuf;
use std::time::Duration;
use tangelo::core::coordinator::{Candidate, Epoch, LeaderInfo};
use tangelo::core::{Instant, ProcessRef, local};
use tangelo::{Error, ErrorKind, Result};

/// A candidate or leader. It is empty once its process is gone, or its time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) process: ProcessRef,
    /// Which of its process's seats.
    pub(crate) number: u64,
    pub(crate) candidate: Candidate,
    /// In time since boot.
    pub(crate) until: Duration,
}

impl Seat {
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.process, self.number) == (&other.process, other.number)
    }

    fn is_taken(&self) -> bool {
        Instant::now() < Instant::from_boot(self.until) && local::alive(&self.process)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// That of the latest reign.
    pub(crate) epoch: u64,
    pub(crate) leader: Option<Seat>,
    /// By priority, then in the order of their arrival.
    pub(crate) candidates: Vec<Seat>,
}

impl Table {
    /// Empties the seats of who is gone, and puts the candidates into their order.
    pub(crate) fn clear(&mut self) {
        self.leader.take_if(|seat| !seat.is_taken());
        self.candidates.retain(Seat::is_taken);
        self.candidates.sort_by_key(|seat| std::cmp::Reverse(seat.candidate.priority));
    }

    /// Then lets the first candidate lead if nobody does.
    pub(crate) fn settle(&mut self) {
        self.clear();
        if self.leader.is_none() && !self.candidates.is_empty() {
            self.promote(0);
        }
    }

    /// Stands for election for another `lease`, or leads so long: the epoch, and until when.
    pub(crate) fn stand(&mut self, mut seat: Seat, lease: Duration) -> Option<(Epoch, Instant)> {
        if let Some(won) = self.renew(&seat, lease) {
            return Some(won);
        }
        seat.until = (Instant::now() + lease).since_boot();
        match self.candidates.iter_mut().find(|own| own.is(&seat)) {
            // Not at every look: it is a write to the disk.
            Some(own) if own.until + lease / 4 < seat.until => own.until = seat.until,
            Some(_) => {}
            None => self.candidates.push(seat.clone()),
        }
        self.settle();
        self.renew(&seat, lease)
    }

    /// Leads for another `lease`, if this seat leads.
    pub(crate) fn renew(&mut self, seat: &Seat, lease: Duration) -> Option<(Epoch, Instant)> {
        let own = self.leader.as_mut().filter(|leader| leader.is(seat))?;
        let until = Instant::now() + lease;
        own.until = until.since_boot();
        Some((Epoch(self.epoch), until))
    }

    pub(crate) fn promote(&mut self, place: usize) {
        self.epoch += 1;
        self.leader = Some(self.candidates.remove(place));
    }

    pub(crate) fn leave(&mut self, seat: &Seat) {
        self.leader.take_if(|leader| leader.is(seat));
        self.candidates.retain(|other| !other.is(seat));
    }

    pub(crate) fn led_by(&self, seat: &Seat) -> bool {
        self.leader.as_ref().is_some_and(|leader| leader.is(seat))
    }

    pub(crate) fn info(&self) -> Option<LeaderInfo> {
        let Candidate { id, host, port, .. } = self.leader.as_ref()?.candidate.clone();
        Some(LeaderInfo { id, host, port, epoch: Epoch(self.epoch) })
    }
}

/// The files of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Files(pub(crate) PathBuf);

impl Files {
    fn failed(&self, error: std::io::Error) -> Error {
        let kind =
            if error.kind() == K::PermissionDenied { ErrorKind::Denied } else { ErrorKind::Unavailable };
        Error::new(kind, format!("cannot use {}", self.0.display())).with_source(error)
    }

    /// A file that was replaced as a whole, if it is there.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == K::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The table as it was last written.
    pub(crate) fn table(&self) -> Result<Table> {
        let Some(bytes) = self.read("table.json")? else { return Ok(Table::default()) };
        serde_json::from_slice(&bytes).map_err(|error| {
            let message =
                format!("{}/table.json is damaged: remove it while no master runs", self.0.display());
            Error::new(ErrorKind::Invalid, message).with_source(error)
        })
    }

    /// When this returns, the file is on disk; before, the old one is.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let new = self.0.join(format!("{name}.new"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, self.0.join(name))?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| self.failed(error))
    }

    /// Has the table for itself while `change` works; what it has changed is written. Waits `patience` at most.
    pub(crate) fn change<T>(
        &self,
        patience: Duration,
        change: impl FnOnce(&mut Table) -> Result<T>,
    ) -> Result<T> {
        let open = || {
            fs::create_dir_all(&self.0)?;
            File::options().create(true).truncate(false).write(true).open(self.0.join("lock"))
        };
        let lock = open().map_err(|error| self.failed(error))?;
        let since = Instant::now();
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::Error(error) => return Err(self.failed(error)),
                TryLockError::WouldBlock if Instant::now() > since + patience => {
                    let message = format!(
                        "somebody has held {0}/lock for {patience:?} and must have frozen: `fuser {0}/lock` names it",
                        self.0.display()
                    );
                    return Err(Error::new(ErrorKind::Timeout, message));
                }
                #[allow(clippy::disallowed_methods, reason = "on a thread for what may block, up to a limit")]
                TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        let before = self.table()?;
        let mut table = before.clone();
        table.settle();
        let done = change(&mut table)?;
        table.settle();
        if table != before {
            self.write("table.json", &serde_json::to_vec(&table).expect("texts and numbers"))?;
        }
        Ok(done)
    }
}
