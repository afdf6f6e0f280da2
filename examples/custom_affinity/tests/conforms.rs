//! The suite that every affinity passes. One test, since it is about all threads of this process.

use custom_affinity::KeepFree;
use tangelo::core::{Affinity, CpuSet, ErrorKind};
use tangelo_core::conformance::affinity::test_all;

#[test]
fn conforms_with_all_cpus_and_with_one_kept_free() {
    let nothing = KeepFree::but(&CpuSet::default()).unwrap();
    test_all(&nothing);
    let all = nothing.allowed().unwrap();
    assert!(all.len() > 1, "this test needs two CPUs");
    let error = KeepFree::but(&all).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(nothing.of(std::process::id()).unwrap(), all, "nothing was done");

    // The last one: the suite asks for the CPU after those that are allowed.
    let free = CpuSet::one(all.iter().next_back().unwrap());
    let kept = KeepFree::but(&free).unwrap();
    assert_eq!(kept.allowed().unwrap(), all.difference(&free));
    assert_eq!(kept.of(std::process::id()).unwrap(), all.difference(&free), "this process keeps off it");
    test_all(&kept);
}
