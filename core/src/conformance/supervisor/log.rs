//! Where output goes.

use super::{Bench, text};
use crate::process::{LaunchSpec, LogSpec};
use alloc::format;
use alloc::string::String;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn logging(bench: &Bench, name: &str, max_bytes: u64, script: &str) -> LaunchSpec {
    let path = text(&bench.dir.join(name));
    LaunchSpec { log: Some(LogSpec { path, max_bytes, keep: 2 }), ..bench.sh(script) }
}

/// stdout and stderr go to one file in the order they were written, after what was there, made with its
/// directory if it is not there; others may not read it.
pub async fn a_log_is_appended_to_and_shared(bench: &Bench) {
    for script in ["echo 1; echo 2 >&2; echo 3", "echo 4 >&2; echo 5"] {
        bench.output_of_any_log(logging(bench, "new/append.log", 1 << 20, script)).await;
    }
    let path = bench.dir.join("new/append.log");
    assert_eq!(fs::read_to_string(&path).expect("the log"), "1\n2\n3\n4\n5\n");
    let mode = fs::metadata(&path).expect("the log").permissions().mode();
    assert_eq!(mode & 0o007, 0, "the log's mode is {mode:o}");
}

/// A log that has reached its size makes way at the next launch; so many old ones are kept.
pub async fn a_log_that_is_full_is_rotated(bench: &Bench) {
    for n in 1..=7 {
        // Two lines of 6 bytes fill it.
        bench.output_of_any_log(logging(bench, "full.log", 12, &format!("echo line{n}"))).await;
    }
    let files = ["full.log", "full.log.1", "full.log.2", "full.log.3"]
        .map(|name| fs::read_to_string(bench.dir.join(name)).unwrap_or_else(|_| String::from("none")));
    assert_eq!(files, ["line7\n", "line5\nline6\n", "line3\nline4\n", "none"]);
}

impl Bench {
    /// Runs a script to its end.
    async fn output_of_any_log(&self, spec: LaunchSpec) {
        drop(self.output(spec).await);
    }
}
