//! The agent by itself, over a socket, with a clock of the test's.

use super::super::agent::{Orders, serve};
use super::super::connection::{Connection, Failed};
use super::super::wire::{AgentTime, Answer, Order};
use super::{PATIENCE, World, agent_command, local, run};
use crate::parts;
use crate::time::timeout;
use alloc::boxed::Box;
use alloc::sync::Arc;
use std::os::unix::net::UnixStream;
use std::process::Command;
use tangelo_core::process::{Exit, Signal};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, LaunchSpec, Supervisor as _};

/// What the agent's clock shows in these tests, always.
const NOW: AgentTime = AgentTime(1_000_000_000);

async fn connected(runtime: &Arc<dyn Runtime>) -> Connection {
    let (here, there) = UnixStream::pair().unwrap();
    let orders = Orders::new(runtime, local(runtime), parts::built_in_affinity()).by(|| NOW);
    runtime.spawn(Box::pin(async move { serve(orders, there.try_clone().unwrap(), there).await.unwrap() }));
    let connection = Connection::open(here.try_clone().unwrap(), here).unwrap();
    assert!(connection.greeted().await);
    connection
}

#[test]
fn an_order_that_comes_too_late_is_refused_and_nothing_is_done() {
    run(|runtime| {
        Box::pin(async move {
            let world = World::new(&runtime, || Command::new("false"));
            let connection = connected(&runtime).await;
            let in_time = Some(AgentTime(NOW.0 + 1));
            let spec = world.sh("echo started; exec sleep 1000");
            let launch = Order::Launch(spec.clone());
            let Ok(Answer::Process(process)) = connection.ask(launch.clone(), in_time).await else {
                panic!("not launched");
            };
            let log = spec.log.unwrap().path;
            let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
            world.eventually("it has started", || lines() == 1).await;
            for late in [NOW, AgentTime(NOW.0 - 1), AgentTime(0)] {
                for order in [launch.clone(), Order::Signal(process.clone(), Signal::Kill)] {
                    match connection.ask(order, Some(late)).await {
                        Err(Failed::Refused(error)) => assert_eq!(error.kind(), ErrorKind::Fenced, "{error}"),
                        other => panic!("{other:?}"),
                    }
                }
            }
            // It may look as long as it likes.
            assert!(matches!(connection.ask(Order::Adopt(process.clone()), None).await, Ok(Answer::Done)));
            let kill = Order::Signal(process.clone(), Signal::Kill);
            assert!(matches!(connection.ask(kill, in_time).await, Ok(Answer::Done)));
            let end = connection.ask(Order::Wait(process), None).await;
            assert!(matches!(end, Ok(Answer::Exit(Exit::Signal(9)))), "{end:?}");
            assert_eq!(lines(), 1, "none of the late ones was launched");
        })
    });
}

#[test]
fn the_allowed_cpus_are_told_and_a_process_without_a_log_is_refused() {
    run(|runtime| {
        Box::pin(async move {
            let world = World::new(&runtime, || Command::new("false"));
            let connection = connected(&runtime).await;
            match (connection.ask(Order::Cpus, None).await, parts::built_in_affinity().allowed()) {
                (Ok(Answer::Cpus(cpus)), Ok(allowed)) => assert_eq!(cpus, allowed),
                (Err(Failed::Refused(told)), Err(error)) => assert_eq!(told.kind(), error.kind()),
                other => panic!("{other:?}"),
            }
            let silent = LaunchSpec { log: None, ..world.sh("true") };
            match connection.ask(Order::Launch(silent), Some(AgentTime(NOW.0 + 1))).await {
                Err(Failed::Refused(error)) => assert_eq!(error.kind(), ErrorKind::Invalid),
                other => panic!("it would write into the protocol: {other:?}"),
            }
        })
    });
}

#[test]
fn an_agent_ends_with_its_stdin_and_its_process_lives_on() {
    run(|runtime| {
        Box::pin(async move {
            let dir = tempfile::tempdir().unwrap();
            let at = dir.path().to_owned();
            let world = World::new(&runtime, move || agent_command(&at, "well"));
            let process = world.supervisor.launch(world.sh("exec sleep 1000")).await.unwrap();
            let parent = || parent(process.pid);
            let agent = parent();
            assert_ne!(agent, std::process::id(), "the agent has launched it");
            world.supervisor.close();
            timeout(&runtime, PATIENCE, world.supervisor.closed()).await.unwrap();
            world.eventually("the agent has gone", || parent() != agent).await;
            assert!(tangelo_core::local::alive(&process));
            let local = local(&runtime);
            local.signal(&process, Signal::Kill).await.unwrap();
            local.wait(&process).await.unwrap();
        })
    });
}

/// The process that has started this one, or has taken it over.
pub(super) fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
