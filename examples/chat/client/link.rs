//! One connection to a gate or connector.

use super::Event;
use super::reader::{Owned, Reader};
use core::time::Duration;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::SyncSender;
use tangelo::core::Instant;
use tangelo::core::client::{Message, MessageKind, PackageType, Route, package};

/// How long a connection, a handshake or an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread that reads a link brings: packages, and last why there are no more.
pub(super) type Brought = Result<Owned, String>;

/// What a package of the server comes to.
pub(super) enum Incoming {
    Response { id: u64, body: Value },
    Push { route: String, body: Value },
    Kick { reason: String },
    Nothing,
}

/// A link after its handshake. Dropped, it closes.
pub(super) struct Link {
    stream: TcpStream,
    /// Until a thread of its own reads.
    reader: Option<Reader>,
    codes: BTreeMap<String, u16>,
    routes: BTreeMap<u16, String>,
    last_id: u64,
    heartbeat: Option<Duration>,
    /// When to send the next heartbeat.
    answer_at: Option<Instant>,
    heard_at: Instant,
}

impl Link {
    /// Connects and shakes hands.
    pub(super) fn open(address: &str) -> Result<Self, String> {
        let because = |error: std::io::Error| format!("{address}: {error}");
        let resolved = address.to_socket_addrs().map_err(because)?.next();
        let resolved = resolved.ok_or_else(|| format!("{address}: no such host"))?;
        let stream = TcpStream::connect_timeout(&resolved, PATIENCE).map_err(because)?;
        stream.set_nodelay(true).map_err(because)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(because)?;
        let reader = Some(Reader::new(stream.try_clone().map_err(because)?));
        let mut link = Self {
            stream,
            reader,
            codes: BTreeMap::new(),
            routes: BTreeMap::new(),
            last_id: 0,
            heartbeat: None,
            answer_at: None,
            heard_at: Instant::now(),
        };
        let hello = json!({"sys": {"type": "rust-tcp", "version": env!("CARGO_PKG_VERSION")}, "user": {}});
        link.send(PackageType::Handshake, hello.to_string().as_bytes())?;
        let answer = link.next()?;
        let answer: Value = (answer.kind == PackageType::Handshake)
            .then(|| serde_json::from_slice(&answer.body).ok())
            .flatten()
            .ok_or("the server speaks another protocol")?;
        if answer["code"] != 200 {
            return Err(format!("the server refuses this client: {}", answer["code"]));
        }
        let sys = &answer["sys"];
        link.heartbeat = sys["heartbeat"].as_f64().filter(|s| *s > 0.0).map(Duration::from_secs_f64);
        for (route, code) in sys["dict"].as_object().into_iter().flatten() {
            if let Some(code) = code.as_u64().and_then(|code| u16::try_from(code).ok()) {
                link.codes.insert(route.clone(), code);
                link.routes.insert(code, route.clone());
            }
        }
        link.send(PackageType::HandshakeAck, &[])?;
        Ok(link)
    }

    /// Asks, and waits for the answer; what comes before it is added to `early`. Not after [`listen`](Self::listen).
    pub(super) fn ask(
        &mut self,
        route: &str,
        message: &Value,
        early: &mut Vec<Incoming>,
    ) -> Result<Value, String> {
        let asked = self.request(route, message)?;
        loop {
            let package = self.next()?;
            match self.take(&package)? {
                Incoming::Response { id, body } if id == asked => return Ok(body),
                Incoming::Kick { reason } => return Err(reason),
                other => early.push(other),
            }
            self.tick(Instant::now())?;
        }
    }

    /// From now on a thread reads, and tells what comes as that of the link `number`.
    pub(super) fn listen(&mut self, number: u64, tell: SyncSender<Event>) {
        let Some(mut reader) = self.reader.take() else { return };
        std::thread::spawn(move || {
            loop {
                let brought = reader.next(None);
                let last = brought.is_err();
                if tell.send(Event::Link(number, brought)).is_err() || last {
                    return;
                }
            }
        });
    }

    /// Sends a request; its id.
    pub(super) fn request(&mut self, route: &str, message: &Value) -> Result<u64, String> {
        self.last_id += 1;
        let code = self.codes.get(route).map(|&code| Route::Code(code));
        let body = message.to_string();
        let mut bytes = Vec::new();
        Message::request(self.last_id, code.unwrap_or(Route::Name(route)), body.as_bytes())
            .encode_into(&mut bytes)
            .map_err(|error| error.to_string())?;
        self.send(PackageType::Data, &bytes)?;
        Ok(self.last_id)
    }

    /// Understands a package.
    pub(super) fn take(&mut self, package: &Owned) -> Result<Incoming, String> {
        self.heard_at = Instant::now();
        match package.kind {
            PackageType::Data => self.understand(&package.body),
            PackageType::Heartbeat => {
                // One for each of the server's, an interval later.
                self.answer_at = self.heartbeat.map(|interval| self.heard_at + interval);
                Ok(Incoming::Nothing)
            }
            PackageType::Kick => {
                let body: Value = serde_json::from_slice(&package.body).unwrap_or_default();
                Ok(Incoming::Kick { reason: body["reason"].as_str().unwrap_or("kicked").into() })
            }
            PackageType::Handshake | PackageType::HandshakeAck => Ok(Incoming::Nothing),
        }
    }

    fn understand(&self, bytes: &[u8]) -> Result<Incoming, String> {
        let message = Message::decode(bytes).map_err(|error| error.to_string())?;
        let body = if message.body.is_empty() { b"null" } else { message.body };
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        Ok(match (message.kind, message.id, message.route) {
            (MessageKind::Response, Some(id), _) => Incoming::Response { id, body },
            (MessageKind::Push, _, Some(Route::Name(route))) => Incoming::Push { route: route.into(), body },
            (MessageKind::Push, _, Some(Route::Code(code))) => {
                let route = self.routes.get(&code).ok_or("a route that is in no dictionary")?;
                Incoming::Push { route: route.clone(), body }
            }
            _ => Incoming::Nothing,
        })
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let silent_at = self.heartbeat.map(|interval| self.heard_at + interval * 2);
        [self.answer_at, silent_at].into_iter().flatten().min()
    }

    /// Answers the server's heartbeat when it is time, and notices that none comes.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), String> {
        if self.answer_at.is_some_and(|at| now >= at) {
            self.answer_at = None;
            self.send(PackageType::Heartbeat, &[])?;
        }
        match self.heartbeat {
            Some(interval) if now >= self.heard_at + interval * 2 => Err("the server is silent".into()),
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> Result<Owned, String> {
        self.reader.as_mut().ok_or("another thread reads")?.next(Some(PATIENCE))
    }

    fn send(&mut self, kind: PackageType, body: &[u8]) -> Result<(), String> {
        let mut bytes = Vec::new();
        package::encode_into(&mut bytes, kind, body).map_err(|error| error.to_string())?;
        self.stream.write_all(&bytes).map_err(|error| format!("the connection is lost: {error}"))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Wakes the thread that reads, too.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
