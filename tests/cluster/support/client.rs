//! A client that speaks Pomelo's protocol over TCP, as plainly as can be.

use super::wait::DEADLINE;
use alloc::collections::{BTreeMap, VecDeque};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A connection whose handshake is through.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    last: u64,
    /// Routes by the codes that the server uses for them.
    dictionary: BTreeMap<u64, String>,
    responses: BTreeMap<u64, Value>,
    pushes: VecDeque<(String, Value)>,
    kicked: Option<Value>,
}

const HANDSHAKE: u8 = 1;
const ACK: u8 = 2;
const HEARTBEAT: u8 = 3;
const DATA: u8 = 4;
const KICK: u8 = 5;

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut client = Self {
            stream,
            last: 0,
            dictionary: BTreeMap::new(),
            responses: BTreeMap::new(),
            pushes: VecDeque::new(),
            kicked: None,
        };
        let hello = json!({"sys": {"type": "test", "version": "0.0.1"}, "user": {}});
        client.send(HANDSHAKE, hello.to_string().as_bytes());
        let (kind, body) = client.read().expect("an answer to the handshake");
        assert_eq!(kind, HANDSHAKE);
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(answer["code"], 200, "{answer}");
        for (route, code) in answer["sys"]["dict"].as_object().into_iter().flatten() {
            client.dictionary.insert(code.as_u64().expect("a code"), route.clone());
        }
        client.send(ACK, b"");
        client
    }

    /// Whether the server knows a short code for a route.
    pub(crate) fn knows(&self, route: &str) -> bool {
        self.dictionary.values().any(|known| known == route)
    }

    /// Sends a request, and returns its id.
    pub(crate) fn request(&mut self, route: &str, body: &Value) -> u64 {
        self.last += 1;
        let mut message = vec![0];
        let mut id = self.last;
        loop {
            let bits = u8::try_from(id & 0x7f).expect("seven bits");
            id >>= 7;
            message.push(if id > 0 { bits | 0x80 } else { bits });
            if id == 0 {
                break;
            }
        }
        self.put(message, route, body);
        self.last
    }

    pub(crate) fn notify(&mut self, route: &str, body: &Value) {
        self.put(vec![1 << 1], route, body);
    }

    fn put(&mut self, mut message: Vec<u8>, route: &str, body: &Value) {
        message.push(u8::try_from(route.len()).expect("a short route"));
        message.extend_from_slice(route.as_bytes());
        message.extend_from_slice(body.to_string().as_bytes());
        self.send(DATA, &message);
    }

    /// Waits for the response to a request.
    pub(crate) fn response(&mut self, id: u64) -> Value {
        loop {
            if let Some(response) = self.responses.remove(&id) {
                return response;
            }
            self.take();
        }
    }

    pub(crate) fn ask(&mut self, route: &str, body: &Value) -> Value {
        let id = self.request(route, body);
        self.response(id)
    }

    /// Waits for the next message that the server sends by itself.
    pub(crate) fn push(&mut self) -> (String, Value) {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return push;
            }
            self.take();
        }
    }

    /// Waits until the server closes the connection, and returns what it said before.
    pub(crate) fn closed(&mut self) -> Option<Value> {
        while let Some((kind, body)) = self.read() {
            self.understand(kind, &body);
        }
        self.kicked.take()
    }

    fn take(&mut self) {
        let (kind, body) = self.read().expect("the server has closed the connection");
        self.understand(kind, &body);
    }

    fn understand(&mut self, kind: u8, body: &[u8]) {
        match kind {
            // No test takes so long that one would have to be answered.
            HEARTBEAT => {}
            KICK => self.kicked = Some(serde_json::from_slice(body).expect("JSON")),
            DATA => self.message(body),
            other => panic!("a package of type {other}"),
        }
    }

    fn message(&mut self, message: &[u8]) {
        let (flag, mut rest) = message.split_first().expect("a flag");
        assert_eq!(flag & 0x10, 0, "it is not compressed");
        match flag >> 1 & 7 {
            2 => {
                let (mut id, mut shift) = (0, 0);
                loop {
                    let (byte, after) = rest.split_first().expect("an id");
                    rest = after;
                    id |= u64::from(byte & 0x7f) << shift;
                    shift += 7;
                    if byte & 0x80 == 0 {
                        break;
                    }
                }
                self.responses.insert(id, serde_json::from_slice(rest).expect("JSON"));
            }
            3 => {
                let route = if flag & 1 == 1 {
                    let code = u64::from(rest[0]) << 8 | u64::from(rest[1]);
                    rest = &rest[2..];
                    self.dictionary[&code].clone()
                } else {
                    let length = usize::from(rest[0]);
                    let route = String::from_utf8_lossy(&rest[1..=length]).into_owned();
                    rest = &rest[1 + length..];
                    route
                };
                self.pushes.push_back((route, serde_json::from_slice(rest).expect("JSON")));
            }
            kind => panic!("a message of kind {kind}"),
        }
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("a small body");
        let mut package = (u32::from(kind) << 24 | length).to_be_bytes().to_vec();
        package.extend_from_slice(body);
        // A server that has closed is seen by reading.
        let _ = self.stream.write_all(&package);
    }

    /// The next package; `None` at the end.
    fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).ok()?;
        let length = u32::from_be_bytes(header) & 0x00ff_ffff;
        let mut body = vec![0; usize::try_from(length).expect("32 bits")];
        self.stream.read_exact(&mut body).ok()?;
        Some((header[0], body))
    }
}
