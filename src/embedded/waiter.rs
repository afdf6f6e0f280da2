//! Waiting for the lock in a thread of its own.
//!
//! A wait in flock(2) is woken by the kernel the moment the holder dies, but nothing can cancel it.
//! So the thread of a withdrawn campaign lets the lock go as soon as it gets it, or serves the next
//! campaign: there are never more threads than there once were campaigns at a time.

use super::candidates::{Courtesy, Entry};
use super::context::Context;
use super::dir::{FileId, LOCK, RunDir, id_at, id_of};
use super::lock::{Held, Outcome};
use crate::sync::Mutex;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_channel::{Receiver, Sender};
use std::fs::File;
use std::io;
use tangelo_core::{Error, ErrorKind, Result};

/// The threads whose campaigns were withdrawn.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Vec<Arc<Slot>>>);

#[derive(Debug)]
struct Slot(Mutex<SlotState>);

#[derive(Debug)]
struct SlotState {
    /// The file that the thread waits for, once it is open.
    lock: Option<FileId>,
    claim: Claim,
}

#[derive(Debug)]
enum Claim {
    /// No campaign wants the lock.
    Withdrawn,
    /// This one does.
    Wanted(Job),
    /// The thread has taken the job, or ended.
    Taken,
}

#[derive(Debug)]
struct Job {
    entry: Arc<Entry>,
    courtesy: Courtesy,
    done: Sender<Result<Outcome>>,
}

/// A campaign's claim on the lock. Dropping it withdraws it.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    waiters: &'a Waiters,
    context: Arc<Context>,
    slot: Arc<Slot>,
    outcome: Receiver<Result<Outcome>>,
}

impl Waiters {
    /// Waits for the lock on behalf of `entry`.
    pub(super) fn enlist(
        &self,
        context: &Arc<Context>,
        entry: &Arc<Entry>,
        courtesy: Courtesy,
    ) -> Result<Waiting<'_>> {
        let (done, outcome) = async_channel::bounded(1);
        let job = Job { entry: Arc::clone(entry), courtesy, done };
        let slot = match self.reuse(context, job) {
            Ok(slot) => slot,
            Err(job) => spawn(context, job)?,
        };
        Ok(Waiting { waiters: self, context: Arc::clone(context), slot, outcome })
    }

    /// How many threads wait for nobody.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.0.lock().iter().filter(|slot| !matches!(slot.0.lock().claim, Claim::Taken)).count()
    }

    fn reuse(&self, context: &Context, job: Job) -> core::result::Result<Arc<Slot>, Job> {
        let mut idle = self.0.lock();
        while let Some(slot) = idle.pop() {
            let mut state = slot.0.lock();
            if matches!(state.claim, Claim::Withdrawn) && !state.is_replaced(context) {
                state.claim = Claim::Wanted(job);
                drop(state);
                return Ok(slot);
            }
        }
        Err(job)
    }
}

impl SlotState {
    /// Whether the thread waits for a file that is at the path no longer.
    fn is_replaced(&self, context: &Context) -> bool {
        self.lock.is_some_and(|mine| id_at(&context.run_dir.join(LOCK)).ok() != Some(mine))
    }
}

impl Waiting<'_> {
    /// What came of it.
    pub(super) async fn outcome(&self) -> Result<Outcome> {
        self.outcome.recv().await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "the thread that waited for the leader's lock has panicked",
            ))
        })
    }

    /// Whether it waits for a file that is at the path no longer, so that another wait is needed.
    pub(super) fn is_replaced(&self) -> bool {
        self.slot.0.lock().is_replaced(&self.context)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.slot.0.lock();
        if matches!(state.claim, Claim::Wanted(_)) {
            state.claim = Claim::Withdrawn;
            drop(state);
            self.waiters.0.lock().push(Arc::clone(&self.slot));
        }
    }
}

fn spawn(context: &Arc<Context>, job: Job) -> Result<Arc<Slot>> {
    let slot = Arc::new(Slot(Mutex::new(SlotState { lock: None, claim: Claim::Wanted(job) })));
    let thread = {
        let (context, slot) = (Arc::clone(context), Arc::clone(&slot));
        move || wait(&context, &slot)
    };
    std::thread::Builder::new()
        .name("leader-lock".into())
        .stack_size(256 * 1024)
        .spawn(thread)
        .map_err(|e| Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(e))?;
    Ok(slot)
}

fn wait(context: &Arc<Context>, slot: &Slot) {
    let locked = take(context, slot);
    let claim = core::mem::replace(&mut slot.0.lock().claim, Claim::Taken);
    let Claim::Wanted(Job { entry, courtesy, done }) = claim else { return };
    let outcome = locked.and_then(|(dir, file)| Held::begin(context, dir, file, &entry, courtesy));
    drop(entry);
    // Withdrawn in this moment? Then the win is dropped here, and so given back.
    let _ = done.try_send(outcome);
}

fn take(context: &Context, slot: &Slot) -> Result<(RunDir, File)> {
    let dir = RunDir::open_or_create(&context.run_dir)?;
    let file = dir.open_file(LOCK)?;
    let failed = |e: io::Error| {
        let path = dir.path_of(LOCK);
        match rustix::io::Errno::from_io_error(&e) {
            Some(rustix::io::Errno::NOTSUP | rustix::io::Errno::NOSYS) => Error::new(
                ErrorKind::Unsupported,
                format!(
                    "no locks on the file system of {}; put the run directory on a local one",
                    path.display()
                ),
            ),
            _ => Error::io(format_args!("lock {}", path.display()), e),
        }
    };
    slot.0.lock().lock = Some(id_of(&file).map_err(failed)?);
    loop {
        match file.lock() {
            Ok(()) => return Ok((dir, file)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
}
