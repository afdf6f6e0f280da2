//! Links over real sockets, on whichever runtime the build has.

mod closing;
mod corpus;
mod credit;
mod exchange;
mod hostile;
mod liveness;
mod process;
mod secrets;
mod streams;

use super::config::QueueLimits;
use super::open::accept;
use super::*;
use alloc::sync::Arc;
use async_channel::Receiver;
use core::time::Duration;
use futures_lite::FutureExt as _;
use tangelo_core::liveness::Heartbeat;
use tangelo_core::runtime::{Runtime, Stream};
use tangelo_core::wire::{Hello, Message, Role};
use tangelo_core::{BoxFuture, Instant};

/// What no test takes unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

fn runtime() -> Arc<dyn Runtime> {
    #[cfg(feature = "runtime-tokio")]
    let runtime = tangelo_runtime_tokio::TokioRuntime::with_threads(2);
    #[cfg(not(feature = "runtime-tokio"))]
    let runtime = tangelo_runtime_smol::SmolRuntime::with_threads(2);
    Arc::new(runtime.expect("a runtime"))
}

/// Runs a test inside a runtime, with a deadline.
fn run<F: Future<Output = ()> + Send>(test: impl FnOnce(Arc<dyn Runtime>) -> F) {
    let runtime = runtime();
    let test = test(Arc::clone(&runtime));
    let deadline = async {
        runtime.sleep(DEADLINE).await;
        panic!("the test hangs");
    };
    runtime.block_on(Box::pin(test.or(deadline)));
}

fn config(id: &str) -> LinkConfig {
    let hello = Hello { role: Role::Server, id: id.into(), pid: std::process::id() };
    LinkConfig::new(Secret::from_text("correct horse battery staple").expect("a secret"), hello)
}

/// Heartbeats that a test can wait for: dead after `interval` × 3.
fn beating(config: LinkConfig, interval: u64) -> LinkConfig {
    let heartbeat = Heartbeat { interval: Duration::from_millis(interval), missed: 3 };
    LinkConfig { heartbeat, ..config }
}

/// Heartbeats that come often, of a peer that is given time: for links that must not die when
/// the machine is busy. Dead after `interval` × 20.
fn steady(config: LinkConfig, interval: u64) -> LinkConfig {
    let heartbeat = Heartbeat { interval: Duration::from_millis(interval), missed: 20 };
    LinkConfig { heartbeat, ..config }
}

type Parts = (Link, Inbox, Hello);

/// A server whose links come out of a channel.
struct Host {
    runtime: Arc<dyn Runtime>,
    port: u16,
    server: Server,
    links: Receiver<Parts>,
}

impl Host {
    async fn new(runtime: &Arc<dyn Runtime>, config: LinkConfig) -> Self {
        let listener = runtime.listen("127.0.0.1", 0).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (put, links) = async_channel::unbounded();
        let server =
            serve(runtime, listener, Arc::new(config), move |link, inbox, hello| -> BoxFuture<'static, ()> {
                let put = put.clone();
                Box::pin(async move { drop(put.send((link, inbox, hello)).await) })
            });
        Self { runtime: Arc::clone(runtime), port, server, links }
    }

    async fn raw(&self) -> Box<dyn Stream> {
        self.runtime.connect("127.0.0.1", self.port).await.expect("a connection")
    }

    /// Connects, and returns the connecting side's parts and then the accepting side's.
    async fn pair(&self, config: &LinkConfig) -> (Parts, Parts) {
        let here = connect(&self.runtime, config, "127.0.0.1", self.port).await.expect("a link");
        (here, self.links.recv().await.expect("its other end"))
    }

    /// A fresh link works: nothing that went before has hurt the server.
    async fn serves(&self) {
        let ((near, _near_inbox, _), (_far, mut far_inbox, _)) = self.pair(&config("probe")).await;
        near.send(text("still there?")).await.expect("sent");
        assert_eq!(far_inbox.next().await, Ok(text("still there?")));
    }
}

fn text(text: &str) -> Message {
    Message::Status(text.into())
}

/// Takes everything that comes until the link closes.
async fn rest(inbox: &mut Inbox) -> (Vec<Message>, Closed) {
    let mut messages = Vec::new();
    loop {
        match inbox.next().await {
            Ok(message) => messages.push(message),
            Err(closed) => return (messages, closed),
        }
    }
}

async fn pause(runtime: &Arc<dyn Runtime>, milliseconds: u64) {
    runtime.sleep(Duration::from_millis(milliseconds)).await;
}

fn since(start: Instant) -> Duration {
    Instant::now().saturating_since(start)
}
