//! Running one step and judging it.

use super::cell::{Counts, Step};
use super::cells::TOOLS;
use super::count;
use crate::install::Tool;
use crate::run::{self, Ended};
use crate::{processes, repo};
use anyhow::{Context as _, Result};
use core::time::Duration;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

/// What came of a step: the counts, and why it failed if it did.
pub(super) type Judged = (Counts, Option<String>);

/// Runs `step` with its output appended to `log`, until `deadline` at the latest.
///
/// `tick` is told the tests counted so far, a few times a second.
pub(super) fn run(
    step: &Step,
    log: &Path,
    deadline: Duration,
    tick: &mut dyn FnMut(Counts),
) -> Result<Judged> {
    let arguments = step.arguments();
    let mut command = processes::cargo(&arguments);
    if let Step::Check { env, .. } = step {
        command.envs(env.iter().copied());
    }
    if let Some(tool) = TOOLS.into_iter().find(|tool| tool.is(arguments[0])) {
        command.env("PATH", path_with(tool)?);
    }
    writeln!(run::open_log(log)?, "$ {}", run::shown(&command))?;
    let start = std::fs::metadata(log)?.len();
    let mut so_far = || {
        tick(count::tests(&read_from(log, start).unwrap_or_default()));
    };
    let ended = run::run(&mut command, log, deadline, &mut so_far)?;
    let output = read_from(log, start)?;
    let (mut counts, mut failure) = match ended {
        Ended::Exit(status) => match judge(step, status.success(), &output) {
            (counts, Some(why)) if status.signal().is_some() => (counts, Some(format!("{why} ({status})"))),
            judged => judged,
        },
        Ended::OverLimit => (count::tests(&output), Some("over its time limit, killed".to_owned())),
    };
    if failure.is_none() {
        failure = left_running(log)?;
    }
    if failure.is_some() {
        counts.failed = counts.failed.max(1);
    }
    Ok((counts, failure))
}

/// Whether a step that ended by itself has passed.
fn judge(step: &Step, success: bool, output: &str) -> Judged {
    match step {
        Step::Check { .. } if success => (Counts::ONE_PASSED, None),
        Step::Check { .. } => (Counts::default(), Some(reason(output))),
        Step::Tests { at_least, .. } => {
            let counts = count::tests(output);
            let failure = if counts.failed > 0 {
                Some(format!("{} of {} tests failed", counts.failed, counts.failed + counts.passed))
            } else if !success {
                Some(reason(output))
            } else if counts.passed < *at_least {
                Some(format!("ran {} tests, expected at least {at_least}", counts.passed))
            } else {
                None
            };
            (counts, failure)
        }
        Step::Combinations { .. } => {
            let (counts, warning) = count::combinations(output);
            let failure = if success { warning } else { Some(warning.unwrap_or_else(|| reason(output))) };
            match failure {
                None if counts.passed == 0 => (counts, Some("no combination was built".to_owned())),
                failure => (counts, failure),
            }
        }
        Step::Refused { first_error_has, .. } => match count::first_error(output) {
            _ if success => (Counts::default(), Some("it built, but should have been refused".to_owned())),
            Some(error) if first_error_has.iter().all(|word| error.contains(word)) => {
                (Counts::ONE_PASSED, None)
            }
            error => {
                let wanted = first_error_has.join("` and `");
                let found = error.unwrap_or("none");
                (Counts::default(), Some(format!("the first error should name `{wanted}`, but is: {found}")))
            }
        },
        Step::Without { crates, .. } if success => match count::listed(output, crates)[..] {
            [] => (Counts::ONE_PASSED, None),
            ref found => (Counts::default(), Some(format!("depends on {}", found.join(", ")))),
        },
        Step::Without { .. } => (Counts::default(), Some(reason(output))),
    }
}

/// The PATH on which cargo finds our own `tool` first.
fn path_with(tool: Tool) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = core::iter::once(tool.dir()).chain(std::env::split_paths(&path));
    std::env::join_paths(dirs).context("the target directory cannot stand in PATH")
}

fn reason(output: &str) -> String {
    // rustfmt names no error, only what it would change.
    let diff = || output.lines().find(|line| line.starts_with("Diff in "));
    count::first_error(output).or_else(diff).unwrap_or("it failed without an error message").to_owned()
}

/// Tests must stop what they start: whatever of our own programs still runs is a failure, and is ended.
fn left_running(log: &Path) -> Result<Option<String>> {
    let left = processes::alive_from(&repo::target());
    if left.is_empty() {
        return Ok(None);
    }
    let mut log = run::open_log(log)?;
    for process in &left {
        writeln!(log, "left running: {} {}", process.pid, process.command_line)?;
    }
    processes::sweep();
    Ok(Some(format!("left {} processes running, such as `{}`", left.len(), left[0].command_line)))
}

/// What stands in `log` from `start` on.
fn read_from(log: &Path, start: u64) -> Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: Step = Step::tests(&["test"]);
    const OK: &str = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    const NONE: &str = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn a_step_that_should_run_tests_but_runs_none_fails() {
        assert!(judge(&TESTS, true, OK).1.is_none());
        assert!(judge(&TESTS, true, NONE).1.is_some());
        assert!(judge(&Step::some_tests(&["test"]), true, NONE).1.is_none());
    }

    #[test]
    fn a_test_binary_that_dies_without_a_result_fails_the_step() {
        assert!(judge(&TESTS, false, OK).1.is_some());
    }

    #[test]
    fn a_build_that_should_be_refused_must_be_refused_for_the_right_reason() {
        let step = Step::Refused { args: &[], first_error_has: &["runtime-tokio", "runtime-smol"] };
        assert!(judge(&step, false, "error: choose `runtime-tokio` or `runtime-smol`\n").1.is_none());
        assert!(
            judge(&step, false, "error[E0432]: unresolved\nerror: runtime-tokio runtime-smol\n").1.is_some()
        );
        assert!(judge(&step, true, "Finished\n").1.is_some());
    }

    #[test]
    fn every_combination_of_features_is_to_be_free_of_warnings() {
        let step = Step::Combinations { args: &[] };
        let clean = "info: running `cargo check --features a` on x (1/2)\n    Finished\n\
                     info: running `cargo check --features b` on x (2/2)\n    Finished\n";
        assert_eq!(judge(&step, true, clean), (Counts { passed: 2, ..Counts::default() }, None));
        assert!(judge(&step, false, clean).1.is_some());
        assert!(judge(&step, true, "").1.is_some());
        let warning = format!("{clean}warning: unused\n");
        let why = "cargo check --features b` on x (2/2): warning: unused";
        let judged = judge(&step, true, &warning);
        assert!(judged.1.is_some_and(|judged| judged.contains(why)), "{why}");
    }

    #[test]
    fn a_forbidden_dependency_is_named() {
        let step = Step::Without { args: &[], crates: &["tokio"] };
        assert!(judge(&step, true, "tangelo v0.1.0\n").1.is_none());
        assert_eq!(judge(&step, true, "tokio v1.0.0\n").1.as_deref(), Some("depends on tokio"));
    }
}
