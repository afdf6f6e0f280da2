//! Which CPUs a process runs on.

use super::proc::{status_line, thread_masks};
use super::{Bench, ok};
use crate::cpu::MAX_CPU;
use crate::{CpuSet, Error, ErrorKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use std::thread;

/// The CPUs that this process may use.
fn allowed() -> CpuSet {
    mask(&std::fs::read_to_string("/proc/self/status").expect("read /proc"))
}

/// The mask that a proc_pid_status(5) shows.
fn mask(status: &str) -> CpuSet {
    ok("Cpus_allowed_list", status_line(status, "Cpus_allowed_list").parse())
}

/// A bound process has its mask before it does anything, and so do its descendants; the next one, which is not
/// bound, is free. A supervisor that cannot bind must say so.
pub async fn the_mask_is_there_at_the_first_instruction(bench: &Bench) {
    let all = allowed();
    let mut sets: Vec<CpuSet> = all.iter().take(3).map(CpuSet::one).collect();
    sets.push(all.clone());
    for cpus in sets {
        let mut spec = bench.sh("cat /proc/$$/status; cat /proc/self/status");
        spec.cpus = Some(cpus.clone());
        match bench.supervisor.launch(spec.clone()).await {
            Err(e) if e.kind() == ErrorKind::Unsupported => return,
            Err(e) => panic!("launch on the CPUs {cpus}: {e}"),
            Ok(process) => drop(ok("wait", bench.supervisor.wait(&process).await)),
        }
        let log = spec.log.map(|log| log.path).unwrap_or_default();
        let output = std::fs::read_to_string(log).expect("the log");
        let masks: Vec<_> =
            output.lines().filter_map(|line| line.strip_prefix("Cpus_allowed_list:")).collect();
        assert_eq!(masks.len(), 2, "{output}");
        assert!(
            masks.iter().all(|mask| mask.parse().is_ok_and(|mask: CpuSet| mask == cpus)),
            "on the CPUs {cpus} the masks are {masks:?}"
        );

        let free = bench.output(bench.sh("exec cat /proc/self/status")).await;
        assert_eq!(mask(&free), all, "one that is not bound");
    }
}

/// A CPU that is not allowed is an error, and nothing runs.
pub async fn a_cpu_that_is_not_allowed_is_refused(bench: &Bench) {
    let all = allowed();
    let absent = (0..=MAX_CPU).find(|&cpu| !all.contains(cpu)).expect("a CPU that is not allowed");
    for cpus in
        [CpuSet::one(absent), all.iter().chain([absent]).collect(), CpuSet::one(MAX_CPU), CpuSet::default()]
    {
        let mut spec = bench.sh("echo it must not run");
        spec.cpus = Some(cpus.clone());
        let log = spec.log.clone().map(|log| log.path).unwrap_or_default();
        let outcome = bench.supervisor.launch(spec).await;
        let kind = outcome.as_ref().map_err(Error::kind).err();
        assert!(
            matches!(kind, Some(ErrorKind::Invalid | ErrorKind::Unsupported)),
            "launch on the CPUs `{cpus}`: expected an error of kind Invalid, got {outcome:?}"
        );
        let free = bench.output(bench.sh("exec cat /proc/self/status")).await;
        assert_eq!(mask(&free), all, "the next one, which is not bound");
        assert_eq!(std::fs::read_to_string(log).unwrap_or_default(), "", "output of what was not started");
    }
}

/// Not in [`test_all`](super::test_all), since it needs a program with threads: `program` with `args` comes to
/// [`wait_with_threads`]. Each of its threads has the mask (of a server that Pomelo had bound, 1 of 11 had it).
pub async fn every_thread_has_the_mask(bench: &Bench, program: &str, args: &[&str]) {
    let one: CpuSet = allowed().iter().take(1).collect();
    let mut spec = bench.sh("");
    spec.program = program.into();
    spec.args = args.iter().copied().map(String::from).collect();
    spec.env = [(WITH_THREADS.into(), "yes".into())].into();
    spec.cpus = Some(one.clone());
    let child = bench.launch(spec).await;
    let masks = || Some(thread_masks(child.pid)).filter(|masks| masks.len() > THREADS);
    let masks = super::super::tools::eventually(&*bench.runtime, "a child with threads", masks).await;
    assert!(
        masks.iter().all(|mask| *mask == one.to_string()),
        "on the CPUs {one} the threads have {masks:?}"
    );
}

const WITH_THREADS: &str = "TANGELO_CONFORMANCE_WITH_THREADS";
const THREADS: usize = 8;

/// In the child of [`every_thread_has_the_mask`]: makes threads, waits to be killed, and returns
/// true. Elsewhere it returns false at once, so that a test can be its own child.
pub fn wait_with_threads() -> bool {
    if std::env::var_os(WITH_THREADS).is_none() {
        return false;
    }
    let threads: Vec<_> =
        (0..THREADS).map(|_| thread::spawn(|| thread::park_timeout(Duration::from_secs(60)))).collect();
    for thread in threads {
        let _ = thread.join();
    }
    true
}
