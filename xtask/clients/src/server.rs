//! A server as bare as can be: one thread that shakes hands with clients, and hands on what they ask for.

use crate::frame;
use crate::pomelo::{self, Message};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result, bail, ensure};
use core::net::{Ipv4Addr, SocketAddrV4};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt;
use std::io::Write as _;
use std::net::TcpListener;

const LISTENER: u64 = u64::MAX;
const OWN: u64 = u64::MAX - 1;

/// What a server does for its clients.
pub(crate) trait Work {
    /// A client asks for something.
    fn request(&mut self, peers: &Peers, from: u64, id: u32, body: &[u8]) -> Result<()>;

    /// A socket of its own.
    fn own(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// There is something to read on that.
    fn read(&mut self, _: &Peers) -> Result<()> {
        Ok(())
    }

    /// All that had come has been looked at.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Everybody who is connected.
#[derive(Default)]
pub(crate) struct Peers(BTreeMap<u64, Peer>);

struct Peer {
    socket: OwnedFd,
    is_open: bool,
    rest: Vec<u8>,
}

/// Prints the port, and serves until it is killed.
pub(crate) fn serve(work: &mut impl Work) -> Result<()> {
    let listener = listen()?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    if let Some(own) = work.own() {
        epoll::add(&epoll, own, EventData::new_u64(OWN), EventFlags::IN)?;
    }
    let mut peers = Peers::default();
    let (mut next, mut found, mut buffer) = (0, Vec::with_capacity(256), vec![0; 1 << 16]);
    loop {
        match epoll::wait(&epoll, spare_capacity(&mut found), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll"),
        }
        for event in found.drain(..) {
            match event.data.u64() {
                LISTENER => {
                    while let Ok((stream, _)) = listener.accept() {
                        sockopt::set_tcp_nodelay(&stream, true)?;
                        stream.set_nonblocking(true)?;
                        epoll::add(&epoll, stream.as_fd(), EventData::new_u64(next), EventFlags::IN)?;
                        peers
                            .0
                            .insert(next, Peer { socket: stream.into(), is_open: false, rest: Vec::new() });
                        next += 1;
                    }
                }
                OWN => work.read(&peers)?,
                number => {
                    for (id, body) in peers.take(number, &mut buffer)? {
                        work.request(&peers, number, id, &body)?;
                    }
                }
            }
        }
        work.flush()?;
    }
}

/// A port of its own, which is printed.
pub(crate) fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{port}").and_then(|()| out.flush())?;
    Ok(listener)
}

/// Reads what is there: nothing, or `None` at the end.
pub(crate) fn read<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match rustix::io::read(socket, &mut *buffer) {
        Err(Errno::AGAIN | Errno::INTR) => Some(&[]),
        Ok(0) | Err(_) => None,
        Ok(read) => Some(&buffer[..read]),
    }
}

/// Whoever it is for reads what comes before asking for more, so there is room for all of it.
pub(crate) fn write(socket: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let written = rustix::io::write(socket, bytes).context("somebody does not read")?;
    ensure!(written == bytes.len(), "somebody does not read");
    Ok(())
}

/// A package as it goes to a client.
pub(crate) fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut package, mut bytes) = (Vec::new(), Vec::new());
    pomelo::package(&mut package, kind, body);
    frame::encode(&mut bytes, frame::BINARY, None, &package);
    bytes
}

impl Peers {
    /// Writes to one of them, if it is still there.
    pub(crate) fn write(&self, number: u64, bytes: &[u8]) -> Result<()> {
        self.0.get(&number).map_or(Ok(()), |peer| write(&peer.socket, bytes))
    }

    /// Writes to everybody.
    pub(crate) fn write_all(&self, bytes: &[u8]) -> Result<()> {
        self.0.values().filter(|peer| peer.is_open).try_for_each(|peer| write(&peer.socket, bytes))
    }

    /// What one of them asks for; to all else it is answered.
    fn take(&mut self, number: u64, buffer: &mut [u8]) -> Result<Vec<(u32, Vec<u8>)>> {
        let Some(peer) = self.0.get_mut(&number) else { return Ok(Vec::new()) };
        let Some(read) = read(&peer.socket, buffer) else {
            self.0.remove(&number);
            return Ok(Vec::new());
        };
        peer.rest.extend_from_slice(read);
        peer.answer()
    }
}

impl Peer {
    /// Answers to everything that has come as a whole, but for requests.
    fn answer(&mut self) -> Result<Vec<(u32, Vec<u8>)>> {
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
        let mut requests = Vec::new();
        while let Some((frame, length)) = frame::decode(&rest[at..])? {
            at += length;
            let mut payload = frame.payload.to_vec();
            frame::mask_with(&mut payload, frame.mask.unwrap_or_default());
            let (kind, body) = pomelo::unpack(&mut &payload[..])?;
            match kind {
                pomelo::HANDSHAKE => {
                    let answer = br#"{"code":200,"sys":{},"user":{}}"#;
                    write(&self.socket, &framed(pomelo::HANDSHAKE, answer))?;
                }
                pomelo::DATA => match pomelo::message(body)? {
                    Message::Request { id, body } => requests.push((id, body.to_vec())),
                    message => bail!("a client says {message:?}"),
                },
                _ => {}
            }
        }
        rest.drain(..at);
        self.rest = rest;
        Ok(requests)
    }
}
