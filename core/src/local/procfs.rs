//! What /proc says about processes.

use crate::ProcessRef;
use alloc::format;
use std::fs;
use std::io;
use std::sync::OnceLock;

/// The part of /proc/PID/stat that tells processes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Field 22: clock ticks from boot to the start of the process; tagged with the boot by [`stat`].
    pub(crate) start_time: u64,
    /// It has ended and waits for its parent to take notice (a zombie).
    pub(crate) ended: bool,
}

/// The stat of `pid`, or `None` if there is no such process.
pub(crate) fn stat(pid: u32) -> io::Result<Option<Stat>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => {
            let stat = parse(&text).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is malformed"))
            })?;
            Ok(Some(Stat { start_time: boot_tag()? | stat.start_time & TICKS, ..stat }))
        }
        // ESRCH: it ended between the open and the read.
        Err(e) if e.kind() == io::ErrorKind::NotFound || is_gone(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The bits of a start time that count ticks: enough for three centuries at 100 a second.
const TICKS: u64 = (1 << 40) - 1;

/// The first 24 bits of the kernel's random id of this boot, above the ticks: after a reboot
/// another process may well have the same pid and the same tick.
fn boot_tag() -> io::Result<u64> {
    static TAG: OnceLock<u64> = OnceLock::new();
    if let Some(tag) = TAG.get() {
        return Ok(*tag);
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let tag = id.get(..6).and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "/proc/sys/kernel/random/boot_id is malformed")
    })?;
    Ok(*TAG.get_or_init(|| tag << 40))
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// Reads proc_pid_stat(5). The second field is the program's name in parentheses and may itself
/// hold spaces and parentheses, so the fields are counted from the last one that closes.
fn parse(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    // Field 22, 19 after the state, which is field 3.
    let start_time = fields.nth(18)?.parse().ok()?;
    Some(Stat { start_time, ended: matches!(state, "Z" | "X" | "x") })
}

/// Names this process, which runs on `host`.
///
/// # Errors
/// If /proc cannot be read.
pub fn process_ref(host: &str) -> io::Result<ProcessRef> {
    find_process(host, std::process::id())?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "/proc does not show this process"))
}

/// Names the process that has this pid now, if there is one; `host` is what this host is called.
///
/// # Errors
/// If /proc cannot be read.
pub fn find_process(host: &str, pid: u32) -> io::Result<Option<ProcessRef>> {
    let stat = stat(pid)?.filter(|stat| !stat.ended);
    Ok(stat.map(|stat| ProcessRef { host: host.into(), pid, start_time: stat.start_time }))
}

/// Whether exactly this process of this host still runs. One that has ended and only waits for
/// its parent to take notice does not; one that cannot be looked at counts as running.
#[must_use]
pub fn alive(process: &ProcessRef) -> bool {
    match stat(process.pid) {
        Ok(stat) => stat.is_some_and(|stat| stat.start_time == process.start_time && !stat.ended),
        Err(_) => true,
    }
}

/// The memory of this process that is in RAM, in bytes; 0 if /proc cannot be read.
#[must_use]
pub fn rss_bytes() -> u64 {
    let pages = || -> Option<u64> {
        // Field 2 of /proc/self/statm, in pages (proc_pid_statm(5)).
        fs::read_to_string("/proc/self/statm").ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    pages().unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_no_field() {
        let rest = "S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 11 12";
        for name in ["sh", "a b", "a) S 1 2 (b", ") R"] {
            let stat = parse(&format!("42 ({name}) {rest}")).unwrap();
            assert_eq!(stat, Stat { start_time: 987_654, ended: false }, "{name}");
        }
        assert!(parse(&format!("42 (sh) {}", rest.replacen('S', "Z", 1))).unwrap().ended);
        assert_eq!(parse("42 (sh"), None);
        assert_eq!(parse("42 (sh) S 1 2"), None);
    }

    #[test]
    fn this_process_runs_and_the_one_that_had_its_pid_does_not() {
        let me = process_ref("here").unwrap();
        assert_eq!((me.pid, me.host.as_str()), (std::process::id(), "here"));
        assert!(alive(&me));
        assert!(!alive(&ProcessRef { start_time: me.start_time + 1, ..me }));
    }

    #[test]
    fn a_process_of_an_earlier_boot_is_not_taken_for_one_of_this() {
        let me = process_ref("here").unwrap();
        assert!(!alive(&ProcessRef { start_time: me.start_time & TICKS, ..me.clone() }));
        assert!(!alive(&ProcessRef { start_time: me.start_time ^ (1 << 40), ..me }));
    }

    #[test]
    fn a_zombie_does_not_run() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "read x"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let start_time = stat(child.id()).unwrap().unwrap().start_time;
        let process = ProcessRef { host: "here".into(), pid: child.id(), start_time };
        assert!(alive(&process));
        drop(child.stdin.take());
        // Waits for the end, and leaves the zombie.
        let id = rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child));
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(id, options).unwrap();
        assert!(!alive(&process));
        child.wait().unwrap();
        assert!(!alive(&process));
    }

    #[test]
    fn memory_is_counted_in_bytes() {
        let rss = rss_bytes();
        assert!((100_000..100_000_000_000).contains(&rss), "{rss}");
    }
}
