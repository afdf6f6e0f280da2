//! One connection to an agent: orders go out, answers come in, whatever their order.
//!
//! Two threads do the reading and the writing, because pipes of a child block; both end with the pipes.

use super::clock::Sample;
use super::lines::Lines;
use super::wire::{AgentTime, Answer, Order, Refusal, Request, Said, VERSION, Word, decode, encode};
use crate::sync::Mutex;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender, bounded};
use core::sync::atomic::{AtomicU64, Ordering};
use event_listener::Event;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::thread;
use tangelo_core::{Error, ErrorKind, Instant, Result};
use tracing::debug;

/// Orders that may wait for the pipe; whoever gives another waits for room.
const QUEUE: usize = 256;

/// They read and write lines.
const STACK_BYTES: usize = 256 * 1024;

/// So much may a login shell print before the agent begins to speak.
const MANY_STRAY: usize = 1000;

/// What is said of a connection whose ssh has closed its end: ssh knows why.
pub(super) const ENDED: &str = "ssh has ended";

/// Why an order has no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The connection was over before the order left: nothing was done.
    NotAsked,
    /// The connection ended before the answer: nobody knows whether it was obeyed.
    NotAnswered,
    /// The agent's answer is an error, or it made no sense to ask.
    Refused(Error),
}

/// A connection to an agent.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    out: Sender<Vec<u8>>,
    last: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// The agent has greeted, or it is over.
    changed: Event,
}

#[derive(Debug, Default)]
struct State {
    pending: HashMap<u64, Sender<Result<Answer, Refusal>>>,
    greeted: bool,
    sample: Option<Sample>,
    /// The last line that was none of the agent's.
    stray: String,
    over: Option<String>,
}

impl Connection {
    /// Begins to talk.
    ///
    /// # Errors
    /// If there are no more threads.
    pub(super) fn open(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
    ) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let (out, lines) = bounded(QUEUE);
        let thread = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let builder = thread::Builder::new().name(name.into()).stack_size(STACK_BYTES);
            builder.spawn(work).map_err(|e| Error::io("start a thread for another host", e)).map(drop)
        };
        let (reader, writer) = (Arc::clone(&shared), Arc::clone(&shared));
        let closing = out.clone();
        thread(
            "tangelo-ssh-in",
            Box::new(move || {
                // Should it panic, the connection is over all the same.
                let guard = End { shared: &reader, out: &closing };
                guard.over(&read(&reader, input));
            }),
        )?;
        thread(
            "tangelo-ssh-out",
            Box::new(move || {
                if let Err(error) = write(&lines, output) {
                    writer.over(&format!("cannot write to ssh: {error}"));
                }
            }),
        )?;
        Ok(Self { shared, out, last: AtomicU64::new(0) })
    }

    /// Waits until the agent takes orders, or it is over before; whether it does.
    pub(super) async fn greeted(&self) -> bool {
        self.until(|state| state.greeted.then_some(true).or_else(|| state.over.is_some().then_some(false)))
            .await
    }

    /// Waits for the end, and says why it came.
    pub(super) async fn over(&self) -> String {
        self.until(|state| state.over.clone()).await
    }

    /// Why it is over, if it is.
    pub(super) fn over_now(&self) -> Option<String> {
        self.shared.state.lock().over.clone()
    }

    async fn until<T>(&self, condition: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let changed = self.shared.changed.listen();
            if let Some(found) = condition(&self.shared.state.lock()) {
                return found;
            }
            changed.await;
        }
    }

    /// The last line that was none of the agent's.
    pub(super) fn stray(&self) -> String {
        self.shared.state.lock().stray.clone()
    }

    /// When the agent was heard last.
    pub(super) fn heard(&self) -> Option<Instant> {
        self.shared.state.lock().sample.map(Sample::received)
    }

    /// What the agent's clock shows at `deadline` at the earliest; `None` if that has passed.
    pub(super) fn agent_time(&self, deadline: Instant) -> Option<AgentTime> {
        self.shared.state.lock().sample?.at(deadline)
    }

    /// Gives an order and waits for its answer, or for the end of the connection.
    ///
    /// # Cancel safety
    /// Cancel safe, but the order may have been given.
    pub(super) async fn ask(&self, order: Order, not_after: Option<AgentTime>) -> Result<Answer, Failed> {
        debug_assert_eq!(order.acts(), not_after.is_some(), "an order that acts has a limit");
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let line = encode(&Request { id, not_after, order }).map_err(Failed::Refused)?;
        let (reply, answer) = bounded(1);
        {
            let mut state = self.shared.state.lock();
            if state.over.is_some() {
                return Err(Failed::NotAsked);
            }
            state.pending.insert(id, reply);
        }
        let _forget = Forget { shared: &self.shared, id };
        self.out.send(line).await.map_err(|_| Failed::NotAsked)?;
        match answer.recv().await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(Failed::Refused(refusal.into())),
            Err(_) => Err(Failed::NotAnswered),
        }
    }

    /// Has the agent say something, if there is room to ask it.
    pub(super) fn beat(&self) {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        if let Ok(line) = encode(&Request { id, not_after: None, order: Order::Beat }) {
            // A full queue has an agent behind it that will say more than this.
            let _ = self.out.try_send(line);
        }
    }

    /// Ends it: what was ordered before still goes out, if the pipe takes it.
    pub(super) fn close(&self, why: &str) {
        self.shared.over(why);
        self.out.close();
    }
}

