//! The suite for an [`Affinity`].
//!
//! Each case pins threads of its own, so the caller's mask stays as it is.

use super::tools::Named;
use crate::cpu::MAX_CPU;
use crate::{Affinity, CpuSet, ErrorKind};
use alloc::string::{String, ToString};
use core::fmt::Debug;
use std::thread;

type Case = (&'static str, fn(&dyn Affinity));

/// Runs every case.
///
/// # Panics
/// If a case fails.
pub fn test_all(affinity: &dyn Affinity) {
    let cases: [Case; 7] = [
        ("allowed_names_cpus_and_stays", allowed_names_cpus_and_stays),
        ("a_thread_can_be_bound_to_each_cpu", a_thread_can_be_bound_to_each_cpu),
        ("a_thread_can_be_bound_to_all_cpus", a_thread_can_be_bound_to_all_cpus),
        ("later_threads_inherit_the_mask", later_threads_inherit_the_mask),
        ("no_cpu_is_refused", no_cpu_is_refused),
        ("a_cpu_that_is_not_allowed_is_refused", a_cpu_that_is_not_allowed_is_refused),
        ("the_mask_of_a_process_can_be_read", the_mask_of_a_process_can_be_read),
    ];
    for (name, case) in cases {
        let _named = Named(name);
        case(affinity);
    }
}

/// Runs `work` on a thread of its own.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn ok<T>(what: &str, result: crate::Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{what}: {e}"))
}

fn allowed(affinity: &dyn Affinity) -> CpuSet {
    ok("allowed()", affinity.allowed())
}

/// What the kernel says of the calling thread, where we know how to ask.
fn kernels_view() -> Option<CpuSet> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim().parse().ok()
}

fn assert_kernel_agrees(mask: &CpuSet) {
    if let Some(kernels) = kernels_view() {
        assert_eq!(*mask, kernels, "the mask that was returned, and the kernel's");
    }
}

/// There is a CPU that is allowed, and pinning does not change which are.
pub fn allowed_names_cpus_and_stays(affinity: &dyn Affinity) {
    let before = allowed(affinity);
    assert!(!before.is_empty(), "no CPU is allowed");
    let after = apart(|| {
        ok("pin", affinity.pin_current(&first(&before)));
        allowed(affinity)
    });
    assert_eq!(after, before, "a pinned thread sees the same CPUs as allowed");
}

fn first(cpus: &CpuSet) -> CpuSet {
    cpus.iter().take(1).collect()
}

/// Each allowed CPU can be pinned alone, and the mask that holds is returned.
pub fn a_thread_can_be_bound_to_each_cpu(affinity: &dyn Affinity) {
    apart(|| {
        for cpu in allowed(affinity).iter() {
            let one = CpuSet::one(cpu);
            let effective = ok("pin", affinity.pin_current(&one));
            assert_eq!(effective, one);
            assert_kernel_agrees(&effective);
        }
    });
}

/// All allowed CPUs can be pinned together, also after a narrower mask.
pub fn a_thread_can_be_bound_to_all_cpus(affinity: &dyn Affinity) {
    apart(|| {
        let all = allowed(affinity);
        ok("pin", affinity.pin_current(&first(&all)));
        let effective = ok("pin", affinity.pin_current(&all));
        assert_eq!(effective, all);
        assert_kernel_agrees(&effective);
    });
}

/// A thread that a pinned thread makes is pinned too; one that was there before is not.
pub fn later_threads_inherit_the_mask(affinity: &dyn Affinity) {
    let one = first(&allowed(affinity));
    let mine = kernels_view();
    let inherited = apart(|| {
        ok("pin", affinity.pin_current(&one));
        apart(kernels_view)
    });
    if let Some(inherited) = inherited {
        assert_eq!(inherited, one, "the mask of a thread made by a pinned one");
    }
    assert_eq!(kernels_view(), mine, "the thread that pinned nothing");
}

/// The empty set is an error.
pub fn no_cpu_is_refused(affinity: &dyn Affinity) {
    let before = kernels_view();
    apart(|| {
        refused(affinity.pin_current(&CpuSet::default()));
        assert_eq!(kernels_view(), before, "the mask after a refusal");
    });
}

/// A set with one CPU that is not allowed is an error that lists the allowed ones, and changes nothing, even if
/// the others are allowed (the kernel would leave it out without a word).
pub fn a_cpu_that_is_not_allowed_is_refused(affinity: &dyn Affinity) {
    let all = allowed(affinity);
    let last = all.iter().next_back().unwrap_or_default();
    for cpu in [last + 1, 1023, 1024, MAX_CPU, u32::MAX].into_iter().filter(|&cpu| !all.contains(cpu)) {
        let before = kernels_view();
        apart(|| {
            for cpus in [CpuSet::one(cpu), all.iter().chain([cpu]).collect()] {
                let message = refused(affinity.pin_current(&cpus));
                assert!(
                    message.contains(&all.to_string()),
                    "`{message}` does not list the allowed CPUs {all}"
                );
                assert_eq!(kernels_view(), before, "the mask after a refusal");
            }
        });
    }
}

fn refused(result: crate::Result<impl Debug>) -> String {
    match result {
        Err(e) if e.kind() == ErrorKind::Invalid => e.to_string(),
        other => panic!("expected an error of kind Invalid, got {other:?}"),
    }
}

/// The mask of this process can be read; that of no process is an error.
pub fn the_mask_of_a_process_can_be_read(affinity: &dyn Affinity) {
    let mine = ok("of(this process)", affinity.of(std::process::id()));
    assert!(!mine.is_empty());
    let unknown = mine.difference(&allowed(affinity));
    assert!(unknown.is_empty(), "this process runs on the CPUs {unknown}, which are not allowed");
    // Above any pid_max, and never a pid.
    for pid in [u32::MAX, i32::MAX.unsigned_abs(), 0] {
        match affinity.of(pid) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            other => panic!("of({pid}): expected an error of kind NotFound, got {other:?}"),
        }
    }
}
