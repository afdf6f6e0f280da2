//! A frontend with its port open, and clients that block.

use crate::app::{App, Place};
use crate::connector;
use core::net::SocketAddr;
use core::time::Duration;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use tangelo_core::client::{Message, MessageKind, PackageType, Route, package};
use tangelo_core::config::{ConnectorConfig, Incarnation, ServerDef};
use tempfile::TempDir;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error as WebError, Message as WebMessage};

/// What no test takes unless it hangs.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until something holds.
#[track_caller]
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "never saw {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A frontend.
pub(super) struct Bench {
    pub(super) app: App,
    pub(super) address: SocketAddr,
    _dir: TempDir,
}

/// An application that is to be a frontend, with files in its `config/`.
pub(super) fn app(files: &[(&str, &str)]) -> (App, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("config")).unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join("config").join(name), text).unwrap();
    }
    let pairs = [
        ("id", "connector-1"),
        ("serverType", "connector"),
        ("host", "127.0.0.1"),
        ("port", "4050"),
        ("clientPort", "3050"),
        ("frontend", "true"),
    ];
    let mut def = ServerDef::from_pairs_beside(pairs, core::iter::empty()).unwrap().remove(0);
    def.client_port = Some(0);
    let place = Place { dir: dir.path().into(), env: "test".into(), def, incarnation: Incarnation(1) };
    #[cfg(feature = "runtime-tokio")]
    let runtime = tangelo_runtime_tokio::TokioRuntime::with_threads(2).unwrap();
    #[cfg(not(feature = "runtime-tokio"))]
    let runtime = tangelo_runtime_smol::SmolRuntime::with_threads(2).unwrap();
    (App::new(place, alloc::sync::Arc::new(runtime)), dir)
}

/// Short times, so that tests need not wait.
pub(super) fn quick() -> ConnectorConfig {
    ConnectorConfig {
        heartbeat: Some(Duration::from_secs(5)),
        handshake_timeout: Duration::from_secs(10),
        ..ConnectorConfig::default()
    }
}

impl Bench {
    pub(super) fn start(config: ConnectorConfig, configure: impl FnOnce(&App)) -> Self {
        Self::start_with(config, &[], configure)
    }

    pub(super) fn start_with(
        config: ConnectorConfig,
        files: &[(&str, &str)],
        configure: impl FnOnce(&App),
    ) -> Self {
        let (app, dir) = app(files);
        app.set(config);
        configure(&app);
        app.handler("connector.test.echo", async |request: crate::Request, _: crate::Session| {
            request.json::<Value>()
        });
        app.handler("connector.test.bind", async |request: crate::Request, session: crate::Session| {
            session.bind(&request.json::<String>()?).await?;
            Ok(json!({"id": session.id()}))
        });
        connector::prepare(&app).unwrap();
        let mut opened = Ok(());
        app.runtime().clone().block_on(Box::pin(async { opened = connector::open(&app).await }));
        opened.unwrap();
        let address = *app.shared().connector.get().unwrap().bound.get().unwrap();
        Self { app, address, _dir: dir }
    }

