//! The conformance suite of the core, and what only Linux can show.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "tests")]

use tangelo_affinity::LinuxAffinity;
use tangelo_core::{Affinity, ErrorKind, conformance};

#[test]
fn affinity_conforms() {
    conformance::affinity::test_all(&LinuxAffinity::new());
}

#[test]
fn another_process_is_read_by_its_pid() {
    let affinity = LinuxAffinity::new();
    let one = affinity.allowed().unwrap().iter().take(1).collect();
    // A thread of its own, since the mask stays with the thread.
    let mut child = std::thread::spawn(move || {
        affinity.pin_current(&one).unwrap();
        let child = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        (child, one)
    })
    .join()
    .unwrap();
    assert_eq!(affinity.of(child.0.id()).unwrap(), child.1);
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    assert_eq!(affinity.of(child.0.id()).unwrap_err().kind(), ErrorKind::NotFound);
}
