//! Peers that send anything: for `cargo xtask fuzz`, and for the test that replays what it has found.

use super::config::{LinkConfig, QueueLimits};
use super::frame::{self, Kind};
use super::handshake::{self, Greeting, Session};
use super::record::Reader;
use super::secret::Secret;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures_io::{AsyncRead, AsyncWrite};
use snow::{HandshakeState, TransportState};
use std::io;
use tangelo_core::wire::{Hello, Role, decode, encode};

/// Plays `bytes` as a peer. The first one says which: one without the secret, on either side, one
/// that has it and sends the rest as its greeting, or one that sends the rest as its frames.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&which, rest)) = bytes.split_first() else { return };
    let config = config();
    match which % 4 {
        0 => drop(now(handshake::accept(&mut Peer::stranger(rest), &config, "fuzz"))),
        1 => drop(now(handshake::open(&mut Peer::stranger(rest), &config, "fuzz"))),
        2 => drop(now(handshake::accept(&mut Peer::member(&config, rest.to_vec(), &[]), &config, "fuzz"))),
        _ => {
            let greeting = Greeting {
                hello: config.hello.clone(),
                credit: QueueLimits::default(),
                beat: Duration::from_secs(2),
            };
            let greeting = postcard::to_allocvec(&greeting).expect("a greeting");
            let mut peer = Peer::member(&config, greeting, rest);
            let session = now(handshake::accept(&mut peer, &config, "fuzz"));
            frames(&mut peer, session.expect("a member is let in"), rest);
        }
    }
}

fn config() -> LinkConfig {
    let hello = Hello { role: Role::Server, id: "fuzz".into(), pid: 1 };
    LinkConfig::new(Secret::from_text("a secret").expect("a secret"), hello)
}

/// Reads frames until the end or the first error: their payloads are those of the plaintext.
fn frames(peer: &mut Peer, mut session: Session, plain: &[u8]) {
    let (mut reader, mut taken) = (Reader::default(), 0);
    while now(poll_fn(|cx| reader.poll_fill(cx, peer))).is_ok_and(|n| n > 0) {
        loop {
            let (kind, payload) = match reader.next(&mut session.noise) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return,
            };
            taken += frame::HEADER;
            assert_eq!(plain.get(taken..taken + payload.len()), Some(payload));
            taken += payload.len();
            match kind {
                Kind::Message | Kind::Heartbeat => {
                    if let Ok(message) = decode(payload) {
                        let again = encode(&message).expect("it was a message before");
                        let twice = encode(&decode(&again).expect("a message")).expect("a message");
                        assert_eq!(twice, again);
                    }
                }
                Kind::Credit => drop(frame::credit(payload)),
                Kind::Bye => return,
            }
        }
    }
    assert!(plain.len() - taken <= frame::HEADER + (8 << 20), "what is held back is one frame at most");
}

/// The result of what never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a peer in memory is always ready"),
    }
}

/// The other end, in memory.
#[derive(Debug)]
struct Peer {
    /// What it sends; `read` bytes of it are taken.
    out: Vec<u8>,
    read: usize,
    /// What it was sent.
    heard: Vec<u8>,
    member: Option<Box<Member>>,
}

/// One that has the secret, and what it is going to send.
#[derive(Debug)]
struct Member {
    noise: HandshakeState,
    greeting: Vec<u8>,
    frames: Vec<u8>,
}

impl Peer {
    fn stranger(out: &[u8]) -> Self {
        Self { out: out.to_vec(), read: 0, heard: Vec::new(), member: None }
    }

    fn member(config: &LinkConfig, greeting: Vec<u8>, frames: &[u8]) -> Self {
        let mut noise = handshake::begin(config, |noise| noise.build_initiator()).expect("Noise");
        let mut out = handshake::PREAMBLE.to_vec();
        out.resize(out.len() + handshake::MESSAGE_1, 0);
        noise.write_message(&[], &mut out[handshake::PREAMBLE.len()..]).expect("message 1");
        let member = Member { noise, greeting, frames: frames.to_vec() };
        Self { out, read: 0, heard: Vec::new(), member: Some(Box::new(member)) }
    }

    /// The acceptor has answered: the greeting and the frames follow, in records.
    fn answer(&mut self, member: Member) {
        let Member { mut noise, greeting, frames } = member;
        let message = &self.heard[handshake::PREAMBLE.len() + 3..];
        noise.read_message(message, &mut vec![0; message.len()]).expect("message 2");
        let mut noise = noise.into_transport_mode().expect("Noise");
        record(&mut self.out, &mut noise, &greeting);
        for part in frames.chunks(1000) {
            record(&mut self.out, &mut noise, part);
        }
    }
}

fn record(out: &mut Vec<u8>, noise: &mut TransportState, plain: &[u8]) {
    let mut sealed = vec![0; plain.len() + 16];
    let Ok(length) = noise.write_message(plain, &mut sealed) else { return };
    let Ok(head) = u16::try_from(length) else { return };
    out.extend_from_slice(&head.to_be_bytes());
    out.extend_from_slice(&sealed[..length]);
}

impl AsyncRead for Peer {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.read == self.out.len()
            && let Some(member) = self.member.take()
        {
            self.answer(*member);
        }
        let rest = &self.out[self.read..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.read += n;
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
