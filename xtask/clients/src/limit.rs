//! The barest server: it shakes hands, and writes what it is asked to push to one client after the other. There are no
//! channels, no queues, no second process and nothing to wait for: a loop of writes.

use crate::frame;
use crate::pomelo::{self, Message};
use crate::{body, clock};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result, bail, ensure};
use core::net::{Ipv4Addr, SocketAddrV4};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt;
use serde_json::Value;
use std::io::Write as _;
use std::net::TcpListener;

const LISTENER: u64 = u64::MAX;

struct Peer {
    socket: OwnedFd,
    is_open: bool,
    rest: Vec<u8>,
}

/// Serves until it is killed.
pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{port}").and_then(|()| out.flush())?;

    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut peers: BTreeMap<u64, Peer> = BTreeMap::new();
    let (mut next, mut found, mut buffer) = (0, Vec::with_capacity(256), vec![0; 1 << 16]);
    loop {
        match epoll::wait(&epoll, spare_capacity(&mut found), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll"),
        }
        for event in found.drain(..) {
            let number = event.data.u64();
            if number == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    sockopt::set_tcp_nodelay(&stream, true)?;
                    stream.set_nonblocking(true)?;
                    epoll::add(&epoll, stream.as_fd(), EventData::new_u64(next), EventFlags::IN)?;
                    peers.insert(next, Peer { socket: stream.into(), is_open: false, rest: Vec::new() });
                    next += 1;
                }
                continue;
            }
            let Some(peer) = peers.get_mut(&number) else { continue };
            let read = match rustix::io::read(&peer.socket, &mut buffer[..]) {
                Ok(read) => read,
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Err(_) => 0,
            };
            if read == 0 {
                peers.remove(&number);
                continue;
            }
            peer.rest.extend_from_slice(&buffer[..read]);
            for push in peer.answer()? {
                let bytes = push.bytes();
                for peer in peers.values().filter(|peer| peer.is_open) {
                    write(&peer.socket, &bytes)?;
                }
                let answer = pomelo::response(push.id, r#"{"code":200}"#);
                write(&peers[&number].socket, &framed(pomelo::DATA, &answer))?;
            }
        }
    }
}

/// What a client asks for.
struct Push {
    id: u32,
    /// Of the first.
    number: u32,
    count: u32,
}

impl Push {
    fn of(id: u32, body: &[u8]) -> Result<Self> {
        let body: Value = serde_json::from_slice(body)?;
        let field = |name: &str| body[name].as_u64().and_then(|value| u32::try_from(value).ok());
        let (number, count) = field("n").zip(field("count")).context("what should be pushed?")?;
        Ok(Self { id, number, count })
    }

    /// All of them, one frame each.
    fn bytes(&self) -> Vec<u8> {
        let now = clock::now();
        let numbers = self.number..self.number + self.count;
        let frames =
            numbers.map(|number| framed(pomelo::DATA, &pomelo::push("onChat", &body::write(now, number))));
        frames.flatten().collect()
    }
}

impl Peer {
    /// Answers to everything that has come as a whole, but for what it wants to have pushed.
    fn answer(&mut self) -> Result<Vec<Push>> {
        let mut rest = core::mem::take(&mut self.rest);
        let mut at = 0;
        if !self.is_open {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                self.rest = rest;
                return Ok(Vec::new());
            };
            at = end + 4;
            self.is_open = true;
            // Its clients do not look at Sec-WebSocket-Accept.
            let head =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            write(&self.socket, head.as_bytes())?;
        }
        let mut pushes = Vec::new();
        while let Some((frame, length)) = frame::decode(&rest[at..])? {
            at += length;
            let payload: Vec<u8> = frame::unmasked(frame.payload, frame.mask.unwrap_or_default()).collect();
            let (kind, body) = pomelo::unpack(&mut &payload[..])?;
            match kind {
                pomelo::HANDSHAKE => {
                    let answer = br#"{"code":200,"sys":{},"user":{}}"#;
                    write(&self.socket, &framed(pomelo::HANDSHAKE, answer))?;
                }
                pomelo::DATA => match pomelo::message(body)? {
                    Message::Request { id, body } => pushes.push(Push::of(id, body)?),
                    message => bail!("a client says {message:?}"),
                },
                _ => {}
            }
        }
        rest.drain(..at);
        self.rest = rest;
        Ok(pushes)
    }
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut package, mut bytes) = (Vec::new(), Vec::new());
    pomelo::package(&mut package, kind, body);
    frame::encode(&mut bytes, frame::BINARY, None, &package);
    bytes
}

/// Its clients read what comes before they ask for more, so there is room for all of it.
fn write(socket: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let written = rustix::io::write(socket, bytes).context("a client does not read")?;
    ensure!(written == bytes.len(), "a client does not read");
    Ok(())
}
