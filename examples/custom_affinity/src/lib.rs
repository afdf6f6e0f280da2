//! An affinity of one's own: some CPUs are kept free of the whole cluster, for interrupts, a database, whatever.
//!
//! No server may be bound to them, and those that are bound to nothing keep off them too, as do masters.

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet as Mask, sched_getaffinity, sched_setaffinity};
use std::{fs, io};
use tangelo::core::{Affinity, CpuSet};
use tangelo::{AffinityContext, Error, ErrorKind, Result};

/// All CPUs of this process but some.
#[derive(Debug, Clone)]
pub struct KeepFree {
    allowed: CpuSet,
}

impl KeepFree {
    /// An affinity for an application, whose `config/free-cpus` names them as servers.json does (`0` or `0-1,4`). This
    /// process keeps off them from now on.
    pub fn new(context: &AffinityContext) -> Result<Self> {
        let path = context.dir.join("config/free-cpus");
        let text = fs::read_to_string(&path)
            .map_err(|error| Error::io(format_args!("read {}", path.display()), error))?;
        Self::but(&text.parse().map_err(|error: Error| {
            Error::new(error.kind(), format!("{}: {}", path.display(), error.message()))
        })?)
    }

    /// The same without an application.
    pub fn but(free: &CpuSet) -> Result<Self> {
        // Of the main thread: what this process may use, whichever thread is asked.
        let all = mask_of(Some(rustix::process::getpid()))
            .map_err(|error| failed("read which CPUs may be used", error))?;
        let allowed = all.difference(free);
        if allowed.is_empty() {
            let message = format!("the CPUs {free} are to be kept free, and this process may use no others");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        keep_off(free, &allowed).map_err(|error| Error::io("keep this process off the free CPUs", error))?;
        Ok(Self { allowed })
    }

    fn refused(&self, cpus: &CpuSet) -> Error {
        let allowed = &self.allowed;
        let message = format!("cannot bind to the CPUs `{cpus}`: {allowed} are there for the cluster");
        Error::new(ErrorKind::Invalid, message)
    }
}

impl Affinity for KeepFree {
    fn allowed(&self) -> Result<CpuSet> {
        Ok(self.allowed.clone())
    }

    fn pin_current(&self, cpus: &CpuSet) -> Result<CpuSet> {
        // The kernel would leave out without a word what it does not allow.
        if cpus.is_empty() || !cpus.difference(&self.allowed).is_empty() {
            return Err(self.refused(cpus));
        }
        let before = sched_getaffinity(None).map_err(|error| failed("read this thread's CPUs", error))?;
        sched_setaffinity(None, &mask(cpus)).map_err(|error| failed("bind this thread", error))?;
        let effective = mask_of(None).map_err(|error| failed("read back this thread's CPUs", error))?;
        if effective != *cpus {
            // One of them has gone offline since.
            let _ = sched_setaffinity(None, &before);
            return Err(self.refused(cpus));
        }
        Ok(effective)
    }

    fn of(&self, pid: u32) -> Result<CpuSet> {
        // 0 would be this thread.
        let id = i32::try_from(pid).ok().filter(|&pid| pid > 0).and_then(Pid::from_raw);
        id.map_or(Err(Errno::SRCH), |id| mask_of(Some(id))).map_err(|error| match error {
            Errno::SRCH => Error::new(ErrorKind::NotFound, format!("there is no process with pid {pid}")),
            error => failed("read a process's CPUs", error),
        })
    }
}

/// Moves all threads of this process off some CPUs; those that they make inherit it. One that is bound to some of
/// the others stays there.
fn keep_off(free: &CpuSet, allowed: &CpuSet) -> io::Result<()> {
    loop {
        let mut moved = false;
        for thread in fs::read_dir("/proc/self/task")? {
            let thread = thread?.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
            let bound = match mask_of(thread) {
                Ok(bound) => bound,
                // It has ended.
                Err(Errno::SRCH) => continue,
                Err(error) => return Err(error.into()),
            };
            let kept = bound.difference(free);
            if kept != bound {
                let kept = if kept.is_empty() { allowed } else { &kept };
                match sched_setaffinity(thread, &mask(kept)) {
                    Ok(()) | Err(Errno::SRCH) => moved = true,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        // Another look: one that was not moved yet may have made some more.
        if !moved {
            return Ok(());
        }
    }
}

fn mask(cpus: &CpuSet) -> Mask {
    let mut mask = Mask::new();
    cpus.iter().filter_map(|cpu| usize::try_from(cpu).ok()).for_each(|cpu| mask.set(cpu));
    mask
}

/// The mask of a thread, or of the calling one.
fn mask_of(thread: Option<Pid>) -> std::result::Result<CpuSet, Errno> {
    let mask = sched_getaffinity(thread)?;
    Ok((0..Mask::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).filter_map(|cpu| u32::try_from(cpu).ok()).collect())
}

fn failed(doing: &str, error: Errno) -> Error {
    Error::io(doing, error.into())
}
