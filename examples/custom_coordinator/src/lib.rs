//! A coordinator of one's own: a table of seats in `run/masters/`, for the masters of one machine.
//!
//! Whoever has the first seat leads. A seat is held by a process that lives and says so before its time is over.

mod reign;
mod table;

use futures_lite::stream;
use reign::{Chair, Reign};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use table::{Files, Table};
use tangelo::core::BoxStream;
use tangelo::core::coordinator::{Candidate, Coordinator, LeaderInfo, Leadership};
use tangelo::core::runtime::Runtime;
use tangelo::{CoordinatorContext, Error, ErrorKind, Result, async_trait};

/// How often the table is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Masters that meet in a directory.
#[derive(Debug, Clone)]
pub struct TableCoordinator {
    runtime: Arc<dyn Runtime>,
    files: Files,
    lease: Duration,
}

impl TableCoordinator {
    /// A coordinator for an application; nothing is opened yet.
    pub fn new(context: &CoordinatorContext) -> Result<Self> {
        Ok(Self::at(context.runtime.clone(), context.dir.join("run/masters"), context.lease))
    }

    /// A coordinator whose table is in `dir`.
    pub fn at(runtime: Arc<dyn Runtime>, dir: PathBuf, lease: Duration) -> Self {
        Self { runtime, files: Files(dir), lease }
    }

    /// What `job` says of the table, once what it has changed is on disk. If nobody waits any more, it is not done.
    async fn change<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Table) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = async_channel::bounded(1);
        let (files, lease) = (self.files.clone(), self.lease);
        self.runtime.spawn_blocking(Box::new(move || {
            let gone = || Error::new(ErrorKind::Unavailable, "whoever asked has gone");
            let done = files.change(lease, |table| if answer.is_closed() { Err(gone()) } else { job(table) });
            let _ = answer.try_send(done);
        }));
        let panicked =
            |_| Error::new(ErrorKind::Unavailable, "a change of the table of masters has panicked");
        answered.recv().await.map_err(panicked)?
    }

    /// Who is there now.
    fn table(&self) -> Result<Table> {
        let mut table = self.files.table()?;
        table.clear();
        Ok(table)
    }
}

#[async_trait]
impl Coordinator for TableCoordinator {
    async fn campaign(&self, candidate: Candidate) -> Result<Box<dyn Leadership>> {
        let chair = Chair::new(self, candidate)?;
        loop {
            let (seat, lease) = (chair.seat.clone(), self.lease);
            match self.change(move |table| Ok(table.stand(seat, lease))).await {
                Ok(Some((epoch, until))) => return Ok(Box::new(Reign::begin(chair, epoch, until))),
                Err(error) if !error.is_temporary() => return Err(error),
                _ => self.runtime.sleep(LOOK).await,
            }
        }
    }

    fn observe(&self) -> BoxStream<'static, Result<Option<LeaderInfo>>> {
        let this = self.clone();
        Box::pin(stream::unfold((None, Duration::ZERO), move |(told, pause)| {
            let this = this.clone();
            async move {
                this.runtime.sleep(pause).await;
                loop {
                    match this.table().map(|table| table.info()) {
                        Ok(info) if told.as_ref() == Some(&info) => this.runtime.sleep(LOOK).await,
                        Ok(info) => return Some((Ok(info.clone()), (Some(info), Duration::ZERO))),
                        Err(error) => return Some((Err(error), (None, Duration::from_secs(1)))),
                    }
                }
            }
        }))
    }

    async fn candidates(&self) -> Result<Vec<Candidate>> {
        Ok(self.table()?.candidates.into_iter().map(|seat| seat.candidate).collect())
    }
}
