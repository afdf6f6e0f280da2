//! Connections that break, hang and come back; masters that are deposed meanwhile.

use super::super::launch_detached;
use super::agents::parent;
use super::{PATIENCE, World, agent_command, local, reach, run};
use crate::time::timeout;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use rustix::process::{Pid, Signal as Raw, kill_process};
use std::process::Command;
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::local::alive;
use tangelo_core::process::{Exit, LaunchSpec, ProcessRef, Signal};
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant, Supervisor as _};

fn world(runtime: &Arc<dyn Runtime>) -> World {
    let dir = std::env::temp_dir();
    World::new(runtime, move || agent_command(&dir, "well"))
}

fn signal(pid: u32, signal: Raw) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Stops an agent, all of it.
async fn freeze(world: &World, agent: u32) {
    signal(agent, Raw::STOP);
    let stopped = || {
        let mut tasks = std::fs::read_dir(format!("/proc/{agent}/task")).unwrap().flatten();
        tasks.all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, fields)| fields.trim_start().starts_with('T'))
        })
    };
    world.eventually("all its threads have stopped", stopped).await;
}

/// Waits for the end in the background.
fn waiting(world: &World, process: &ProcessRef) -> async_channel::Receiver<tangelo_core::Result<Exit>> {
    let (supervisor, process) = (Arc::clone(&world.supervisor), process.clone());
    let (done, outcome) = async_channel::bounded(1);
    world.runtime.spawn(Box::pin(async move {
        let _ = done.send(supervisor.wait(&process).await).await;
    }));
    outcome
}

#[test]
fn a_killed_connection_costs_no_process_and_orders_work_again() {
    run(|runtime| {
        Box::pin(async move {
            let world = world(&runtime);
            let process = world.supervisor.launch(world.sh("exec sleep 1000")).await.unwrap();
            let end = waiting(&world, &process);
            for _ in 0..3 {
                let agent = parent(process.pid);
                world.supervisor.adopt(&process).await.unwrap();
                if agent != 1 {
                    signal(agent, Raw::KILL);
                    world.eventually("it has lost its agent", || parent(process.pid) != agent).await;
                }
                assert!(alive(&process) && end.is_empty());
            }
            // The wait has outlived the connections.
            let killed = world.supervisor.signal(&process, Signal::Kill);
            timeout(&runtime, PATIENCE, killed).await.unwrap().unwrap();
            let exit = timeout(&runtime, PATIENCE, end.recv()).await.unwrap().unwrap();
            assert_eq!(exit.unwrap(), Exit::Unknown);
        })
    });
}

#[test]
fn a_kill_that_hung_in_a_frozen_ssh_is_not_obeyed_after_the_reign() {
    run(|runtime| {
        Box::pin(async move {
            let world = world(&runtime);
            let process = world.supervisor.launch(world.sh("exec sleep 1000")).await.unwrap();
            let agent = parent(process.pid);
            freeze(&world, agent).await;
            // The order leaves in time, and gets stuck.
            let deadline = Instant::now() + Duration::from_secs(2);
            world.reign.set(LeadershipState::Leading, deadline);
            let (supervisor, victim) = (Arc::clone(&world.supervisor), process.clone());
            let (done, outcome) = async_channel::bounded(1);
            runtime.spawn(Box::pin(async move {
                let _ = done.send(supervisor.signal(&victim, Signal::Kill).await).await;
            }));
            let left = deadline.saturating_since(Instant::now()) + Duration::from_millis(50);
            runtime.sleep(left).await;
            world.reign.set(LeadershipState::Lost, deadline);
            assert!(outcome.is_empty(), "the agent is frozen");
            signal(agent, Raw::CONT);
            let refused = timeout(&runtime, PATIENCE, outcome.recv()).await.unwrap().unwrap();
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Fenced);
            assert!(alive(&process), "killed by a master that leads no longer");
            let local = local(&runtime);
            local.signal(&process, Signal::Kill).await.unwrap();
            local.wait(&process).await.unwrap();
        })
    });
}

#[test]
fn a_frozen_agent_is_noticed_and_another_one_asked() {
    run(|runtime| {
        Box::pin(async move {
            let world = world(&runtime);
            let process = world.supervisor.launch(world.sh("exec sleep 1000")).await.unwrap();
            let end = waiting(&world, &process);
            let agent = parent(process.pid);
            freeze(&world, agent).await;
            let frozen = Instant::now();
            timeout(&runtime, PATIENCE, world.supervisor.adopt(&process)).await.unwrap().unwrap();
            let took = Instant::now().saturating_since(frozen);
            assert!(
                (Duration::from_secs(8)..Duration::from_secs(20)).contains(&took),
                "noticed after {took:?}"
            );
            assert!(alive(&process) && end.is_empty());
            world.supervisor.signal(&process, Signal::Kill).await.unwrap();
            assert_eq!(end.recv().await.unwrap().unwrap(), Exit::Unknown);
        })
    });
}

