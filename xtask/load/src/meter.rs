//! Time on the wall and on the CPU.

use core::time::Duration;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use tangelo_core::Instant;

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Meter(Map<String, Value>);

/// Something that is being measured.
pub(crate) struct Started {
    at: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Started {
        Started { at: Instant::now(), cpu: cpu() }
    }

    /// Notes that what was started has ended, for so many members.
    pub(crate) fn ended(&mut self, what: &str, started: &Started, members: usize) {
        let (seconds, cpu) = (Instant::now().saturating_since(started.at), cpu().saturating_sub(started.cpu));
        let found = json!({ "members": members, "seconds": seconds.as_secs_f64(), "cpu": cpu.as_secs_f64() });
        self.0.insert(what.to_owned(), found);
    }

    pub(crate) fn json(&self) -> String {
        Value::from(self.0.clone()).to_string()
    }
}

/// Of this process.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
