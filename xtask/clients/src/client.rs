//! One client.

use crate::events::{Events, Response};
use crate::frame::{self, Frame};
use crate::pomelo::{self, Message};
use crate::socket_io::{self, Packet};
use crate::{body, clock};
use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use core::time::Duration;
use rustix::fd::OwnedFd;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Binary frames, one package in each from the client.
    Pomelo,
    /// Text frames.
    SocketIo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// TCP is not there yet.
    Connecting,
    /// HTTP has been asked for a WebSocket.
    Upgrading,
    /// The protocol's own handshake is on the way.
    Opening,
    Ready,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: OwnedFd,
    index: usize,
    protocol: Protocol,
    stage: Stage,
    /// What has come of a message that is not there as a whole.
    rest: Vec<u8>,
    /// What has not been written yet.
    pub(crate) unsent: Vec<u8>,
    /// Between two heartbeats, in nanoseconds; zero for none.
    interval: u64,
    /// When the next heartbeat is to be sent.
    heartbeat: Option<u64>,
}

impl Client {
    /// One that is being connected.
    pub(crate) const fn new(socket: OwnedFd, index: usize, protocol: Protocol) -> Self {
        let stage = Stage::Connecting;
        Self {
            socket,
            index,
            protocol,
            stage,
            rest: Vec::new(),
            unsent: Vec::new(),
            interval: 0,
            heartbeat: None,
        }
    }

    pub(crate) const fn is_connecting(&self) -> bool {
        matches!(self.stage, Stage::Connecting)
    }

    /// TCP is there: asks for a WebSocket.
    pub(crate) fn connected(&mut self) {
        self.stage = Stage::Upgrading;
        let path = match self.protocol {
            Protocol::Pomelo => "/",
            Protocol::SocketIo => socket_io::PATH,
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGFuZ2Vsby1jbGllbnRzLg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        self.unsent.extend_from_slice(request.as_bytes());
    }

    /// Has a request wait to be written.
    pub(crate) fn request(&mut self, id: u32, what: &str, body: &str) {
        match self.protocol {
            Protocol::Pomelo => {
                let message = pomelo::request(id, &format!("chat.chatHandler.{what}"), body);
                self.package(pomelo::DATA, &message);
            }
            Protocol::SocketIo => self.frame(frame::TEXT, socket_io::request(id, what, body).as_bytes()),
        }
    }

    /// Has a heartbeat wait to be written, if it is time.
    pub(crate) fn tick(&mut self, now: u64) -> bool {
        let due = self.heartbeat.is_some_and(|due| due <= now);
        if due {
            self.heartbeat = None;
            self.package(pomelo::HEARTBEAT, &[]);
        }
        due
    }

    /// Bytes have come.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: u64, events: &mut Events) -> Result<()> {
        if self.rest.is_empty() {
            let consumed = self.consume(bytes, now, events)?;
            self.rest.extend_from_slice(&bytes[consumed..]);
            return Ok(());
        }
        let mut all = core::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let consumed = self.consume(&all, now, events)?;
        all.drain(..consumed);
        self.rest = all;
        Ok(())
    }

