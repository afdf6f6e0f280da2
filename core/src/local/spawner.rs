//! The thread that starts processes.
//!
//! One permanent thread does it, because a CPU mask is given by inheritance from the thread that
//! spawns, and because a child that asks for a signal at its parent's death (PR_SET_PDEATHSIG)
//! means the *thread* that spawned it.

use super::launch::{Started, launch};
use crate::process::LaunchSpec;
use crate::{Affinity, CpuSet, Error, ErrorKind, Result};
use alloc::string::String;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender};
use rustix::thread::{sched_getaffinity, sched_setaffinity};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Requests that may wait for the thread before a launch has to wait for the queue.
const QUEUE: usize = 64;

/// It calls posix_spawn and formats short messages.
const STACK_BYTES: usize = 256 * 1024;

struct Request {
    spec: LaunchSpec,
    reply: Sender<Result<Started>>,
}

/// The queue to a thread that is started when it is needed first, and ends with the queue.
#[derive(Debug)]
pub(super) struct Spawner {
    affinity: Arc<dyn Affinity>,
    queue: Mutex<Option<Sender<Request>>>,
}

impl Spawner {
    pub(super) fn new(affinity: Arc<dyn Affinity>) -> Self {
        Self { affinity, queue: Mutex::new(None) }
    }

    /// Asks for a process; the answer comes out of the channel. Once this has returned, the
    /// process may have been started.
    ///
    /// # Cancel safety
    /// Nothing has been asked for if it is dropped before it ends.
    pub(super) async fn launch(&self, spec: LaunchSpec) -> Result<Receiver<Result<Started>>> {
        let queue = self.queue()?;
        let (reply, answer) = async_channel::bounded(1);
        queue.send(Request { spec, reply }).await.map_err(|_| thread_ended())?;
        Ok(answer)
    }

    fn queue(&self) -> Result<Sender<Request>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Closed: the thread has panicked, in an `Affinity` that is not ours.
        if let Some(queue) = queue.as_ref().filter(|queue| !queue.is_closed()) {
            return Ok(queue.clone());
        }
        let (sender, requests) = async_channel::bounded(QUEUE);
        let affinity = Arc::clone(&self.affinity);
        thread::Builder::new()
            .name(String::from("tangelo-spawner"))
            .stack_size(STACK_BYTES)
            .spawn(move || run(&*affinity, &Queue(requests)))
            .map_err(|e| Error::io("start the thread that launches processes", e))?;
        *queue = Some(sender.clone());
        Ok(sender)
    }
}

/// What a launch says when its answer never comes.
pub(super) fn thread_ended() -> Error {
    Error::new(ErrorKind::Io, "the thread that launches processes has panicked; see its message on stderr")
}

/// The thread's end of the queue. If it panics, what waits in there is told so, and not only when
/// the next launch replaces the queue.
struct Queue(Receiver<Request>);

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.close();
        while self.0.try_recv().is_ok() {}
    }
}

fn run(affinity: &dyn Affinity, requests: &Queue) {
    let mut mask = Mask::new();
    while let Ok(Request { spec, reply }) = requests.0.recv_blocking() {
        let outcome = mask.set(affinity, spec.cpus.as_ref()).and_then(|()| launch(&spec));
        // Nobody listens only if the runtime shuts down; the process runs on, as always.
        let _ = reply.try_send(outcome);
    }
}

/// The CPU mask of the spawner thread.
struct Mask {
    /// What it was born with, for processes that are bound to nothing.
    free: rustix::io::Result<rustix::thread::CpuSet>,
    bound: bool,
}

impl Mask {
    fn new() -> Self {
        Self { free: sched_getaffinity(None), bound: false }
    }

    /// Gives the thread the mask of the next process.
    fn set(&mut self, affinity: &dyn Affinity, cpus: Option<&CpuSet>) -> Result<()> {
        if let Some(cpus) = cpus {
            self.bound = true;
            affinity.pin_current(cpus)?;
        } else if self.bound {
            let restored = self.free.and_then(|free| sched_setaffinity(None, &free));
            restored.map_err(|e| Error::io("free the launching thread of its last CPU mask", e.into()))?;
            self.bound = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::task::{Context, Poll, Waker};

    /// Panics as soon as the other end of the channel is gone.
    #[derive(Debug)]
    struct Broken(Receiver<()>);

    impl Affinity for Broken {
        fn allowed(&self) -> Result<CpuSet> {
            Ok(CpuSet::default())
        }

        fn pin_current(&self, _: &CpuSet) -> Result<CpuSet> {
            let _ = self.0.recv_blocking();
            panic!("on purpose");
        }

        fn of(&self, _: u32) -> Result<CpuSet> {
            Ok(CpuSet::default())
        }
    }

    #[test]
    fn launches_that_wait_behind_a_panic_are_answered() {
        let (go, gone) = async_channel::bounded(1);
        let spawner = Spawner::new(Arc::new(Broken(gone)));
        let spec = || LaunchSpec {
            host: String::from("here"),
            program: String::from("/bin/true"),
            args: Vec::new(),
            env: Vec::new(),
            log: None,
            cpus: Some(CpuSet::one(0)),
        };
        let ask = || {
            let launch = core::pin::pin!(spawner.launch(spec()));
            match launch.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => answer.unwrap(),
                Poll::Pending => panic!("the queue has room"),
            }
        };
        let answers = [ask(), ask(), ask()];
        drop(go);
        let (done, all) = std::sync::mpsc::channel();
        thread::spawn(move || done.send(answers.map(|answer| answer.recv_blocking().is_err())));
        assert_eq!(all.recv_timeout(core::time::Duration::from_secs(20)).unwrap(), [true; 3]);
    }
}
