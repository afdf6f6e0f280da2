//! The handshake: both sides prove that they hold the secret, and say who they are.
//!
//! ```text
//! opener    TNGL version | Noise message 1 (48 bytes, no payload)
//! acceptor  TNGL version | status 0 | u16 BE length | Noise message 2 with its greeting
//! opener    u16 BE length | first record, with its greeting
//! ```
//!
//! `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`, with the preamble as prologue. Message 1 can be
//! replayed by whoever recorded it, so it says nothing: the opener's greeting travels in the first
//! record, which only the one that made the ephemeral key of *this* handshake can write. Before
//! that, the acceptor takes 55 bytes and a record of at most 1 KiB.
//!
//! A version that differs is answered with the preamble alone, a wrong secret with status 1, so
//! that both sides can say what is wrong.

use super::config::{LinkConfig, QueueLimits};
use core::time::Duration;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use serde::{Deserialize, Serialize};
use snow::{Builder, HandshakeState, TransportState};
use std::io;
use tangelo_core::runtime::Stream;
use tangelo_core::wire::{Hello, VERSION};
use tangelo_core::{Error, ErrorKind, Result};

const NOISE: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
const MAGIC: [u8; 4] = *b"TNGL";
pub(super) const PREAMBLE: [u8; 5] = [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION];

/// Noise message 1 without payload: an ephemeral key and a tag.
pub(super) const MESSAGE_1: usize = 32 + TAG;
/// What Noise message 2 adds to its payload.
const MESSAGE_2_OVERHEAD: usize = 32 + TAG;
const TAG: usize = 16;

/// The largest greeting that is sent or taken, in bytes.
const MAX_GREETING: usize = 1024;
/// The longest id in a greeting, in bytes.
const MAX_ID: usize = 255;

const ACCEPTED: u8 = 0;
const DENIED: u8 = 1;

/// What each side tells the other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// Who it is.
    pub(super) hello: Hello,
    /// How much it takes before its reader has read any of it.
    pub(super) credit: QueueLimits,
    /// The time between its heartbeats.
    pub(super) beat: Duration,
}

/// A connection whose two sides have proved themselves.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) noise: TransportState,
    pub(super) peer: Greeting,
}

/// The opener's side; `peer` is how errors name the other one.
///
/// # Errors
/// [`Denied`](ErrorKind::Denied) if the secrets differ, [`Protocol`](ErrorKind::Protocol) if the
/// versions do or the peer is no Tangelo, [`Unavailable`](ErrorKind::Unavailable) if it hung up.
pub(super) async fn open(stream: &mut dyn Stream, config: &LinkConfig, peer: &str) -> Result<Session> {
    let greeting = encode(config)?;
    let mut noise = begin(config, |noise| noise.build_initiator())?;

    let mut first = [0; PREAMBLE.len() + MESSAGE_1];
    first[..PREAMBLE.len()].copy_from_slice(&PREAMBLE);
    noise.write_message(&[], &mut first[PREAMBLE.len()..]).map_err(crypto)?;
    stream.write_all(&first).await.map_err(|e| hung_up(peer, e))?;
    stream.flush().await.map_err(|e| hung_up(peer, e))?;

    check_preamble(read::<5>(stream, peer).await?, peer)?;
    match read::<1>(stream, peer).await? {
        [ACCEPTED] => {}
        [DENIED] => return Err(denied(peer)),
        [status] => return Err(protocol(peer, &format!("unknown handshake status {status}"))),
    }
    let message = read_sized(stream, MAX_GREETING + MESSAGE_2_OVERHEAD, peer).await?;
    let mut payload = vec![0; message.len()];
    let n = noise.read_message(&message, &mut payload).map_err(|_| denied(peer))?;
    let theirs = decode(&payload[..n], peer)?;

    let mut noise = noise.into_transport_mode().map_err(crypto)?;
    let mut record = vec![0; 2 + greeting.len() + TAG];
    let n = noise.write_message(&greeting, &mut record[2..]).map_err(crypto)?;
    record[..2].copy_from_slice(&length(n));
    stream.write_all(&record).await.map_err(|e| hung_up(peer, e))?;
    stream.flush().await.map_err(|e| hung_up(peer, e))?;
    Ok(Session { noise, peer: theirs })
}

