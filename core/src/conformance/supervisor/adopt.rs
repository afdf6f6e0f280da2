//! Processes that somebody else has started.

use super::super::tools::{eventually, within};
use super::proc::{kill, process};
use super::{Bench, Child, assert_not_found, ok};
use crate::local::alive;
use crate::process::{Exit, Signal};
use crate::{ProcessRef, Result};
use alloc::string::String;
use core::time::Duration;
use rustix::process::Signal as Raw;
use std::process::{Command, Stdio};

/// A process that a shell of ours has started and left behind: not our child, but a session's leader.
fn foreign(script: &str) -> Child {
    let output = Command::new("/bin/sh")
        .args(["-c", "setsid /bin/sh -c \"$1\" >/dev/null 2>&1 </dev/null & echo $!", "sh", script])
        .stderr(Stdio::inherit())
        .output()
        .expect("run a shell");
    let id = String::from_utf8(output.stdout).expect("a pid");
    Child { process: process(&id), log: String::new() }
}

/// Its end is seen, though not how it ended; adopting it twice is adopting it once.
pub async fn a_foreign_process_is_adopted(bench: &Bench) {
    let child = foreign("exec sleep 1000");
    ok("adopt", bench.supervisor.adopt(&child).await);
    ok("adopt again", bench.supervisor.adopt(&child).await);
    let early = within(&*bench.runtime, Duration::from_millis(50), bench.supervisor.wait(&child)).await;
    assert!(early.is_none(), "a wait for a running process ended with {early:?}");
    kill(&child, Raw::KILL);
    assert_eq!(ok("wait", bench.supervisor.wait(&child).await), Exit::Unknown);
    assert_eq!(ok("wait again", bench.supervisor.wait(&child).await), Exit::Unknown);

    // A wait, and a signal, need no adoption.
    let child = foreign("exec sleep 1000");
    ok("signal", bench.supervisor.signal(&child, Signal::Terminate).await);
    assert_eq!(ok("wait", bench.supervisor.wait(&child).await), Exit::Unknown);
    assert!(!alive(&child), "it runs after its end was told");
}

/// A kill takes the group along, whether the process was adopted before or not.
pub async fn a_killed_foreign_process_takes_its_group_along(bench: &Bench) {
    for adopted in [true, false] {
        let pids = bench.dir.join(std::format!("descendant-{adopted}"));
        let child = foreign(&std::format!("sleep 1000 & echo $! > '{}'; wait", pids.display()));
        let line = || std::fs::read_to_string(&pids).ok().filter(|line| line.ends_with('\n'));
        let descendant = process(&eventually(&*bench.runtime, "the descendant's pid", line).await);
        if adopted {
            ok("adopt", bench.supervisor.adopt(&child).await);
        }
        ok("kill", bench.supervisor.signal(&child, Signal::Kill).await);
        bench.gone(&descendant).await;
        assert_eq!(ok("wait", bench.supervisor.wait(&child).await), Exit::Unknown);
    }
}

/// One that is gone, or never was, is not found, and whoever waits for it is told at once.
pub async fn a_process_that_is_gone_is_not_found(bench: &Bench) {
    let child = foreign("exec sleep 1000");
    kill(&child, Raw::KILL);
    bench.gone(&child).await;
    assert_unknown(bench, &child).await;
    for pid in [0, i32::MAX.unsigned_abs(), u32::MAX] {
        let never = ProcessRef { host: "127.0.0.1".into(), pid, start_time: 0 };
        assert_unknown(bench, &never).await;
    }
}

async fn assert_unknown(bench: &Bench, process: &ProcessRef) {
    assert_not_found("adopt", bench.supervisor.adopt(process).await);
    for signal in [Signal::Terminate, Signal::Kill] {
        assert_not_found("signal", bench.supervisor.signal(process, signal).await);
    }
    let told: Option<Result<Exit>> =
        within(&*bench.runtime, Duration::from_secs(10), bench.supervisor.wait(process)).await;
    assert_eq!(ok("wait", told.expect("a wait for a process that is gone ends")), Exit::Unknown);
}

/// A process with the right pid and another start time is another process: it is left alone.
pub async fn a_reused_pid_is_another_process(bench: &Bench) {
    for child in [foreign("exec sleep 1000"), bench.launch(bench.sh("exec sleep 1000")).await] {
        for start_time in [child.start_time - 1, child.start_time + 1, 0] {
            assert_unknown(bench, &ProcessRef { start_time, ..child.process.clone() }).await;
        }
        assert!(alive(&child), "another process was hit");
    }
}

/// One that has ended and only waits for its parent to take notice is gone.
pub async fn a_zombie_is_gone(bench: &Bench) {
    let mut ours = Command::new("/bin/sh").args(["-c", "exec sleep 1000"]).spawn().expect("run a shell");
    let child = Child { process: process(&std::format!("{}", ours.id())), log: String::new() };
    kill(&child, Raw::KILL);
    bench.gone(&child).await;
    assert_unknown(bench, &child).await;
    let status = ours.wait().expect("it is ours to reap, and nobody has");
    assert!(!status.success());
}
