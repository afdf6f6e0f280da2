//! The clock that all processes of a machine share: `CLOCK_MONOTONIC`, which `process.hrtime` of Node.js reads too.

use core::time::Duration;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// In nanoseconds.
pub(crate) fn now() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// What this process has used of the CPU, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    seconds(nanoseconds(clock_gettime(ClockId::ProcessCPUTime)))
}

/// A span of nanoseconds.
pub(crate) fn seconds(span: u64) -> f64 {
    Duration::from_nanos(span).as_secs_f64()
}

/// A span in nanoseconds.
pub(crate) const fn milliseconds(count: u64) -> u64 {
    count.saturating_mul(1_000_000)
}

fn nanoseconds(time: Timespec) -> u64 {
    // Neither is negative.
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
