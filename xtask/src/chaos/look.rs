//! The processes of the cluster, as the kernel has them.

use anyhow::{Context as _, Result};
use core::time::Duration;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A process of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// When it was started, since boot, rounded down to the kernel's clock tick of 10 ms.
    pub(super) start: Duration,
    pub(super) arguments: Vec<String>,
}

/// A server's process, with what its master launched it as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) id: String,
    pub(super) pid: u32,
    pub(super) start: Duration,
    pub(super) incarnation: u64,
    /// The reign that launched it.
    pub(super) epoch: u64,
}

/// All processes that run `app`.
pub(super) fn processes(app: &Path) -> Result<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").context("/proc")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_the_app = |pid: &u32| std::fs::read_link(file(*pid, "exe")).is_ok_and(|exe| exe == app);
    Ok(pids.filter(of_the_app).filter_map(process).collect())
}

/// None if it has just ended.
fn process(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(file(pid, "stat")).ok()?;
    // Fields count from 1; the name, field 2, may hold anything but ends at the last parenthesis.
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let field = |number: usize| fields.get(number - 3);
    // What has ended and was not collected yet is no process any more.
    if matches!(*field(3)?, "Z" | "X") {
        return None;
    }
    let ticks: f64 = field(22)?.parse().ok()?;
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    let arguments = String::from_utf8(std::fs::read(file(pid, "cmdline")).ok()?).ok()?;
    Some(Process {
        pid,
        parent: field(4)?.parse().ok()?,
        start: Duration::from_secs_f64(ticks / f64::from(per_second)),
        arguments: arguments.split_terminator('\0').map(str::to_owned).collect(),
    })
}

impl Process {
    /// The subcommand that it runs.
    pub(super) fn role(&self) -> &str {
        self.arguments.get(1).map_or("", String::as_str)
    }

    /// What it is as a server; none if it is none, or has just ended.
    pub(super) fn server(&self) -> Option<Server> {
        const VARIABLE: &str = "TANGELO_LAUNCH=";
        if self.role() != "serve" {
            return None;
        }
        let environment = std::fs::read(file(self.pid, "environ")).ok()?;
        let variables = environment.split(|&byte| byte == 0);
        let launch = variables.filter_map(|entry| entry.strip_prefix(VARIABLE.as_bytes())).next()?;
        let launch: Launch = serde_json::from_slice(launch).ok()?;
        let Launch { incarnation, epoch, def } = launch;
        Some(Server { id: def.id, pid: self.pid, start: self.start, incarnation, epoch })
    }
}

/// The launch order, as far as it is needed here.
#[derive(Deserialize)]
struct Launch {
    incarnation: u64,
    epoch: u64,
    def: Def,
}

#[derive(Deserialize)]
struct Def {
    id: String,
}

fn file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn this_process_is_found_with_its_age() {
        let own = std::env::current_exe().expect("this program");
        let all = processes(&own).expect("/proc");
        let this = all.iter().find(|process| process.pid == std::process::id()).expect("it runs");
        let age = clock::now() - this.start;
        assert!(age < Duration::from_secs(600), "{age:?}");
        assert_eq!(this.arguments, std::env::args().collect::<Vec<_>>());
        assert_eq!(this.server(), None);
    }
}