impl Shared {
    /// It is over: everybody who waits for an answer is told. The first reason counts.
    fn over(&self, why: &str) {
        let mut state = self.state.lock();
        state.over.get_or_insert_with(|| why.into());
        // Dropped outside the lock: that wakes whoever waits.
        let pending = core::mem::take(&mut state.pending);
        drop(state);
        drop(pending);
        self.changed.notify(usize::MAX);
    }

    fn heard(&self, said: Said) -> Result<()> {
        let mut state = self.state.lock();
        state.sample = Some(Sample::new(said.clock, Instant::now()));
        let reply = match said.word {
            Word::Hello { tangelo_agent: VERSION } => {
                state.greeted = true;
                None
            }
            Word::Hello { tangelo_agent } => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "it speaks version {tangelo_agent} and this program {VERSION}: install the same build on both hosts"
                    ),
                ));
            }
            // A beat's answer, or one that nobody waits for any more.
            Word::Answer { id, result } => state.pending.remove(&id).map(|reply| (reply, result)),
        };
        drop(state);
        match reply {
            Some((reply, result)) => drop(reply.try_send(result)),
            None => drop(self.changed.notify(usize::MAX)),
        }
        Ok(())
    }

    /// A line of a login shell: allowed until the agent speaks.
    fn stray(&self, line: &[u8]) -> bool {
        let mut state = self.state.lock();
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() {
            text.trim().clone_into(&mut state.stray);
        }
        !state.greeted
    }
}

/// Ends the connection when its reader has ended, in whatever way.
struct End<'a> {
    shared: &'a Shared,
    out: &'a Sender<Vec<u8>>,
}

impl End<'_> {
    fn over(&self, why: &str) {
        self.shared.over(why);
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.shared.over("the thread that reads from it has panicked");
        self.out.close();
    }
}

/// Reads until there is nothing more, and says why.
fn read(shared: &Shared, input: impl Read) -> String {
    let mut lines = Lines::new(input);
    let mut stray = 0;
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return ENDED.into(),
            Err(error) => return format!("cannot read from ssh: {error}"),
        };
        let heard = decode(&line).and_then(|said| shared.heard(said));
        if let Err(error) = heard {
            if error.kind() != ErrorKind::Protocol || !shared.stray(&line) {
                return error.to_string();
            }
            debug!(line = %String::from_utf8_lossy(&line), "before the agent");
            stray += 1;
            if stray > MANY_STRAY {
                return format!("its shell has printed {MANY_STRAY} lines and no agent has spoken");
            }
        }
    }
}

fn write(lines: &Receiver<Vec<u8>>, mut output: impl Write) -> std::io::Result<()> {
    while let Ok(line) = lines.recv_blocking() {
        output.write_all(&line)?;
        output.flush()?;
    }
    Ok(())
}

/// Forgets an order whose answer nobody waits for any more.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.state.lock().pending.remove(&self.id);
    }
}
