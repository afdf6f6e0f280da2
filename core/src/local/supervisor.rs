//! The supervisor of this host's processes.

use super::launch::Started;
use super::spawner::{Spawner, thread_ended};
use super::table::{Known, Table};
use super::watched::{Running, Watched};
use crate::process::{Exit, LaunchSpec, ProcessRef, Signal};
use crate::runtime::{Readiness, Runtime};
use crate::{Affinity, Error, ErrorKind, Result, Supervisor};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;

/// How soon a process is looked at again whose end was announced but is not there, or that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Starts and watches processes on this host, on any [`Runtime`].
///
/// It takes every [`ProcessRef`] for one of this host; their `host` is a name, not an address to it.
///
/// - A process is launched by a thread of its own with posix_spawn(3): stdin is /dev/null, stdout and
///   stderr append to its log, all signals have their default action, none is blocked.
/// - Its end is seen through a pidfd, which costs nothing before and less than a millisecond then. The
///   end of a process that was launched here comes with its [`Exit`]; that of an adopted one is
///   [`Exit::Unknown`], since only its parent is told.
/// - **When the leader of a group has ended, the rest of the group is killed.** A descendant that is
///   to live on makes a session of its own. For an adopted process this is done with care, but
///   outside the guarantee: its pid is free for others as soon as its parent has reaped it.
/// - The last 1024 ends are remembered for a late [`wait`](Supervisor::wait); an older one is
///   [`Exit::Unknown`].
/// - Two descriptors for each running process, and one thread, started with the first launch.
#[derive(Debug)]
pub struct LocalSupervisor {
    runtime: Arc<dyn Runtime>,
    spawner: Spawner,
    table: Arc<Table>,
}

impl LocalSupervisor {
    /// A supervisor whose watching runs on `runtime` and which binds processes by `affinity`.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>, affinity: Arc<dyn Affinity>) -> Self {
        Self { runtime, spawner: Spawner::new(affinity), table: Arc::default() }
    }

    /// The process, under watch from now on if it was not before.
    fn watched(&self, process: &ProcessRef) -> Result<Known> {
        if let Some(known) = self.table.find(process) {
            return Ok(known);
        }
        let (watched, running) = Watched::find(process)?;
        let watched = Arc::new(watched);
        let readiness = readiness(&*self.runtime, &watched)?;
        if self.table.add(&watched) {
            let watcher = Watcher::new(self, Arc::clone(&watched), Some(readiness), running);
            self.runtime.spawn(Box::pin(watcher.run()));
            return Ok(Known::Running(watched));
        }
        // Somebody else adopted it at the same time, and their watcher tells.
        self.table.find(process).ok_or_else(|| not_running(process))
    }
}

#[async_trait]
impl Supervisor for LocalSupervisor {
    async fn launch(&self, spec: LaunchSpec) -> Result<ProcessRef> {
        let started = self.spawner.launch(spec).await?;
        // From here on in a task, so that the process is watched and reaped even if the caller goes away.
        let (reply, answer) = async_channel::bounded(1);
        let (runtime, table) = (Arc::clone(&self.runtime), Arc::clone(&self.table));
        self.runtime.spawn(Box::pin(async move {
            let started = started.recv().await.unwrap_or_else(|_| Err(thread_ended()));
            match started.and_then(|Started { process, pidfd }| Watched::child(process, pidfd)) {
                Ok((watched, running)) => {
                    let watched = Arc::new(watched);
                    table.add_child(&watched);
                    let (readiness, outcome) = match readiness(&*runtime, &watched) {
                        Ok(readiness) => (Some(readiness), Ok(watched.process().clone())),
                        // It must not run if its end cannot be told; but it must be reaped.
                        Err(e) => {
                            let _ = watched.signal(Signal::Kill);
                            (None, Err(e))
                        }
                    };
                    let _ = reply.try_send(outcome);
                    Watcher { runtime, table, watched, readiness, running }.run().await;
                }
                Err(e) => {
                    let _ = reply.try_send(Err(e));
                }
            }
        }));
        answer.recv().await.unwrap_or_else(|_| Err(thread_ended()))
    }

    async fn adopt(&self, process: &ProcessRef) -> Result<()> {
        match self.watched(process)? {
            Known::Running(_) => Ok(()),
            Known::Ended(_) => Err(not_running(process)),
        }
    }

    async fn signal(&self, process: &ProcessRef, signal: Signal) -> Result<()> {
        match self.table.find(process) {
            Some(Known::Running(watched)) => watched.signal(signal),
            Some(Known::Ended(_)) => Err(not_running(process)),
            None => Watched::find(process)?.0.signal(signal),
        }
    }

    async fn wait(&self, process: &ProcessRef) -> Result<Exit> {
        match self.watched(process) {
            Ok(Known::Running(watched)) => Ok(watched.wait().await),
            Ok(Known::Ended(exit)) => Ok(exit),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Exit::Unknown),
            Err(e) => Err(e),
        }
    }
}

/// Waits for the end of one process.
struct Watcher {
    runtime: Arc<dyn Runtime>,
    table: Arc<Table>,
    watched: Arc<Watched>,
    /// `None`: it cannot be waited for, so it is looked at again and again.
    readiness: Option<Box<dyn Readiness>>,
    running: Running,
}

impl Watcher {
    fn new(
        supervisor: &LocalSupervisor,
        watched: Arc<Watched>,
        readiness: Option<Box<dyn Readiness>>,
        running: Running,
    ) -> Self {
        let (runtime, table) = (Arc::clone(&supervisor.runtime), Arc::clone(&supervisor.table));
        Self { runtime, table, watched, readiness, running }
    }

    async fn run(mut self) {
        let exit = loop {
            if let Some(readiness) = &self.readiness
                && let Err(e) = readiness.readable().await
            {
                tracing::warn!(
                    "cannot wait for {}, looking every 20 ms instead: {e}",
                    self.watched.process()
                );
                self.readiness = None;
            }
            if let Some(exit) = self.watched.collect() {
                break exit;
            }
            self.runtime.sleep(LOOK_AGAIN).await;
        };
        self.table.end(&self.watched, exit);
        // Wakes up all who wait.
        drop(self.running);
    }
}

fn readiness(runtime: &dyn Runtime, watched: &Watched) -> Result<Box<dyn Readiness>> {
    let waitable = watched.descriptor().and_then(|descriptor| runtime.watch(descriptor));
    waitable.map_err(|e| Error::io(format!("watch {}", watched.process()), e))
}

fn not_running(process: &ProcessRef) -> Error {
    Error::new(ErrorKind::NotFound, format!("{process} no longer runs"))
}
