//! Frontends and backends in one process, linked as servers are, with a wire between them that can be
//! cut and frozen.

mod faults;
mod here;
mod order;
mod rpc;
mod sessions;
mod there;
mod wire;

use super::dispatch::{Incoming, handle};
use crate::app::{App, Place};
use crate::connector::Client;
use crate::connector::for_tests::{self, FarEnd};
use crate::link::{LinkConfig, Secret};
use crate::peer::{Peers, serve_peers};
use crate::{channel, handler, session};
use alloc::sync::Arc;
use core::convert::Infallible;
use core::task::{Context, Waker};
use core::time::Duration;
use futures_lite::FutureExt as _;
use serde_json::Value;
use tangelo_core::config::{Incarnation, ServerDef};
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Hello, Role, ServerInfo};
use wire::Wire;

/// What no test takes unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// So short that what ends at once is told from what ends with the time.
const SOON: Duration = Duration::from_secs(5);

/// Runs a test inside a runtime, with a deadline.
fn run<F: Future<Output = ()> + Send>(test: impl FnOnce(Fleet) -> F) {
    #[cfg(feature = "runtime-tokio")]
    let runtime: Arc<dyn Runtime> = Arc::new(tangelo_runtime_tokio::TokioRuntime::with_threads(2).unwrap());
    #[cfg(not(feature = "runtime-tokio"))]
    let runtime: Arc<dyn Runtime> = Arc::new(tangelo_runtime_smol::SmolRuntime::with_threads(2).unwrap());
    let test = test(Fleet { runtime: Arc::clone(&runtime), servers: Vec::new() });
    let deadline = async {
        runtime.sleep(DEADLINE).await;
        panic!("the test hangs");
    };
    runtime.block_on(Box::pin(test.or(deadline)));
}

/// Servers, the first of which is a frontend mostly.
struct Fleet {
    runtime: Arc<dyn Runtime>,
    servers: Vec<ServerInfo>,
}

impl Fleet {
    /// Starts a server, in its nth life; its type is what its id has before the dash. Others reach
    /// it through a wire.
    async fn start_life(&mut self, id: &str, life: u64, configure: impl FnOnce(&App)) -> (App, Wire) {
        let listener = self.runtime.listen("127.0.0.1", 0).await.unwrap();
        let wire = Wire::new(&self.runtime, listener.local_addr().unwrap().port()).await;
        let (server_type, port) = (id.split('-').next().unwrap(), wire.port.to_string());
        let mut pairs = vec![("id", id), ("serverType", server_type), ("host", "127.0.0.1"), ("port", &port)];
        if server_type == "connector" {
            pairs.extend([("frontend", "true"), ("clientPort", "9")]);
        }
        let def = ServerDef::from_pairs_beside(pairs, core::iter::empty()).unwrap().remove(0);
        let info = ServerInfo { def: def.clone(), incarnation: Incarnation(life) };
        let place = Place { dir: "/nowhere".into(), env: "test".into(), def, incarnation: Incarnation(life) };
        let app = App::new(place, Arc::clone(&self.runtime));
        configure(&app);
        assert!(app.shared().mistakes.lock().is_empty());
        handler::start(&app);
        session::start(&app);
        channel::start(&app).await.unwrap();
        let hello = Hello { role: Role::Server, id: id.into(), pid: std::process::id() };
        let config = LinkConfig::new(Secret::from_text("correct horse battery staple").unwrap(), hello);
        let server = serve_peers(&self.runtime, listener, config.clone(), &app.shared().remotes);
        assert!(app.shared().listening.set(server).is_ok());
        assert!(app.shared().peers.set(Peers::new(Arc::clone(&self.runtime), config)).is_ok());
        self.servers.push(info);
        (app, wire)
    }

    async fn start(&mut self, id: &str, configure: impl FnOnce(&App)) -> (App, Wire) {
        self.start_life(id, 1, configure).await
    }

    /// Tells servers of all that have been started.
    fn introduce(&self, apps: &[&App]) {
        apps.iter().for_each(|app| app.shared().servers_changed(&self.servers, &[]));
    }

    /// A frontend and a backend.
    async fn pair(&mut self, frontend: impl FnOnce(&App), backend: impl FnOnce(&App)) -> (App, (App, Wire)) {
        let (front, _) = self.start("connector-1", frontend).await;
        let back = self.start("chat-1", backend).await;
        self.introduce(&[&front, &back.0]);
        (front, back)
    }
}

/// A client of a frontend, as the connector has it.
struct Tester {
    app: App,
    client: Client,
    far: FarEnd,
}

impl Tester {
    fn new(app: &App, id: u64) -> Self {
        let (client, far) = for_tests::client(app, id);
        Self { app: app.clone(), client, far }
    }

    /// Sends a request and takes the response.
    async fn ask(&self, route: &str, body: &str) -> Value {
        let incoming = Incoming { id: Some(7), route: route.into(), body: body.into() };
        self.handle(incoming).await;
        let [(to, response)] = self.heard(1).await.try_into().expect("nothing but a response");
        assert_eq!(to, "7");
        response
    }

    async fn code(&self, route: &str, body: &str) -> i64 {
        self.ask(route, body).await["code"].as_i64().expect("a code")
    }

    async fn notify(&self, route: &str, body: &str) {
        let incoming = Incoming { id: None, route: route.into(), body: body.into() };
        self.handle(incoming).await;
    }

    /// As a connector has it handled. It is begun at once; what is given back waits for its end.
    fn handle(&self, incoming: Incoming) -> impl Future<Output = ()> + Send + use<> {
        let (under_way, ended) = async_channel::bounded::<Infallible>(1);
        let handling = handle(&self.app, self.client.clone(), incoming, under_way);
        if let Some(mut handling) = handling
            && handling.poll(&mut Context::from_waker(Waker::noop())).is_pending()
        {
            self.app.runtime().spawn(handling);
        }
        async move {
            let Err(async_channel::RecvError) = ended.recv().await;
        }
    }

    /// Waits until the client has heard so much: responses by their numbers, and pushes by their routes.
    async fn heard(&self, count: usize) -> Vec<(String, Value)> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let value = |body: &[u8]| serde_json::from_slice(body).expect("JSON");
            let name = |to: Result<u64, String>| to.map_or_else(|route| route, |id| id.to_string());
            heard.extend(self.far.take().into_iter().map(|(to, body)| (name(to), value(&body))));
            if heard.len() < count {
                self.app.sleep(Duration::from_millis(1)).await;
            }
        }
        heard
    }

    /// It was not sent anything but a response to this.
    async fn heard_nothing(&self) {
        assert_eq!(self.code("", "{}").await, 404);
    }
}
