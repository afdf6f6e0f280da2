//! How a process ends, and who is told.

use super::super::tools::within;
use super::proc::{kill, process, stat_field};
use super::{Bench, assert_not_found, ok};
use crate::Instant;
use crate::local::alive;
use crate::process::{Exit, Signal};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use rustix::process::Signal as Raw;

const A_WHILE: Duration = Duration::from_millis(100);

/// Codes and signals come as they were.
pub async fn ends_are_told_as_they_were(bench: &Bench) {
    for (script, expected) in [
        ("exit 0", Exit::Code(0)),
        ("exit 7", Exit::Code(7)),
        ("exit 255", Exit::Code(255)),
        ("kill -9 $$", Exit::Signal(9)),
        ("kill -TERM $$", Exit::Signal(15)),
    ] {
        let child = bench.launch(bench.sh(script)).await;
        assert_eq!(ok("wait", bench.supervisor.wait(&child).await), expected, "{script}");
        assert!(!alive(&child), "{script}: it runs after its end was told");
    }
}

/// Many may wait, before and after the end and more than once; a wait that is dropped takes nothing from the others.
pub async fn everybody_who_waits_is_told(bench: &Bench) {
    let child = bench.launch(bench.sh("exec sleep 1000")).await;
    let early = within(&*bench.runtime, A_WHILE, bench.supervisor.wait(&child)).await;
    assert!(early.is_none(), "a wait for a running process ended with {early:?}");
    let (done, dones) = async_channel::unbounded();
    for _ in 0..10 {
        let (bench, process, done) = (bench.clone(), child.process.clone(), done.clone());
        bench.runtime.clone().spawn(Box::pin(async move {
            let _ = done.send(bench.supervisor.wait(&process).await).await;
        }));
    }
    drop(done);
    kill(&child, Raw::KILL);
    let mut told = 0;
    while let Ok(exit) = dones.recv().await {
        assert_eq!(ok("wait", exit), Exit::Signal(9));
        told += 1;
    }
    assert_eq!(told, 10, "waits that ended");
    for _ in 0..2 {
        assert_eq!(ok("wait after the end", bench.supervisor.wait(&child).await), Exit::Signal(9));
    }
}

/// SIGTERM reaches the process, which may take its time.
pub async fn terminate_reaches_the_process(bench: &Bench) {
    let child = bench
        .launch(bench.sh("trap 'sleep 0.05; exit 3' TERM; echo ready; while :; do sleep 0.01; done"))
        .await;
    bench.first_line(&child).await;
    ok("signal", bench.supervisor.signal(&child, Signal::Terminate).await);
    assert_eq!(ok("wait", bench.supervisor.wait(&child).await), Exit::Code(3));
    for signal in [Signal::Terminate, Signal::Kill] {
        assert_not_found("a signal after the end", bench.supervisor.signal(&child, signal).await);
    }
    assert_not_found("adopt after the end", bench.supervisor.adopt(&child).await);
}

/// A process that is stopped (SIGSTOP) still runs; SIGTERM does not wake it, SIGKILL ends it.
pub async fn a_stopped_process_is_not_woken_and_can_be_killed(bench: &Bench) {
    let child = bench.launch(bench.sh("echo ready; exec sleep 1000")).await;
    bench.first_line(&child).await;
    kill(&child, Raw::STOP);
    let stopped = || (stat_field(child.pid, 3) == "T").then_some(());
    super::super::tools::eventually(&*bench.runtime, "a stopped process", stopped).await;
    ok("terminate", bench.supervisor.signal(&child, Signal::Terminate).await);
    let early = within(&*bench.runtime, A_WHILE, bench.supervisor.wait(&child)).await;
    assert!(early.is_none(), "a stopped process ended with {early:?}");
    assert_eq!(stat_field(child.pid, 3), "T", "its state");
    ok("kill", bench.supervisor.signal(&child, Signal::Kill).await);
    assert_eq!(ok("wait", bench.supervisor.wait(&child).await), Exit::Signal(9));
}

/// A kill reaches descendants too, those that are stopped and those whose parent is gone among them.
pub async fn a_kill_leaves_nothing_of_the_group(bench: &Bench) {
    let script =
        "sleep 1000 & a=$!; (sleep 1000 & echo $! >&3) 3>&1 | { read b; kill -STOP $a; echo $a $b; }; wait";
    let child = bench.launch(bench.sh(script)).await;
    let line = bench.first_line(&child).await;
    let descendants: Vec<_> = line.split(' ').map(process).collect();
    assert_eq!(descendants.len(), 2, "{line}");
    ok("kill", bench.supervisor.signal(&child, Signal::Kill).await);
    assert_eq!(ok("wait", bench.supervisor.wait(&child).await), Exit::Signal(9));
    for descendant in &descendants {
        bench.gone(descendant).await;
    }
}

/// When a leader is gone, by itself or by somebody else's hand, its group goes too.
pub async fn nothing_of_the_group_outlives_its_leader(bench: &Bench) {
    for (script, exit) in [
        ("sleep 1000 & echo $!; exit 4", Exit::Code(4)),
        ("sleep 1000 & echo $!; kill -9 $$", Exit::Signal(9)),
    ] {
        let child = bench.launch(bench.sh(script)).await;
        assert_eq!(ok("wait", bench.supervisor.wait(&child).await), exit, "{script}");
        let id = bench.first_line(&child).await;
        let there = || {
            std::fs::read_to_string(std::format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
        };
        let gone = || (!there()).then_some(());
        super::super::tools::eventually(&*bench.runtime, "the end of a descendant", gone).await;
    }
}

/// From kill -9 to the answer of a wait, and a whole launch: milliseconds. Far more is a poll or a timer.
pub async fn ends_are_seen_soon(bench: &Bench) {
    // A machine is busy now and then; a poll would show in every round.
    let mut slow = String::new();
    for _ in 0..10 {
        match ends_seen_soon(bench).await {
            Ok(()) => return,
            Err(what) => slow = what,
        }
    }
    panic!("{slow}");
}

async fn ends_seen_soon(bench: &Bench) -> Result<(), String> {
    let mut launches = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..21 {
        let start = Instant::now();
        let child = bench.launch(bench.sh("exec sleep 1000")).await;
        launches.push(Instant::now().saturating_since(start));
        let start = Instant::now();
        kill(&child, Raw::KILL);
        ok("wait", bench.supervisor.wait(&child).await);
        ends.push(Instant::now().saturating_since(start));
    }
    launches.sort_unstable();
    ends.sort_unstable();
    if launches[5] >= Duration::from_millis(50) {
        return Err(format!("a launch takes {:?}", launches[5]));
    }
    if ends[5] >= Duration::from_millis(10) {
        return Err(format!("an end is seen after {:?}", ends[5]));
    }
    Ok(())
}
