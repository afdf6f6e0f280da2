//! The agent: this program on another host, started by a master through ssh.
//!
//! It launches, watches and signals processes of its own host for that master, over stdin and stdout,
//! and ends when stdin does. The processes live on.

mod find;
mod orders;
mod stdio;

use super::lines::Lines;
use super::wire::{AgentTime, Request, Said, VERSION, Word, decode, encode};
use crate::app::App;
use crate::context::{absolute, master_application};
use crate::parts;
use crate::time::{Elapsed, timeout};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender, bounded};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
pub(super) use orders::Orders;
use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use tangelo_core::{Error, ErrorKind, Result};
use tracing::warn;

/// Lines that may wait, each way.
const QUEUE: usize = 256;

/// A master asks for a sign of life every two seconds: one that says nothing for this long has lost
/// its way here, and has opened another connection.
const SILENCE: Duration = Duration::from_secs(30);

/// Orders that may be under way: one for each server that is waited for, and some more.
const MANY: usize = 10_000;

/// Is an agent of a master in `env`, configured like one, until stdin ends. The application's directory is the current one from here on.
///
/// # Errors
/// If the directory is not there, or what the system says.
pub(crate) fn run(dir: &Path, env: &str, configure: impl FnOnce(&App)) -> Result<()> {
    let dir = absolute(dir)?;
    std::env::set_current_dir(&dir).map_err(|error| {
        let dir = dir.display();
        Error::io(
            format_args!(
                "use {dir}, the application's directory on this host (\"dir\" in \"ssh\" of master.json says another)"
            ),
            error,
        )
    })?;
    let (input, output) = stdio::take()?;
    // Whatever this prints, it is not into the protocol.
    let app = master_application(&dir, env, configure)?;
    let runtime = app.runtime();
    let orders = Orders::new(runtime, parts::supervisor(&app)?, parts::affinity(&app)?);
    let mut outcome = Ok(());
    runtime.block_on(Box::pin(async { outcome = serve(orders, input, output).await }));
    outcome
}

/// Takes orders until `input` ends.
///
/// # Errors
/// If there are no more threads, or what comes in is none of this protocol.
pub(super) async fn serve(
    orders: Orders,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<()> {
    let (lines, incoming) = bounded(QUEUE);
    let (out, outgoing) = bounded(QUEUE);
    start("tangelo-agent-in", move || read(input, &lines))?;
    start("tangelo-agent-out", move || write(&outgoing, output))?;
    let agent = Arc::new(Agent { orders, out, under_way: AtomicUsize::new(0) });
    agent.say(Word::Hello { tangelo_agent: VERSION }).await;
    loop {
        match timeout(agent.orders.runtime(), SILENCE, incoming.recv()).await {
            Ok(Ok(line)) => Agent::take(&agent, decode(&line)?).await,
            Ok(Err(_)) => return Ok(()),
            Err(Elapsed) => {
                warn!("the master says nothing: this agent ends, its servers live on");
                return Ok(());
            }
        }
    }
}

struct Agent {
    orders: Orders,
    out: Sender<Vec<u8>>,
    under_way: AtomicUsize,
}

impl Agent {
    async fn take(agent: &Arc<Self>, request: Request) {
        let Request { id, not_after, order } = request;
        if agent.under_way.fetch_add(1, Ordering::Relaxed) >= MANY {
            agent.under_way.fetch_sub(1, Ordering::Relaxed);
            let error = Error::new(ErrorKind::Unavailable, format!("over {MANY} orders are under way here"));
            return agent.say(Word::Answer { id, result: Err(error.into()) }).await;
        }
        let this = Arc::clone(agent);
        agent.orders.runtime().spawn(Box::pin(async move {
            let result = this.orders.obey(order, not_after).await.map_err(Into::into);
            this.under_way.fetch_sub(1, Ordering::Relaxed);
            this.say(Word::Answer { id, result }).await;
        }));
    }

    async fn say(&self, word: Word) {
        match encode(&Said { clock: AgentTime::now(), word }) {
            // If nobody reads any more, stdin ends too.
            Ok(line) => drop(self.out.send(line).await),
            Err(error) => warn!(%error, "an answer cannot be sent"),
        }
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let builder = thread::Builder::new().name(name.into()).stack_size(256 * 1024);
    builder.spawn(work).map_err(|e| Error::io("start a thread of the agent", e)).map(drop)
}

fn read(input: impl Read, lines: &Sender<Vec<u8>>) {
    let mut input = Lines::new(input);
    loop {
        match input.next() {
            Ok(Some(line)) => {
                if lines.send_blocking(line).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return warn!(%error, "cannot read what the master says"),
        }
    }
}

fn write(lines: &Receiver<Vec<u8>>, mut output: impl Write) {
    // A login shell may have printed something without ending its line.
    let mut written = output.write_all(b"\n");
    while let (Ok(()), Ok(line)) = (&written, lines.recv_blocking()) {
        written = output.write_all(&line).and_then(|()| output.flush());
    }
    lines.close();
}
