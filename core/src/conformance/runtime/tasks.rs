//! Tasks, timers, blocking closures.

use crate::Instant;
use crate::runtime::Runtime;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::sync::mpsc;

/// As many tasks at once as a busy master has, and more than any executor has threads.
const MANY: usize = 1000;

/// Tasks run to their end, also those that tasks start.
pub async fn tasks_run(runtime: &Arc<dyn Runtime>) {
    let (done, dones) = async_channel::unbounded();
    for n in 0..MANY {
        let (done, inner) = (done.clone(), Arc::clone(runtime));
        runtime.spawn(Box::pin(async move {
            inner.spawn(Box::pin(async move {
                let _ = done.send(n).await;
            }));
        }));
    }
    drop(done);
    let mut sum = 0;
    while let Ok(n) = dones.recv().await {
        sum += n;
    }
    assert_eq!(sum, MANY * (MANY - 1) / 2, "the numbers that the tasks sent");
}

/// A task that panics takes no other with it, nor a thread that others need.
pub async fn a_panic_ends_its_task_alone(runtime: &Arc<dyn Runtime>) {
    let (released, release) = async_channel::bounded::<()>(1);
    let (done, dones) = async_channel::unbounded();
    let bystander = done.clone();
    runtime.spawn(Box::pin(async move {
        let _ = release.recv().await;
        let _ = bystander.send(()).await;
    }));
    for n in 0..100 {
        // Unwinds as a panic does, without its message on stderr.
        runtime.spawn(Box::pin(async move { std::panic::resume_unwind(Box::new(n)) }));
        runtime.spawn_blocking(Box::new(move || std::panic::resume_unwind(Box::new(n))));
    }
    drop(released);
    dones.recv().await.expect("a task that was there before the panics");
    tasks_run(runtime).await;
    let (done, dones) = async_channel::unbounded();
    runtime.spawn_blocking(Box::new(move || {
        let _ = done.try_send(());
    }));
    dones.recv().await.expect("a blocking closure after the panics");
}

/// Blocking closures may be many and may block for long: tasks and timers go on.
pub async fn a_blocking_closure_blocks_no_task(runtime: &Arc<dyn Runtime>) {
    let (done, dones) = async_channel::unbounded();
    let mut gates = Vec::new();
    for _ in 0..32 {
        let (gate, opened) = mpsc::channel::<()>();
        let done = done.clone();
        gates.push(gate);
        runtime.spawn_blocking(Box::new(move || {
            let _ = opened.recv();
            let _ = done.try_send(());
        }));
    }
    drop(done);
    runtime.sleep(Duration::from_millis(5)).await;
    tasks_run(runtime).await;
    assert!(dones.is_empty(), "the closures wait until they are let go");
    drop(gates);
    let mut ended = 0;
    while dones.recv().await.is_ok() {
        ended += 1;
    }
    assert_eq!(ended, 32, "closures that ended");
}

/// A sleep takes its time at least, alone and among a thousand; one that is dropped does no harm.
pub async fn sleep_is_never_short_and_seldom_long(runtime: &Arc<dyn Runtime>) {
    let slack = Duration::from_secs(2);
    for millis in [0, 1, 10, 50] {
        let start = Instant::now();
        runtime.sleep(Duration::from_millis(millis)).await;
        in_time(start, Duration::from_millis(millis), slack);
    }
    let (done, dones) = async_channel::unbounded();
    for n in 0..MANY as u64 {
        let (done, inner) = (done.clone(), Arc::clone(runtime));
        runtime.spawn(Box::pin(async move {
            let (start, time) = (Instant::now(), Duration::from_millis(n % 50));
            drop(inner.sleep(time));
            inner.sleep(time).await;
            let _ = done.send((start, time, Instant::now())).await;
        }));
    }
    drop(done);
    let mut ended = 0;
    while let Ok((start, time, end)) = dones.recv().await {
        let took = end.saturating_since(start);
        assert!(took >= time && took < time + slack, "a sleep of {time:?} took {took:?}");
        ended += 1;
    }
    assert_eq!(ended, MANY, "sleeps that ended");
    // An hour and for ever: they must not overflow into the past.
    for long in [Duration::from_secs(3600), Duration::MAX] {
        let slept =
            super::super::tools::within(&**runtime, Duration::from_millis(20), runtime.sleep(long)).await;
        assert!(slept.is_none(), "a sleep of {long:?} ended at once");
    }
}

fn in_time(start: Instant, time: Duration, slack: Duration) {
    let took = Instant::now().saturating_since(start);
    assert!(took >= time && took < time + slack, "a sleep of {time:?} took {took:?}");
}

/// `block_on` runs a future that borrows, from a thread outside, while others run inside.
pub async fn block_on_lends_to_its_future(runtime: &Arc<dyn Runtime>) {
    let (done, dones) = async_channel::bounded(4);
    for _ in 0..4 {
        let (runtime, done) = (Arc::clone(runtime), done.clone());
        std::thread::spawn(move || {
            let mut text = String::from("lent");
            runtime.block_on(Box::pin(async {
                runtime.sleep(Duration::from_millis(5)).await;
                text.push_str(" and given back");
            }));
            let _ = done.try_send(text);
        });
    }
    drop(done);
    for _ in 0..4 {
        let text = dones.recv().await.expect("block_on returns");
        assert_eq!(text, "lent and given back");
    }
}
