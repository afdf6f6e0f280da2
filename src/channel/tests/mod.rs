//! The services of several servers in one process: frontends with sinks, a store that fails at will,
//! and a network that hangs, loses and counts.

/// Waits until something holds.
macro_rules! until {
    ($bench:expr, $what:expr, $holds:expr) => {
        let end = tangelo_core::Instant::now() + core::time::Duration::from_secs(20);
        while !$holds {
            assert!(tangelo_core::Instant::now() < end, "never saw {}", $what);
            $bench.runtime.sleep(core::time::Duration::from_millis(5)).await;
        }
    };
}

mod faults;
mod local;
mod members;
mod pushes;
mod store;

use super::MemoryChannelManager;
use super::cluster::Cluster;
use super::global::GlobalChannelService;
use super::here::Here;
use super::local::ChannelService;
use super::sender::Sender;
use super::sinks::TestSink;
use super::wire::{self, CHANNEL, PUSH};
use crate::sync::Mutex;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use store::Store;
use tangelo_core::channel::Frontend;
use tangelo_core::config::{GlobalChannelConfig, Incarnation};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Result};

/// A call of the managers under test may take so long.
const TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(feature = "runtime-tokio")]
fn runtime() -> Arc<dyn Runtime> {
    Arc::new(tangelo_runtime_tokio::TokioRuntime::with_threads(2).unwrap())
}

#[cfg(all(feature = "runtime-smol", not(feature = "runtime-tokio")))]
fn runtime() -> Arc<dyn Runtime> {
    Arc::new(tangelo_runtime_smol::SmolRuntime::with_threads(2).unwrap())
}

/// Runs a test with frontends c1 … c`n` and the backend "chat".
fn run<F: Future<Output = ()> + Send>(n: usize, test: impl FnOnce(Bench) -> F + Send) {
    let runtime = runtime();
    runtime.block_on(Box::pin(async {
        let bench = Bench { runtime: Arc::clone(&runtime), store: Store::new(&runtime), net: Arc::default() };
        (1..=n).for_each(|n| _ = bench.start(&format!("c{n}"), 1));
        bench.start("chat", 1);
        for server in bench.server_list() {
            server.global.ready().await.unwrap();
        }
        bench.store.counted();
        test(bench).await;
    }));
}

/// A cluster.
#[derive(Debug, Clone)]
struct Bench {
    runtime: Arc<dyn Runtime>,
    store: Store,
    net: Arc<Network>,
}

#[derive(Debug, Default)]
struct Network {
    servers: Mutex<BTreeMap<String, Server>>,
    faults: Mutex<BTreeMap<String, Fault>>,
    calls: Mutex<Vec<(String, String)>>,
}

#[derive(Debug, Clone)]
struct Server {
    global: GlobalChannelService,
    local: ChannelService,
    here: Here,
    sink: Arc<TestSink>,
}

/// What is wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Its link breaks at every call.
    Dead,
    /// It takes calls and never answers.
    Hangs,
    /// It carries the call out, and then the link breaks.
    Mute,
}

impl Bench {
    /// Starts a life of a server; those whose name begins with `c` are connectors.
    fn start(&self, id: &str, incarnation: u64) -> Server {
        let own = Frontend { sid: id.into(), incarnation: Incarnation(incarnation) };
        let cluster: Arc<dyn Cluster> = Arc::new(Place { own: own.clone(), bench: self.clone() });
        let (here, sink) = (Here::new(own), Arc::new(TestSink::default()));
        here.set_sink(Arc::clone(&sink) as _);
        let config = GlobalChannelConfig { timeout: TIMEOUT, ..GlobalChannelConfig::default() };
        let sender = Sender { runtime: self.runtime.clone(), cluster: cluster.clone(), here: here.clone() };
        let store = Arc::new(self.store.clone());
        let global = GlobalChannelService::new(self.runtime.clone(), cluster, here.clone(), store, config);
        let server = Server { global, local: ChannelService::new(sender), here, sink };
        self.net.servers.lock().insert(id.into(), server.clone());
        self.server_list().iter().for_each(|other| other.global.server_came(id));
        server
    }

    /// A server dies, and the others are told so.
    fn kill(&self, id: &str) {
        self.net.servers.lock().remove(id);
        for other in self.server_list() {
            other.global.servers_gone([(id.into(), "connector".into())]);
        }
    }

    fn server_list(&self) -> Vec<Server> {
        self.net.servers.lock().values().cloned().collect()
    }

    fn server(&self, id: &str) -> Server {
        self.net.servers.lock()[id].clone()
    }

    /// The service as the backend has it.
    fn chat(&self) -> GlobalChannelService {
        self.server("chat").global
    }

    fn break_down(&self, id: &str, fault: Fault) {
        self.net.faults.lock().insert(id.into(), fault);
    }

    fn repair(&self, id: &str) {
        self.net.faults.lock().remove(id);
    }

    /// The calls of a route since the last time.
    fn calls(&self, route: &str) -> Vec<String> {
        let calls = core::mem::take(&mut *self.net.calls.lock());
        calls.into_iter().filter(|(_, called)| called == route).map(|(sid, _)| sid).collect()
    }

    /// What a store has, and what the memory of a frontend has, of a channel.
    async fn views(&self, channel: &str, sid: &str) -> (Vec<String>, Vec<String>) {
        let mut stored = self.store.inner().at(channel, sid).await;
        let mut held = self.server(sid).here.roster.lock().users(channel);
        stored.sort_unstable();
        held.sort_unstable();
        (stored, held)
    }
}

/// The cluster as one server sees it.
#[derive(Debug)]
struct Place {
    own: Frontend,
    bench: Bench,
}

#[async_trait]
impl Cluster for Place {
    fn own(&self) -> Frontend {
        self.own.clone()
    }

    fn is_frontend(&self) -> bool {
        self.own.sid.starts_with('c') && self.own.sid != "chat"
    }

    fn of_type(&self, server_type: &str) -> Vec<String> {
        let servers = self.bench.net.servers.lock();
        let connector = |id: &&String| id.as_str() != "chat" && server_type == "connector";
        servers.keys().filter(connector).cloned().collect()
    }

    fn frontends(&self) -> Vec<String> {
        self.of_type("connector")
    }

    async fn call(&self, sid: &str, route: &str, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>> {
        let net = &self.bench.net;
        net.calls.lock().push((sid.into(), route.into()));
        let server = net.servers.lock().get(sid).cloned();
        let server = server.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no {sid}")))?;
        let fault = net.faults.lock().get(sid).copied();
        let gone = || Err(Error::new(ErrorKind::Unavailable, format!("the link to {sid} is gone")));
        if fault == Some(Fault::Dead) {
            return gone();
        }
        let answering = async {
            if fault == Some(Fault::Hangs) {
                core::future::pending::<()>().await;
            }
            match route {
                PUSH => wire::encode(&server.here.deliver(&wire::decode(&body)?).await),
                CHANNEL => server.global.answer(&body).await,
                _ => panic!("there is no route {route}"),
            }
        };
        let answer = crate::time::timeout(&self.bench.runtime, timeout, answering).await;
        if fault == Some(Fault::Mute) {
            return gone();
        }
        answer.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, format!("{sid} has not answered"))))
    }
}
