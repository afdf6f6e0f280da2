//! The barest requests: a frontend passes them on to a backend in another process, which gives back what it gets. What
//! comes together goes on together, in one write. Nothing is encrypted, parsed, checked or waited for.

use crate::pomelo;
use crate::server::{Peers, Work, framed, listen, read, write};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result};
use core::net::{Ipv4Addr, SocketAddrV4};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::net::TcpStream;

/// Before a body: the client's number, the request's id and the body's length.
const HEAD: usize = 16;

/// A frontend's link to the backend.
pub(crate) struct Relay {
    backend: OwnedFd,
    buffer: Vec<u8>,
    /// What is to be passed on.
    requests: Vec<u8>,
    /// What has come back and is not whole yet.
    rest: Vec<u8>,
}

impl Relay {
    /// A link to the backend on this port.
    pub(crate) fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let buffer = vec![0; 1 << 18];
        Ok(Self { backend: stream.into(), buffer, requests: Vec::new(), rest: Vec::new() })
    }
}

impl Work for Relay {
    fn request(&mut self, _: &Peers, from: u64, id: u32, body: &[u8]) -> Result<()> {
        self.requests.extend(from.to_be_bytes());
        self.requests.extend(id.to_be_bytes());
        self.requests.extend(u32::try_from(body.len())?.to_be_bytes());
        self.requests.extend_from_slice(body);
        Ok(())
    }

    fn own(&self) -> Option<BorrowedFd<'_>> {
        Some(self.backend.as_fd())
    }

    fn read(&mut self, peers: &Peers) -> Result<()> {
        let read = read(&self.backend, &mut self.buffer).context("the backend has gone")?;
        self.rest.extend_from_slice(read);
        let (mut at, mut answers) = (0, BTreeMap::<u64, Vec<u8>>::new());
        while let Some((from, id, body)) = first(&self.rest[at..]) {
            at += HEAD + body.len();
            let body = str::from_utf8(body)?.strip_prefix('{').context("a body that is no object")?;
            let answer = framed(pomelo::DATA, &pomelo::response(id, &format!("{{\"code\":200,{body}")));
            answers.entry(from).or_default().extend(answer);
        }
        self.rest.drain(..at);
        answers.iter().try_for_each(|(&client, bytes)| peers.write(client, bytes))
    }

    fn flush(&mut self) -> Result<()> {
        if self.requests.is_empty() {
            return Ok(());
        }
        write(&self.backend, &self.requests)?;
        self.requests.clear();
        Ok(())
    }
}

/// The first request of `bytes`, if it is there as a whole.
fn first(bytes: &[u8]) -> Option<(u64, u32, &[u8])> {
    let (from, rest) = bytes.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let body = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((u64::from_be_bytes(*from), u32::from_be_bytes(*id), body))
}

/// The backend: prints its port, and gives everything back until it is killed.
pub(crate) fn backend() -> Result<()> {
    let listener = listen()?;
    let (mut buffer, mut frontends) = (vec![0; 1 << 18], Vec::<OwnedFd>::new());
    loop {
        let mut polled: Vec<_> = frontends.iter().map(|frontend| pollfd(frontend.as_fd())).collect();
        polled.push(pollfd(listener.as_fd()));
        rustix::event::poll(&mut polled, None)?;
        let ready: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        let mut gone = Vec::new();
        for (n, frontend) in frontends.iter().enumerate().filter(|(n, _)| ready[*n]) {
            match read(frontend, &mut buffer) {
                Some(bytes) => write(frontend, bytes)?,
                None => gone.push(n),
            }
        }
        gone.into_iter().rev().for_each(|n| drop(frontends.remove(n)));
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            frontends.push(stream.into());
        }
    }
}

fn pollfd(fd: BorrowedFd<'_>) -> rustix::event::PollFd<'_> {
    rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back_whole_and_in_their_order() {
        let (near, far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("a socket");
        let (buffer, rest) = (vec![0; 1 << 10], Vec::new());
        let mut relay = Relay { backend: near.into(), buffer, requests: Vec::new(), rest };
        for (id, body) in [(1, "a"), (300, ""), (2, "some more")] {
            relay.request(&Peers::default(), 7, id, body.as_bytes()).expect("room");
        }
        let sent = relay.requests.clone();
        relay.flush().expect("room");
        assert!(relay.requests.is_empty());
        let mut got = vec![0; sent.len()];
        std::io::Read::read_exact(&mut &far, &mut got).expect("all of it");
        assert_eq!(got, sent);
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some((from, id, body)) = first(&got[at..]) {
            at += HEAD + body.len();
            found.push((from, id, body));
        }
        assert_eq!(found, [(7, 1, &b"a"[..]), (7, 300, b""), (7, 2, b"some more")]);
        assert_eq!((at, first(&got[..HEAD])), (got.len(), None));
    }
}
