//! The memory of this process.

/// The resident memory of this process in bytes; 0 where the system does not tell.
pub(super) fn rss_bytes() -> u64 {
    // In pages of the kernel's own size: /proc/self/status has it in kB.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_between_a_megabyte_and_a_terabyte() {
        assert!((1 << 20..1 << 40).contains(&super::rss_bytes()));
    }
}