#[test]
fn a_launch_whose_answer_was_lost_is_found_and_not_repeated() {
    run(|runtime| {
        Box::pin(async move {
            let turns = AtomicUsize::new(0);
            let dir = std::env::temp_dir();
            let world = World::new(&runtime, move || {
                let first = turns.fetch_add(1, Ordering::Relaxed) == 0;
                agent_command(&dir, if first { "dies-launching" } else { "well" })
            });
            let spec = world.sh("echo started; exec sleep 1000");
            let log = spec.log.clone().unwrap().path;
            let process = world.supervisor.launch(spec).await.unwrap();
            assert!(alive(&process));
            world
                .eventually("it has started", || std::fs::read_to_string(&log).is_ok_and(|t| !t.is_empty()))
                .await;
            assert_eq!(std::fs::read_to_string(&log).unwrap(), "started\n", "once");
            world.supervisor.signal(&process, Signal::Kill).await.unwrap();
            assert_eq!(world.supervisor.wait(&process).await.unwrap(), Exit::Unknown);
        })
    });
}

#[test]
fn what_is_wrong_with_ssh_is_told_in_one_line_with_the_cure() {
    run(|runtime| {
        Box::pin(async move {
            for (script, parts) in [
                (
                    "echo 'Warning: added.' >&2; echo 'ssh: connect to host far port 22: Connection refused' >&2; exit 255",
                    [
                        "cannot reach host far by ssh: ssh: connect to host far port 22: Connection refused",
                        "without a password",
                    ],
                ),
                (
                    "exec /no/such/program",
                    ["host far cannot run /srv/game/bin: ", "with \"program\" in \"ssh\""],
                ),
                (
                    "echo 'This account is closed.'; exit 1",
                    ["takes no orders by ssh: This account is closed;", "far true`"],
                ),
                (
                    "echo '{\"clock\":1,\"word\":{\"hello\":{\"tangelo_agent\":99}}}'",
                    ["version 99", "the same build"],
                ),
            ] {
                let world = World::new(&runtime, move || {
                    let mut command = Command::new("sh");
                    command.args(["-c", script]);
                    command
                });
                let launched =
                    timeout(&runtime, PATIENCE, world.supervisor.launch(world.sh("true"))).await.unwrap();
                let error = launched.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                let text = error.to_string();
                assert!(parts.iter().all(|part| text.contains(part)) && !text.contains('\n'), "{text}");
                // That a host cannot be reached says nothing about its processes.
                let process = ProcessRef { host: super::FAR.into(), pid: 1, start_time: 1 };
                let adopted = world.supervisor.adopt(&process).await;
                assert_eq!(adopted.unwrap_err().kind(), ErrorKind::Unavailable);
            }
        })
    });
}

#[test]
fn past_the_deadline_nothing_is_ordered_and_waiting_ends_with_the_reign() {
    run(|runtime| {
        Box::pin(async move {
            let world = world(&runtime);
            let process = world.supervisor.launch(world.sh("exec sleep 1000")).await.unwrap();
            let end = waiting(&world, &process);
            world.reign.set(LeadershipState::Suspended, Instant::now());
            let refused = world.supervisor.signal(&process, Signal::Kill).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Fenced);
            // A launch waits for better news.
            let (supervisor, spec) = (Arc::clone(&world.supervisor), world.sh("exec sleep 1000"));
            let (done, launched) = async_channel::bounded(1);
            runtime.spawn(Box::pin(async move {
                let _ = done.send(supervisor.launch(spec).await).await;
            }));
            runtime.sleep(Duration::from_millis(200)).await;
            assert!(launched.is_empty());
            world.reign.set(LeadershipState::Leading, Instant::now() + PATIENCE);
            let second = timeout(&runtime, PATIENCE, launched.recv()).await.unwrap().unwrap().unwrap();
            for process in [&process, &second] {
                assert!(alive(process));
            }
            world.supervisor.signal(&second, Signal::Kill).await.unwrap();
            world.supervisor.wait(&second).await.unwrap();
            world.supervisor.close();
            let ended = timeout(&runtime, PATIENCE, end.recv()).await.unwrap().unwrap();
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::Fenced);
            assert!(alive(&process));
            let local = local(&runtime);
            local.signal(&process, Signal::Kill).await.unwrap();
            local.wait(&process).await.unwrap();
        })
    });
}

#[test]
fn a_person_launches_a_process_and_leaves_it() {
    run(|runtime| {
        Box::pin(async move {
            let world = world(&runtime);
            let local = || local(&runtime);
            let spec = LaunchSpec { host: "127.0.0.1".into(), ..world.sh("exec sleep 1000") };
            let process = launch_detached(&runtime, local(), reach(), spec).await.unwrap();
            assert!(alive(&process));
            local().signal(&process, Signal::Kill).await.unwrap();
            world.eventually("its end", || !alive(&process)).await;
            let nowhere = LaunchSpec { host: "no-such-host.invalid".into(), ..world.sh("true") };
            let error = launch_detached(&runtime, local(), reach(), nowhere).await.unwrap_err();
            assert!(error.to_string().contains("cannot reach host no-such-host.invalid by ssh: "), "{error}");
        })
    });
}
