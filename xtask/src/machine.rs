//! What the figures were measured on.

use crate::{clock, processes, repo, run};
use core::time::Duration;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// The machine and the state of the source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) system: String,
    pub(crate) rustc: String,
    /// How busy it was with other things just before, in percent of all cores.
    pub(crate) busy_percent: f64,
    /// UTC, `YYYY-MM-DD`.
    pub(crate) date: String,
    /// The commit, with a `+` if the source differed from it.
    pub(crate) revision: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name", ':').unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, core::num::NonZero::get),
            memory_mib: field("/proc/meminfo", "MemTotal", ':')
                .and_then(|kib| kib.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            kernel: first_line(std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()),
            system: field("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(unknown),
            rustc: first_line(run::output(processes::command("rustc").arg("--version")).ok()),
            busy_percent: busy_percent(),
            date: today(),
            revision: revision(),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn first_line(text: Option<String>) -> String {
    text.and_then(|text| text.lines().next().map(|line| line.trim().to_owned())).unwrap_or_else(unknown)
}

/// The value of the first `key` in a file of `key<separator>value` lines.
fn field(file: &str, key: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(separator))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// The share of time that the cores were not idle over one second.
fn busy_percent() -> f64 {
    let before = cpu_times();
    clock::let_pass(Duration::from_secs(1));
    match (before, cpu_times()) {
        (Some((idle, all)), Some((idle_after, all_after))) if all_after > all => {
            100.0 * (1.0 - (idle_after - idle) / (all_after - all))
        }
        _ => f64::NAN,
    }
}

/// Idle and total time of all cores since boot, in ticks.
fn cpu_times() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    // cpu user nice system idle iowait irq softirq steal …
    let times = stat.lines().next()?.split_whitespace().skip(1).take(8).map(str::parse::<f64>);
    let times: Vec<_> = times.collect::<Result<_, _>>().ok()?;
    Some((times.get(3)? + times.get(4)?, times.iter().sum()))
}

fn revision() -> String {
    let git =
        |args: &[&str]| run::output(processes::command("git").args(args).current_dir(repo::root())).ok();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|out| !out.is_empty());
    let commit = first_line(git(&["rev-parse", "--short=10", "HEAD"]));
    if changed { format!("{commit}+") } else { commit }
}

fn today() -> String {
    let (year, month, day) = civil(clock_gettime(ClockId::Realtime).tv_sec.div_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date of a day counted from 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_453), (2025, 12, 31));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }
}
