//! Finding the process of a launch whose answer was lost.

use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::local::find_process;
use tangelo_core::runtime::{Runtime, unblock};
use tangelo_core::{Error, Instant, ProcessRef, Result};

/// How often one looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The longest that one looks: a leadership does not reach further ahead, by far.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks for a process that has `variable` in its environment, once it is `settled` that none can
/// come any more for the last time.
///
/// # Errors
/// If /proc cannot be read.
pub(super) async fn find(
    runtime: &Arc<dyn Runtime>,
    host: &str,
    variable: &(String, String),
    settled: impl Fn() -> bool,
) -> Result<Option<ProcessRef>> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let last = settled() || Instant::now() >= patience;
        let (host, pair) = (host.to_owned(), format!("{}={}", variable.0, variable.1));
        let found = unblock(&**runtime, move || look(&host, pair.as_bytes())).await?;
        match found.map_err(|e| Error::io("look for a process in /proc", e))? {
            None if !last => runtime.sleep(LOOK_AGAIN).await,
            found => return Ok(found),
        }
    }
}

/// The process that was launched with `pair`: it leads a session. Those that it has started itself
/// have the variable too, but only one of its own making leads a session, and later.
fn look(host: &str, pair: &[u8]) -> std::io::Result<Option<ProcessRef>> {
    let mut found: Option<ProcessRef> = None;
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Most are somebody else's and cannot be read, and some end meanwhile.
        let has = || {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == pair)
        };
        if leads_session(pid)
            && has()
            && let Some(process) = find_process(host, pid)?
            && found.as_ref().is_none_or(|other| process.start_time < other.start_time)
        {
            found = Some(process);
        }
    }
    Ok(found)
}

/// By field 6 of proc_pid_stat(5), which follows the name in parentheses and three others.
fn leads_session(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let session = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_ascii_whitespace().nth(3));
    session.and_then(|session| session.parse().ok()) == Some(pid)
}
