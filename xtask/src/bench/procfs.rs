//! What the kernel says of a process.

use std::fs::read_to_string;

/// Resident memory, in MiB.
pub(crate) fn rss_mib(pid: u32) -> Option<f64> {
    kib(&read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

/// Resident memory with shared pages divided among those that share them, in MiB.
pub(crate) fn pss_mib(pid: u32) -> Option<f64> {
    kib(&read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")
}

/// The processes whose parent is `pid`.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&child| stat(child, 4) == Some(pid)).collect()
}

/// The command line of a process, none if it has ended.
pub(crate) fn arguments(pid: u32) -> Vec<String> {
    let line = read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split_terminator('\0').map(str::to_owned).collect()
}

fn kib(text: &str, key: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Processor time used so far, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let (user, system) = (stat(pid, 14)?, stat(pid, 15)?);
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some((f64::from(user) + f64::from(system)) / f64::from(per_second))
}

/// Time on the CPU of all its threads that live, to the nanosecond; in seconds.
pub(crate) fn precise_cpu_seconds(pid: u32) -> Option<f64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    // One that ends meanwhile lives no longer.
    let nanoseconds = threads.filter_map(|thread| {
        let schedstat = read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<u64>().ok()
    });
    let total = nanoseconds.reduce(|all, one| all + one)?;
    Some(core::time::Duration::from_nanos(total).as_secs_f64())
}

/// A field of its stat, counted from 1 as in proc_pid_stat(5), from 4 on.
fn stat(pid: u32, field: usize) -> Option<u32> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, may hold anything but ends at the last parenthesis.
    stat.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_process() {
        let own = std::process::id();
        assert!(rss_mib(own).is_some_and(|mib| mib > 0.5));
        assert!(pss_mib(own).is_some_and(|mib| mib > 0.1));
        assert!(cpu_seconds(own).is_some_and(|seconds| seconds < 1000.0));
        assert!(precise_cpu_seconds(own).is_some_and(|seconds| seconds > 0.0));
    }

    #[test]
    fn a_child_and_what_it_was_told() {
        let mut child = crate::processes::command("sleep").arg("1000").spawn().expect("sleep");
        let there = children(std::process::id()).contains(&child.id());
        let arguments = arguments(child.id());
        child.kill().and_then(|()| child.wait()).expect("end it");
        assert!(there);
        assert_eq!(arguments, ["sleep", "1000"]);
    }
}