    /// Gives how many bytes were of whole messages.
    fn consume(&mut self, bytes: &[u8], now: u64, events: &mut Events) -> Result<usize> {
        let mut at = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(0) };
            let head = &bytes[..end];
            ensure!(head.starts_with(b"HTTP/1.1 101 "), "no WebSocket: {}", String::from_utf8_lossy(head));
            self.stage = Stage::Opening;
            at = end + 4;
            if self.protocol == Protocol::Pomelo {
                self.package(pomelo::HANDSHAKE, pomelo::handshake().as_bytes());
            }
        }
        while let Some((frame, length)) = frame::decode(&bytes[at..])? {
            at += length;
            self.came(&frame, now, events)?;
        }
        Ok(at)
    }

    fn came(&mut self, frame: &Frame<'_>, now: u64, events: &mut Events) -> Result<()> {
        match frame.opcode {
            frame::BINARY | frame::TEXT if self.protocol == Protocol::Pomelo => {
                let mut rest = frame.payload;
                while !rest.is_empty() {
                    let (kind, body) = pomelo::unpack(&mut rest)?;
                    self.came_package(kind, body, now, events)?;
                }
            }
            frame::TEXT => self.came_packet(frame.payload, now, events)?,
            frame::PING => self.frame(frame::PONG, frame.payload),
            frame::PONG => {}
            frame::CLOSE => bail!("the server closes the WebSocket ({:?})", frame.payload),
            opcode => bail!("a frame with the opcode {opcode}"),
        }
        Ok(())
    }

    fn came_package(&mut self, kind: u8, body: &[u8], now: u64, events: &mut Events) -> Result<()> {
        match kind {
            pomelo::DATA => match pomelo::message(body)? {
                Message::Push { body } => self.came_push(body, now, events)?,
                Message::Response { id, body } => events.responses.push(Response::of(self.index, id, body)),
                Message::Request { .. } => bail!("the server requests something"),
            },
            // An answer at once would be answered at once.
            pomelo::HEARTBEAT => self.heartbeat = (self.interval > 0).then(|| now + self.interval),
            pomelo::HANDSHAKE => {
                let interval = pomelo::handshake_answer(body)?.unwrap_or(0.0);
                self.interval = u64::try_from(Duration::try_from_secs_f64(interval)?.as_nanos())?;
                self.package(pomelo::ACK, &[]);
                // A server may wait for the first one.
                self.heartbeat = (self.interval > 0).then(|| now + self.interval);
                self.ready(events);
            }
            pomelo::KICK => bail!("kicked: {}", String::from_utf8_lossy(body)),
            _ => bail!("a package of the kind {kind}"),
        }
        Ok(())
    }

    fn came_packet(&mut self, text: &[u8], now: u64, events: &mut Events) -> Result<()> {
        match socket_io::packet(text)? {
            Packet::Push { body } => self.came_push(body, now, events)?,
            Packet::Ack { id, body } => events.responses.push(Response::of(self.index, id, body)),
            Packet::Ping => self.frame(frame::TEXT, socket_io::PONG.as_bytes()),
            Packet::Open => self.frame(frame::TEXT, socket_io::CONNECT.as_bytes()),
            Packet::Connected => self.ready(events),
        }
        Ok(())
    }

    fn came_push(&self, message: &[u8], now: u64, events: &mut Events) -> Result<()> {
        let (pushed, number) = body::read(message)?;
        events.tally.received(self.index, pushed, number, now)
    }

    fn ready(&mut self, events: &mut Events) {
        self.stage = Stage::Ready;
        events.ready += 1;
    }

    fn package(&mut self, kind: u8, body: &[u8]) {
        let mut package = Vec::with_capacity(body.len() + 4);
        pomelo::package(&mut package, kind, body);
        self.frame(frame::BINARY, &package);
    }

    fn frame(&mut self, opcode: u8, payload: &[u8]) {
        frame::encode(&mut self.unsent, opcode, Some(fastrand::u32(..).to_ne_bytes()), payload);
    }

    /// Writes what waits; whether all of it is written.
    pub(crate) fn flush(&mut self) -> Result<bool> {
        if self.unsent.is_empty() {
            return Ok(true);
        }
        match rustix::io::write(&self.socket, &self.unsent) {
            Ok(written) => drop(self.unsent.drain(..written)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot write"),
        }
        Ok(self.unsent.is_empty())
    }

    /// For whoever waits in vain.
    pub(crate) fn shown(&self) -> String {
        format!("client {} ({:?}, {} bytes unsent)", self.index, self.stage, self.unsent.len())
    }
}

/// Whether a heartbeat may be due between two looks.
pub(crate) const LOOK: u64 = clock::milliseconds(500);
