//! The suite for a [`Supervisor`] of this host's processes, on Linux.
//!
//! Its children are `/bin/sh` with ordinary Debian tools (coreutils, grep, setsid).

mod adopt;
mod cpus;
mod end;
mod launch;
mod log;
mod proc;

use super::tools::case;
use crate::local::alive;
use crate::process::{LaunchSpec, LogSpec};
use crate::runtime::Runtime;
use crate::{ProcessRef, Supervisor};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs;
use std::path::{Path, PathBuf};

pub use adopt::{
    a_foreign_process_is_adopted, a_killed_foreign_process_takes_its_group_along,
    a_process_that_is_gone_is_not_found, a_reused_pid_is_another_process, a_zombie_is_gone,
};
pub use cpus::{
    a_cpu_that_is_not_allowed_is_refused, every_thread_has_the_mask,
    the_mask_is_there_at_the_first_instruction, wait_with_threads,
};
pub use end::{
    a_kill_leaves_nothing_of_the_group, a_stopped_process_is_not_woken_and_can_be_killed, ends_are_seen_soon,
    ends_are_told_as_they_were, everybody_who_waits_is_told, nothing_of_the_group_outlives_its_leader,
    terminate_reaches_the_process,
};
pub use launch::{
    a_hundred_at_once, a_process_leads_its_own_session, a_process_outlives_its_supervisor,
    a_program_gets_its_arguments, signals_are_as_at_a_login, stdin_is_empty_and_no_socket_leaks,
    what_cannot_start_is_an_error,
};
pub use log::{a_log_is_appended_to_and_shared, a_log_that_is_full_is_rotated};

/// What a case works with.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Where the case runs.
    pub runtime: Arc<dyn Runtime>,
    /// The part under test.
    pub supervisor: Arc<dyn Supervisor>,
    /// An empty directory, for logs.
    pub dir: PathBuf,
}

/// Runs every case but those that need more than a supervisor
/// ([`a_process_outlives_its_supervisor`], [`every_thread_has_the_mask`]). `dir` is an empty directory, for logs.
///
/// # Panics
/// If a case fails.
pub async fn test_all(runtime: Arc<dyn Runtime>, supervisor: Arc<dyn Supervisor>, dir: &Path) {
    let b = &Bench { runtime: Arc::clone(&runtime), supervisor, dir: dir.into() };
    let r = &*runtime;
    case(r, "a_program_gets_its_arguments", a_program_gets_its_arguments(b)).await;
    case(r, "a_process_leads_its_own_session", a_process_leads_its_own_session(b)).await;
    case(r, "signals_are_as_at_a_login", signals_are_as_at_a_login(b)).await;
    case(r, "stdin_is_empty_and_no_socket_leaks", stdin_is_empty_and_no_socket_leaks(b)).await;
    case(r, "what_cannot_start_is_an_error", what_cannot_start_is_an_error(b)).await;
    case(r, "a_hundred_at_once", a_hundred_at_once(b)).await;

    case(r, "a_log_is_appended_to_and_shared", a_log_is_appended_to_and_shared(b)).await;
    case(r, "a_log_that_is_full_is_rotated", a_log_that_is_full_is_rotated(b)).await;

    case(r, "ends_are_told_as_they_were", ends_are_told_as_they_were(b)).await;
    case(r, "everybody_who_waits_is_told", everybody_who_waits_is_told(b)).await;
    case(r, "terminate_reaches_the_process", terminate_reaches_the_process(b)).await;
    case(
        r,
        "a_stopped_process_is_not_woken_and_can_be_killed",
        a_stopped_process_is_not_woken_and_can_be_killed(b),
    )
    .await;
    case(r, "a_kill_leaves_nothing_of_the_group", a_kill_leaves_nothing_of_the_group(b)).await;
    case(r, "nothing_of_the_group_outlives_its_leader", nothing_of_the_group_outlives_its_leader(b)).await;
    case(r, "ends_are_seen_soon", ends_are_seen_soon(b)).await;

    case(r, "a_foreign_process_is_adopted", a_foreign_process_is_adopted(b)).await;
    case(
        r,
        "a_killed_foreign_process_takes_its_group_along",
        a_killed_foreign_process_takes_its_group_along(b),
    )
    .await;
    case(r, "a_process_that_is_gone_is_not_found", a_process_that_is_gone_is_not_found(b)).await;
    case(r, "a_reused_pid_is_another_process", a_reused_pid_is_another_process(b)).await;
    case(r, "a_zombie_is_gone", a_zombie_is_gone(b)).await;

    case(r, "the_mask_is_there_at_the_first_instruction", the_mask_is_there_at_the_first_instruction(b))
        .await;
    case(r, "a_cpu_that_is_not_allowed_is_refused", a_cpu_that_is_not_allowed_is_refused(b)).await;
}

impl Bench {
    /// A launch of /bin/sh with `script` and a log of its own.
    fn sh(&self, script: &str) -> LaunchSpec {
        static LOGS: AtomicUsize = AtomicUsize::new(0);
        let path = self.dir.join(format!("sh-{}.log", LOGS.fetch_add(1, Ordering::Relaxed)));
        LaunchSpec {
            host: "127.0.0.1".into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            log: Some(LogSpec { path: text(&path), max_bytes: 1 << 30, keep: 1 }),
            cpus: None,
        }
    }

    /// Launches it; it is killed at the end of the case at the latest.
    async fn launch(&self, spec: LaunchSpec) -> Child {
        let log = spec.log.as_ref().map_or_else(String::new, |log| log.path.clone());
        let process = ok("launch", self.supervisor.launch(spec).await);
        Child { process, log }
    }

    /// Runs a script to its end and returns what it wrote.
    async fn output(&self, spec: LaunchSpec) -> String {
        let child = self.launch(spec).await;
        let exit = ok("wait", self.supervisor.wait(&child).await);
        let output = child.output();
        assert_eq!(exit, crate::Exit::Code(0), "the end of a script that wrote: {output}");
        output
    }

    /// The first whole line that a child writes.
    async fn first_line(&self, child: &Child) -> String {
        let line = || Some(child.output().split_once('\n')?.0.to_string());
        super::tools::eventually(&*self.runtime, "the first line of a script", line).await
    }

    /// Waits until a process is gone, or only its zombie is left.
    async fn gone(&self, process: &ProcessRef) {
        let gone = || (!alive(process)).then_some(());
        super::tools::eventually(&*self.runtime, &format!("the end of {process}"), gone).await;
    }
}

/// A process that does not outlive its case.
#[derive(Debug)]
struct Child {
    process: ProcessRef,
    log: String,
}

impl Child {
    fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Deref for Child {
    type Target = ProcessRef;

    fn deref(&self) -> &ProcessRef {
        &self.process
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if alive(&self.process) {
            let _ = rustix::process::kill_process_group(proc::pid(self.pid), rustix::process::Signal::KILL);
            let _ = rustix::process::kill_process(proc::pid(self.pid), rustix::process::Signal::KILL);
        }
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a directory with a name in UTF-8").into()
}

fn ok<T>(what: &str, result: crate::Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{what}: {e}"))
}

fn assert_not_found(what: &str, result: crate::Result<impl Debug>) {
    assert!(
        matches!(&result, Err(e) if e.kind() == crate::ErrorKind::NotFound),
        "{what}: expected an error of kind NotFound, got {result:?}"
    );
}