    pub(super) fn run<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        let mut done = None;
        self.app.runtime().clone().block_on(Box::pin(async { done = Some(work.await) }));
        done.unwrap()
    }

    pub(super) fn closed(&self, why: &str) -> u64 {
        self.app.connector_stats().unwrap().closed.get(why).copied().unwrap_or(0)
    }

    /// Waits until a connection has closed for this reason, and no other one.
    #[track_caller]
    pub(super) fn closes(&self, why: &str) {
        let caller = core::panic::Location::caller();
        let end = Instant::now() + DEADLINE;
        while self.closed(why) == 0 {
            let seen = self.app.connector_stats().unwrap().closed;
            assert!(Instant::now() < end, "never closed for {why} but for {seen:?}, at {caller}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A client that has shaken hands.
    pub(super) fn client(&self, web: bool) -> Client {
        let mut client = Client::connect(self.address, web);
        client.handshake();
        client
    }

    /// A client whose user is `uid`.
    pub(super) fn user(&self, web: bool, uid: &str) -> Client {
        let mut client = self.client(web);
        assert!(client.request("connector.test.bind", &json!(uid))["id"].is_u64());
        client
    }

    pub(super) fn push(&self, uids: &[&str], route: &str, body: &str) -> Vec<String> {
        use tangelo_core::channel::{PushMessage, PushSink as _};
        let sink = connector::sink::ClientSink(self.app.shared().connector.get().unwrap().clone());
        let mut failed = Vec::new();
        let message = PushMessage { route, body: body.as_bytes() };
        sink.push(message, &mut uids.iter().copied(), &mut |uid, _| failed.push(uid.into()));
        failed
    }
}

/// A client that blocks.
pub(super) enum Client {
    Tcp(TcpStream),
    Web(Box<WebSocket<TcpStream>>),
}

impl Client {
    pub(super) fn connect(address: SocketAddr, web: bool) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        if !web {
            return Self::Tcp(stream);
        }
        let (socket, _) = tungstenite::client(format!("ws://{address}/"), stream).unwrap();
        Self::Web(Box::new(socket))
    }

    pub(super) fn stream(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Web(socket) => socket.get_ref(),
        }
    }

    /// Sends bytes as they are, within a frame if it has such.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        // A server that has closed already is no fault of the test.
        match self {
            Self::Tcp(stream) => _ = stream.write_all(bytes),
            Self::Web(socket) => _ = socket.send(WebMessage::Binary(bytes.to_vec().into())),
        }
    }

    pub(super) fn package(&mut self, kind: PackageType, body: &[u8]) {
        let mut bytes = Vec::new();
        package::encode_into(&mut bytes, kind, body).unwrap();
        self.raw(&bytes);
    }

    pub(super) fn message(&mut self, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes).unwrap();
        self.package(PackageType::Data, &bytes);
    }

    /// The next package; none at the end.
    pub(super) fn next(&mut self) -> Option<(PackageType, Vec<u8>)> {
        let bytes = match self {
            Self::Tcp(stream) => {
                let mut header = [0; package::HEADER];
                match stream.read_exact(&mut header) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("nothing comes"),
                    Err(_) => return None,
                    Ok(()) => {}
                }
                let mut bytes = header.to_vec();
                bytes.resize(package::needed(&header, package::MAX_BODY).unwrap(), 0);
                stream.read_exact(&mut bytes[package::HEADER..]).ok()?;
                bytes
            }
            Self::Web(socket) => loop {
                match socket.read() {
                    Ok(WebMessage::Binary(bytes)) => break bytes.to_vec(),
                    Ok(WebMessage::Close(_)) => {}
                    Ok(WebMessage::Text(text)) => panic!("a text: {text}"),
                    Ok(_) => {}
                    Err(WebError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                        panic!("nothing comes")
                    }
                    Err(_) => return None,
                }
            },
        };
        let (package, length) = package::decode(&bytes, package::MAX_BODY).unwrap().unwrap();
        assert_eq!(length, bytes.len(), "one package a frame");
        Some((package.kind, package.body.to_vec()))
    }

    /// The next package but heartbeats.
    pub(super) fn next_of(&mut self, kind: PackageType) -> Vec<u8> {
        loop {
            match self.next() {
                Some((PackageType::Heartbeat, _)) if kind != PackageType::Heartbeat => {}
                Some((found, body)) => {
                    assert_eq!(found, kind, "{}", String::from_utf8_lossy(&body));
                    return body;
                }
                None => panic!("the end, where {kind:?} was expected"),
            }
        }
    }

    pub(super) fn handshake_with(&mut self, body: &Value) -> Value {
        self.package(PackageType::Handshake, body.to_string().as_bytes());
        serde_json::from_slice(&self.next_of(PackageType::Handshake)).unwrap()
    }

    pub(super) fn handshake(&mut self) -> Value {
        let answer = self.handshake_with(&json!({"sys": {"type": "test", "version": "1"}, "user": {}}));
        assert_eq!(answer["code"], 200);
        self.package(PackageType::HandshakeAck, &[]);
        if !answer["sys"]["heartbeat"].is_null() {
            self.next_of(PackageType::Heartbeat);
        }
        answer
    }

    pub(super) fn request(&mut self, route: &str, body: &Value) -> Value {
        self.ask(7, route, body);
        self.response(7)
    }

    pub(super) fn ask(&mut self, id: u64, route: &str, body: &Value) {
        self.message(&Message::request(id, Route::Name(route), body.to_string().as_bytes()));
    }

    pub(super) fn response(&mut self, id: u64) -> Value {
        let body = self.next_of(PackageType::Data);
        let message = Message::decode(&body).unwrap();
        assert_eq!((message.kind, message.id), (MessageKind::Response, Some(id)));
        serde_json::from_slice(message.body).unwrap()
    }

    /// The next push: its route, or `#` and its code, and its body.
    pub(super) fn pushed(&mut self) -> (String, String) {
        let body = self.next_of(PackageType::Data);
        let message = Message::decode(&body).unwrap();
        assert_eq!(message.kind, MessageKind::Push);
        let route = match message.route.unwrap() {
            Route::Name(name) => name.into(),
            Route::Code(code) => format!("#{code}"),
        };
        (route, String::from_utf8(message.body.to_vec()).unwrap())
    }

    /// That nothing but heartbeats comes before the end.
    pub(super) fn ends(&mut self) {
        while let Some((kind, body)) = self.next() {
            assert_eq!(kind, PackageType::Heartbeat, "{}", String::from_utf8_lossy(&body));
        }
    }
}

/// A WebSocket on a connection that was upgraded by hand.
pub(super) fn upgraded(stream: TcpStream) -> WebSocket<TcpStream> {
    WebSocket::from_raw_socket(stream, Role::Client, None)
}
