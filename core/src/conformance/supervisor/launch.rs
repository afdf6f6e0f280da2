//! How a process starts.

use super::proc::{stat_field, status_line};
use super::{Bench, ok, text};
use crate::process::{Exit, LogSpec};
use crate::{Error, ErrorKind};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use std::fs;

/// Arguments and variables come as they are, and the supervisor's own variables are there too.
pub async fn a_program_gets_its_arguments(bench: &Bench) {
    let mut spec = bench.sh(r#"printf '%s\n' "$1" "$2" "$3" "$ONE" "$TWO" "${PATH:+path}""#);
    let args = ["sh", "a b", "", "*'\"$HOME\\"];
    spec.args.extend(args.map(String::from));
    spec.env = [("ONE", "1 =1"), ("TWO", "first"), ("TWO", "last")].map(|(n, v)| (n.into(), v.into())).into();
    assert_eq!(bench.output(spec).await, "a b\n\n*'\"$HOME\\\n1 =1\nlast\npath\n");
}

/// It leads a session and a process group, so a Ctrl-C on the supervisor's terminal does not reach it.
pub async fn a_process_leads_its_own_session(bench: &Bench) {
    let child = bench.launch(bench.sh("echo $$; sleep 1000")).await;
    let id = format!("{}", child.pid);
    assert_eq!(bench.first_line(&child).await, id, "the pid of the process");
    assert_eq!(stat_field(child.pid, 5), id, "its process group");
    assert_eq!(stat_field(child.pid, 6), id, "its session");
    let ticks = child.start_time & ((1 << 40) - 1);
    assert_eq!(stat_field(child.pid, 22), format!("{ticks}"), "its start time");
}

/// No signal is blocked or ignored, whatever the supervisor blocks or ignores (Rust ignores SIGPIPE).
pub async fn signals_are_as_at_a_login(bench: &Bench) {
    let status = bench.output(bench.sh("exec grep Sig /proc/self/status")).await;
    // 32 and 33 belong to glibc, whose posix_spawn ignores them in the child until its libc takes them.
    const OF_LIBC: u64 = 0b11 << 31;
    for line in ["SigBlk", "SigIgn"] {
        let signals = u64::from_str_radix(status_line(&status, line), 16).expect("a mask of signals");
        assert_eq!(signals & !OF_LIBC, 0, "{line}: {signals:x}");
    }
}

/// stdin is at its end from the beginning, and the supervisor's sockets stay its own: a port that a child
/// holds could not be bound by the next master.
pub async fn stdin_is_empty_and_no_socket_leaks(bench: &Bench) {
    let listener = bench.runtime.listen("127.0.0.1", 0).await.expect("listen");
    let port = listener.local_addr().expect("local_addr").port();
    let child = bench.launch(bench.sh("read line; echo \"$?:$line\"; exec sleep 1000")).await;
    assert_eq!(bench.first_line(&child).await, "1:", "the status and value of a read at the end of a file");
    let stdin = fs::read_link(format!("/proc/{}/fd/0", child.pid)).expect("the child's stdin");
    assert_eq!(stdin.to_str(), Some("/dev/null"), "what it reads, and may read again and again");

    // proc_net_tcp: local address in field 2, inode in field 10.
    let sockets = fs::read_to_string("/proc/self/net/tcp").expect("read /proc");
    let local = format!("0100007F:{port:04X}");
    let inode = sockets
        .lines()
        .map(|line| line.split_ascii_whitespace())
        .find_map(|mut fields| (fields.nth(1)? == local).then(|| fields.nth(7)).flatten())
        .expect("the listener's socket");
    let socket = format!("socket:[{inode}]");
    for descriptor in fs::read_dir(format!("/proc/{}/fd", child.pid)).expect("the child's descriptors") {
        let Ok(file) = fs::read_link(descriptor.expect("a descriptor").path()) else { continue };
        assert_ne!(file.to_str(), Some(&*socket), "the child has inherited the supervisor's listener");
    }
}

/// A program or log that cannot be opened is an error, and so is an argument that no program can be given.
pub async fn what_cannot_start_is_an_error(bench: &Bench) {
    let mut missing = bench.sh("");
    missing.program = text(&bench.dir.join("no such program"));
    assert_error(bench, missing, &[ErrorKind::NotFound]).await;

    let plain = bench.dir.join("no program");
    fs::write(&plain, "text").expect("write a file");
    let mut not_executable = bench.sh("");
    not_executable.program = text(&plain);
    assert_error(bench, not_executable, &[ErrorKind::Denied, ErrorKind::Io]).await;

    let mut log_in_a_file = bench.sh("echo it must not run");
    let path = text(&plain.join("x.log"));
    log_in_a_file.log = Some(LogSpec { path, max_bytes: 100, keep: 1 });
    assert_error(bench, log_in_a_file, &[ErrorKind::NotFound, ErrorKind::Io, ErrorKind::AlreadyExists]).await;

    let mut nul = bench.sh("");
    nul.args.push("\0".into());
    assert_error(bench, nul, &[ErrorKind::Invalid]).await;

    // And none of it has done harm.
    assert_eq!(bench.output(bench.sh("echo fine")).await, "fine\n");
}

async fn assert_error(bench: &Bench, spec: crate::LaunchSpec, kinds: &[ErrorKind]) {
    let program = spec.program.clone();
    let kind = bench.supervisor.launch(spec).await.as_ref().map_err(Error::kind).map(|_| ()).err();
    assert!(kind.is_some_and(|kind| kinds.contains(&kind)), "{program}: expected {kinds:?}, got {kind:?}");
}

/// A hundred launches at once give a hundred processes, each with its own end.
pub async fn a_hundred_at_once(bench: &Bench) {
    let (done, dones) = async_channel::unbounded();
    for n in 0..100 {
        let (bench, done) = (bench.clone(), done.clone());
        bench.runtime.clone().spawn(Box::pin(async move {
            let child = bench.launch(bench.sh(&format!("exit {n}"))).await;
            let exit = bench.supervisor.wait(&child).await;
            let _ = done.send((n, child.process.clone(), exit)).await;
        }));
    }
    drop(done);
    let mut processes = BTreeSet::new();
    while let Ok((n, process, exit)) = dones.recv().await {
        assert_eq!(ok("wait", exit), Exit::Code(n));
        processes.insert(process);
    }
    assert_eq!(processes.len(), 100, "different processes that ended");
}

/// Not in [`test_all`](super::test_all): give it a bench whose supervisor nobody else holds. Its process runs on
/// when that supervisor is gone; a successor adopts it, sees its end, and kills its group.
pub async fn a_process_outlives_its_supervisor(
    bench: Bench,
    successor: alloc::sync::Arc<dyn crate::Supervisor>,
) {
    let child = bench.launch(bench.sh("while :; do echo on; sleep 0.01; done")).await;
    bench.first_line(&child).await;
    let Bench { runtime, supervisor, .. } = bench;
    drop(supervisor);
    let before = child.output().len();
    let goes_on = || (child.output().len() > before + 10).then_some(());
    super::super::tools::eventually(&*runtime, "output after the supervisor's end", goes_on).await;
    runtime.sleep(Duration::from_millis(20)).await;
    ok("adopt", successor.adopt(&child).await);
    ok("kill", successor.signal(&child, crate::process::Signal::Kill).await);
    ok("wait", successor.wait(&child).await);
    assert!(!crate::local::alive(&child), "it runs after its end was told");
}
