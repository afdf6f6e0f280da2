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

fn kib(text: &str, key: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Processor time used so far, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields count from 1; the name, field 2, may hold anything but ends at the last parenthesis.
    let mut after_name = stat.rsplit_once(") ")?.1.split(' ').skip(14 - 3);
    let mut ticks = || after_name.next()?.parse::<u32>().ok().map(f64::from);
    let (user, system) = (ticks()?, ticks()?);
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some((user + system) / f64::from(per_second))
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
    }
}
