//! What a master does for its guard, and against one that is no good.

use super::processes::{Master, SOON, limit};
use super::world::World;
use crate::GuardCommand;
use crate::guard::Guard;
use crate::guard::pace::Pace;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::runtime::Runtime;
use tangelo_runtime_smol::SmolRuntime;
use tangelo_services::clock;
use tangelo_services::zookeeper::Options;
use tempfile::TempDir;

#[test]
fn a_guard_that_is_killed_has_a_successor_that_knows_what_is_held() {
    let world = World::new(Options::default());
    for runtime in ["tokio", "smol"] {
        let mut master = Master::start(&world.spec(runtime));
        let (guard, lock) = master.lead();
        guard.signal(Signal::KILL);
        let next = master.guard();
        assert_ne!(next.pid, guard.pid);
        let watch = world.watch(&lock);
        let killed = clock::now();
        master.kill();
        assert!(watch.gone(killed) < SOON);
    }
}

#[test]
fn a_guard_that_does_not_answer_is_replaced() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.ask_ms = 1000;
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    guard.freeze();
    let next = master.guard();
    assert!(guard.ends_within(limit()), "the frozen guard stays behind");
    let watch = world.watch(&lock);
    let killed = clock::now();
    master.kill();
    assert!(watch.gone(killed) < SOON);
    assert!(next.ends_within(limit()));
}

#[test]
fn a_master_that_was_frozen_keeps_its_guard() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.ask_ms = 300;
    let mut master = Master::start(&spec);
    let guard = master.guard();
    master.freeze();
    // Several times the patience that it has with its guard.
    clock::let_pass(Duration::from_secs(2));
    master.signal(Signal::CONT);
    assert!(!guard.ends_within(Duration::from_secs(2)), "it is replaced for its master's slowness");
}

#[test]
fn a_guard_that_guards_nothing_leaves_when_it_is_let_go() {
    let world = World::new(Options::default());
    let mut master = Master::start(&world.spec("tokio"));
    let guard = master.guard();
    let let_go = clock::now();
    master.tell("let-go");
    assert!(guard.ends_within(limit()));
    assert!(clock::now().saturating_sub(let_go) < Pace::default().farewell, "it had to be killed");
    assert_eq!(world.report(), "Ok");
}

#[test]
fn a_frozen_guard_that_is_let_go_is_killed() {
    let world = World::new(Options::default());
    let mut master = Master::start(&world.spec("smol"));
    let guard = master.guard();
    guard.freeze();
    master.tell("let-go");
    assert!(guard.ends_within(limit()));
    // Reaped, too.
    let deadline = clock::now() + limit();
    let gone = || match std::fs::exists(format!("/proc/{}", guard.pid)) {
        Ok(false) => Ok(()),
        _ => Err(std::io::Error::other("a zombie").into()),
    };
    clock::poll_until(deadline, Duration::from_millis(5), gone).unwrap();
}

/// Guards that are shell scripts, of a master that is this very process.
struct Scripts {
    runtime: Arc<dyn Runtime>,
    dir: TempDir,
}

impl Scripts {
    fn new() -> Self {
        Self { runtime: Arc::new(SmolRuntime::new().unwrap()), dir: TempDir::new().unwrap() }
    }

    fn pids(&self) -> PathBuf {
        self.dir.path().join("pids")
    }

    /// Each guard writes its pid to a file, and then does what `script` says.
    fn guard(&self, script: &str, pace: Pace) -> Guard {
        let script = format!("echo $$ >> {}; {script}", self.pids().display());
        let command = GuardCommand { program: "/bin/sh".into(), args: ["-c".into(), script].into() };
        self.start(command, pace)
    }

    fn start(&self, command: GuardCommand, pace: Pace) -> Guard {
        let mut guard = None;
        self.runtime.block_on(Box::pin(async {
            let runtime = Arc::clone(&self.runtime);
            guard = Some(Guard::with_pace(runtime, command, &ZooKeeperConfig::default(), pace));
        }));
        guard.unwrap()
    }

    /// The pids of all guards so far, as soon as there are as many.
    fn started(&self, many: usize) -> Vec<String> {
        let file = self.pids();
        let read = || {
            let text = std::fs::read_to_string(&file)?;
            let pids: Vec<_> = text.lines().map(String::from).collect();
            if pids.len() >= many { Ok(pids) } else { Err(std::io::Error::other("too few").into()) }
        };
        clock::poll_until(clock::now() + limit(), Duration::from_millis(5), read).unwrap()
    }

    fn all_gone(&self) {
        let file = self.pids();
        let gone = || match std::fs::read_to_string(&file)?
            .lines()
            .find(|pid| Path::new("/proc").join(pid).exists())
        {
            None => Ok(()),
            Some(pid) => Err(std::io::Error::other(format!("{pid} is there")).into()),
        };
        clock::poll_until(clock::now() + limit(), Duration::from_millis(5), gone).unwrap();
    }
}

fn quick() -> Pace {
    let ms = Duration::from_millis;
    Pace { answer: ms(100), again: ms(20), shortest: ms(5), longest: ms(20), ..Pace::default() }
}

#[test]
fn guards_that_are_no_good_are_replaced_and_none_stays_behind() {
    // One that never answers, one that answers nonsense, one that closes its stdin, one that just ends.
    for script in ["exec sleep 1000", "echo '{}' >&0; exec sleep 1000", "exec <&-; exec sleep 1000", "exit 3"]
    {
        let scripts = Scripts::new();
        let guard = scripts.guard(script, quick());
        scripts.started(4);
        drop(guard);
        scripts.all_gone();
    }
}

#[test]
fn holding_waits_for_nobody() {
    let scripts = Scripts::new();
    // Nobody reads, and nobody finds out from answers that do not come.
    let pace = Pace { answer: limit() * 2, ..quick() };
    let guard = scripts.guard("exec sleep 1000", pace);
    scripts.started(1);
    let began = clock::now();
    for session in 0..20_000 {
        guard.hold("/pomelo/master/lock/master-0000000001", session);
    }
    assert!(clock::now().saturating_sub(began) < Duration::from_secs(10));
    scripts.started(2);
    drop(guard);
}

#[test]
fn a_program_that_is_not_there_is_tried_again() {
    let scripts = Scripts::new();
    let program = scripts.dir.path().join("guard");
    let command = GuardCommand { program: program.to_string_lossy().into_owned(), args: Vec::new() };
    let guard = scripts.start(command, quick());
    guard.hold("/pomelo/master/lock/master-0000000001", 1);
    // Moved into place as a whole, so that nobody runs half a script.
    let draft = scripts.dir.path().join("draft");
    std::fs::write(&draft, format!("#!/bin/sh\necho $$ >> {}\n", scripts.pids().display())).unwrap();
    std::fs::set_permissions(&draft, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(&draft, &program).unwrap();
    scripts.started(1);
    drop(guard);
    scripts.all_gone();
}
