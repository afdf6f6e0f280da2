//! CPU masks by sched_setaffinity(2).

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet as Mask, sched_getaffinity, sched_setaffinity};
use std::sync::OnceLock;
use tangelo_core::{Affinity, CpuSet, Error, ErrorKind, Result};

/// Binds threads to CPUs: one CPU by `core_affinity`, several by sched_setaffinity(2).
///
/// The allowed CPUs are read once for the whole process, by whichever comes first: the first
/// method of any `LinuxAffinity`, or [`new`](Self::new). So make one at the start of `main`, before a thread is pinned;
/// a pinned thread would report its own narrow mask.
///
/// CPUs up to 1023 can be named, which is the size of glibc's and the raw call's usual mask.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LinuxAffinity;

/// The mask this process began with.
static ALLOWED: OnceLock<core::result::Result<CpuSet, Errno>> = OnceLock::new();

impl LinuxAffinity {
    /// An affinity that takes the calling thread's mask for the allowed CPUs, if it is the first of
    /// this process.
    #[must_use]
    pub fn new() -> Self {
        let _ = Self.allowed();
        Self
    }
}

impl Default for LinuxAffinity {
    fn default() -> Self {
        Self::new()
    }
}

impl Affinity for LinuxAffinity {
    fn allowed(&self) -> Result<CpuSet> {
        let allowed = ALLOWED.get_or_init(|| mask_of(None));
        allowed.clone().map_err(|e| Error::io("read which CPUs this process may use", e.into()))
    }

    fn pin_current(&self, cpus: &CpuSet) -> Result<CpuSet> {
        let allowed = self.allowed()?;
        let refused = cpus.difference(&allowed);
        if cpus.is_empty() || !refused.is_empty() {
            return Err(not_allowed(cpus, &refused, &allowed));
        }
        let before = sched_getaffinity(None).map_err(|e| Error::io("read this thread's CPUs", e.into()))?;
        bind(cpus).map_err(|e| Error::io(format!("bind to CPUs {cpus}"), e))?;
        // The kernel leaves out, silently, what has gone offline or out of the cpuset since.
        let effective = mask_of(None).map_err(|e| Error::io("read back this thread's CPUs", e.into()))?;
        let missing = cpus.difference(&effective);
        if !missing.is_empty() {
            let _ = sched_setaffinity(None, &before);
            return Err(not_allowed(cpus, &missing, &allowed.difference(&missing)));
        }
        Ok(effective)
    }

    fn of(&self, pid: u32) -> Result<CpuSet> {
        // 0 would be this thread.
        let id = i32::try_from(pid).ok().filter(|&pid| pid > 0).and_then(Pid::from_raw);
        match id.map_or(Err(Errno::SRCH), |id| mask_of(Some(id))) {
            Ok(cpus) => Ok(cpus),
            Err(Errno::SRCH) => {
                Err(Error::new(ErrorKind::NotFound, format!("there is no process with pid {pid}")))
            }
            Err(e) => Err(Error::io(format!("read the CPUs of pid {pid}"), e.into())),
        }
    }
}

/// Gives the calling thread a mask of allowed CPUs.
fn bind(cpus: &CpuSet) -> std::io::Result<()> {
    let mut numbers = cpus.iter().filter_map(|cpu| usize::try_from(cpu).ok());
    if let (Some(id), None) = (numbers.next(), numbers.next()) {
        // It aborts the process for a number of 1024 or more, and says only `false` for all else; an
        // allowed CPU is below that, and errno is still there.
        return if core_affinity::set_for_current(core_affinity::CoreId { id }) {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        };
    }
    let mut mask = Mask::new();
    cpus.iter().filter_map(|cpu| usize::try_from(cpu).ok()).for_each(|cpu| mask.set(cpu));
    Ok(sched_setaffinity(None, &mask)?)
}

/// The mask of a process's main thread, or of the calling thread.
fn mask_of(pid: Option<Pid>) -> core::result::Result<CpuSet, Errno> {
    let mask = sched_getaffinity(pid)?;
    Ok((0..Mask::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).filter_map(|cpu| u32::try_from(cpu).ok()).collect())
}

fn not_allowed(cpus: &CpuSet, refused: &CpuSet, allowed: &CpuSet) -> Error {
    let what = if cpus.is_empty() { "an empty set of CPUs".into() } else { format!("CPU {refused}") };
    Error::new(ErrorKind::Invalid, format!("cannot bind to {what}: this process may use the CPUs {allowed}"))
}