/// The acceptor's side; `peer` is how errors name the other one.
///
/// # Errors
/// As for [`open`].
pub(super) async fn accept(stream: &mut dyn Stream, config: &LinkConfig, peer: &str) -> Result<Session> {
    let greeting = encode(config)?;
    if let Err(error) = check_preamble(read::<5>(stream, peer).await?, peer) {
        if error.kind() == ErrorKind::Unsupported {
            refuse(stream, &PREAMBLE).await;
        }
        return Err(error);
    }
    let message = read::<MESSAGE_1>(stream, peer).await?;
    let mut noise = begin(config, |noise| noise.build_responder())?;
    if noise.read_message(&message, &mut [0; MESSAGE_1]).is_err() {
        let mut reply = [DENIED; PREAMBLE.len() + 1];
        reply[..PREAMBLE.len()].copy_from_slice(&PREAMBLE);
        refuse(stream, &reply).await;
        return Err(denied(peer));
    }

    let mut reply = vec![0; PREAMBLE.len() + 3 + greeting.len() + MESSAGE_2_OVERHEAD];
    let (head, body) = reply.split_at_mut(PREAMBLE.len() + 3);
    let n = noise.write_message(&greeting, body).map_err(crypto)?;
    head[..PREAMBLE.len()].copy_from_slice(&PREAMBLE);
    head[PREAMBLE.len()] = ACCEPTED;
    head[PREAMBLE.len() + 1..].copy_from_slice(&length(n));
    stream.write_all(&reply).await.map_err(|e| hung_up(peer, e))?;
    stream.flush().await.map_err(|e| hung_up(peer, e))?;

    let mut noise = noise.into_transport_mode().map_err(crypto)?;
    let record = read_sized(stream, MAX_GREETING + TAG, peer).await?;
    let mut payload = vec![0; record.len()];
    let n = noise
        .read_message(&record, &mut payload)
        .map_err(|_| Error::new(ErrorKind::Denied, format!("{peer} replayed somebody else's handshake")))?;
    let theirs = decode(&payload[..n], peer)?;
    Ok(Session { noise, peer: theirs })
}

pub(super) fn begin(
    config: &LinkConfig,
    build: impl FnOnce(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> Result<HandshakeState> {
    let builder = Builder::new(NOISE.parse().map_err(crypto)?);
    let builder = builder.prologue(&PREAMBLE).map_err(crypto)?;
    let builder = builder.psk(0, config.secret.key()).map_err(crypto)?;
    build(builder).map_err(crypto)
}

fn encode(config: &LinkConfig) -> Result<Vec<u8>> {
    let greeting =
        Greeting { hello: config.hello.clone(), credit: config.queue, beat: config.heartbeat.interval };
    if !greeting.credit.is_usable() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "a link's queue has no room: allow one message and one byte",
        ));
    }
    match postcard::to_allocvec(&greeting) {
        Ok(bytes) if bytes.len() <= MAX_GREETING && greeting.hello.id.len() <= MAX_ID => Ok(bytes),
        _ => Err(Error::new(
            ErrorKind::Invalid,
            format!("this process's id has {} bytes: shorten it to {MAX_ID}", greeting.hello.id.len()),
        )),
    }
}

fn decode(bytes: &[u8], peer: &str) -> Result<Greeting> {
    match postcard::take_from_bytes::<Greeting>(bytes) {
        Ok((greeting, [])) if greeting.hello.id.len() <= MAX_ID && greeting.credit.is_usable() => {
            Ok(greeting)
        }
        _ => Err(protocol(peer, "its greeting makes no sense")),
    }
}

/// Sends a last word. The peer may still be sending: unread input would make the system reset the
/// connection and lose that word, so some of it is read away. The caller's deadline bounds it.
async fn refuse(stream: &mut dyn Stream, reply: &[u8]) {
    if stream.write_all(reply).await.is_ok() && stream.close().await.is_ok() {
        let mut sink = [0; 256];
        for _ in 0..8 {
            if !matches!(stream.read(&mut sink).await, Ok(1..)) {
                break;
            }
        }
    }
}

async fn read<const N: usize>(stream: &mut dyn Stream, peer: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(|e| hung_up(peer, e))?;
    Ok(bytes)
}

async fn read_sized(stream: &mut dyn Stream, limit: usize, peer: &str) -> Result<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(read::<2>(stream, peer).await?));
    if length > limit {
        return Err(protocol(peer, &format!("{length} bytes in its handshake, at most {limit} are allowed")));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.map_err(|e| hung_up(peer, e))?;
    Ok(bytes)
}

fn length(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes()
}

fn check_preamble(preamble: [u8; 5], peer: &str) -> Result<()> {
    match preamble.split_last() {
        Some((&VERSION, magic)) if magic == MAGIC => Ok(()),
        Some((theirs, magic)) if magic == MAGIC => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{peer} speaks link version {theirs} and this process version {VERSION}: run the same release everywhere"
            ),
        )),
        _ => Err(protocol(peer, "it is no Tangelo process; is this the right port?")),
    }
}

fn denied(peer: &str) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!(
            "{peer} does not have this cluster's secret (TANGELO_SECRET, `secret` in master.json or run/secret)"
        ),
    )
}

fn protocol(peer: &str, how: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("cannot link to {peer}: {how}"))
}

fn hung_up(peer: &str, error: io::Error) -> Error {
    Error::io(format_args!("link to {peer}: the connection ended in the handshake"), error)
}

fn crypto(error: snow::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot set up the link's encryption").with_source(error)
}
