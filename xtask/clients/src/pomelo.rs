//! Pomelo's protocol, as far as a client needs it: packages and messages, routes by name, bodies in JSON.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

pub(crate) const HANDSHAKE: u8 = 1;
pub(crate) const ACK: u8 = 2;
pub(crate) const HEARTBEAT: u8 = 3;
pub(crate) const DATA: u8 = 4;
pub(crate) const KICK: u8 = 5;

const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const PUSH: u8 = 3;

/// Appends a package.
pub(crate) fn package(into: &mut Vec<u8>, kind: u8, body: &[u8]) {
    // Three bytes are enough for everything here.
    let [_, length @ ..] = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    into.push(kind);
    into.extend(length);
    into.extend_from_slice(body);
}

/// Takes the first package off `bytes`: its kind and its body.
pub(crate) fn unpack<'a>(bytes: &mut &'a [u8]) -> Result<(u8, &'a [u8])> {
    let [kind, a, b, c, rest @ ..] = *bytes else { bail!("a package of {} bytes", bytes.len()) };
    let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c]))?;
    let (body, rest) = rest.split_at_checked(length).context("a package that is cut off")?;
    *bytes = rest;
    Ok((*kind, body))
}

/// A request, as the body of a package.
pub(crate) fn request(id: u32, route: &str, body: &str) -> Vec<u8> {
    let mut message = vec![REQUEST << 1];
    varint(&mut message, id);
    text_route(&mut message, route);
    message.extend_from_slice(body.as_bytes());
    message
}

/// A push, as the body of a package.
pub(crate) fn push(route: &str, body: &str) -> Vec<u8> {
    let mut message = vec![PUSH << 1];
    text_route(&mut message, route);
    message.extend_from_slice(body.as_bytes());
    message
}

/// A response, as the body of a package.
pub(crate) fn response(id: u32, body: &str) -> Vec<u8> {
    let mut message = vec![RESPONSE << 1];
    varint(&mut message, id);
    message.extend_from_slice(body.as_bytes());
    message
}

/// What a server may say, or a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Request { id: u32, body: &'a [u8] },
    Response { id: u32, body: &'a [u8] },
    Push { body: &'a [u8] },
}

/// The body of a package with data.
pub(crate) fn message(bytes: &[u8]) -> Result<Message<'_>> {
    let (&flag, rest) = bytes.split_first().context("a message without a byte")?;
    ensure!(flag & 0xf0 == 0, "a message with the flag {flag:#x}");
    let compressed = flag & 1 != 0;
    match flag >> 1 {
        REQUEST => {
            let (id, rest) = id(rest)?;
            Ok(Message::Request { id, body: after_route(rest, compressed)? })
        }
        RESPONSE => id(rest).map(|(id, body)| Message::Response { id, body }),
        PUSH => Ok(Message::Push { body: after_route(rest, compressed)? }),
        kind => bail!("a message of the kind {kind}"),
    }
}

/// The heartbeat's interval in seconds, if there is one.
pub(crate) fn handshake_answer(body: &[u8]) -> Result<Option<f64>> {
    let answer: Value = serde_json::from_slice(body)?;
    ensure!(answer["code"] == 200, "the handshake was refused: {answer}");
    Ok(answer["sys"]["heartbeat"].as_f64().filter(|&seconds| seconds > 0.0))
}

/// What a client begins with.
pub(crate) fn handshake() -> &'static str {
    r#"{"sys":{"type":"tangelo-clients","version":"0.1.0","rsa":{}},"user":{}}"#
}

fn text_route(into: &mut Vec<u8>, route: &str) {
    // All of them are short.
    into.push(u8::try_from(route.len()).unwrap_or(u8::MAX));
    into.extend_from_slice(route.as_bytes());
}

fn after_route(bytes: &[u8], compressed: bool) -> Result<&[u8]> {
    let length =
        if compressed { 2 } else { 1 + usize::from(*bytes.first().context("a message without a route")?) };
    bytes.get(length..).context("a message whose route is cut off")
}

fn varint(into: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        into.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    into.push(value.to_le_bytes()[0]);
}

fn id(bytes: &[u8]) -> Result<(u32, &[u8])> {
    let mut id = 0;
    for (&byte, shift) in bytes.iter().zip((0..32).step_by(7)) {
        id |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((id, &bytes[shift / 7 + 1..]));
        }
    }
    bail!("a message whose id is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_follow_each_other() {
        let mut bytes = Vec::new();
        package(&mut bytes, HEARTBEAT, &[]);
        package(&mut bytes, DATA, &[7; 300]);
        assert_eq!(bytes[..8], [3, 0, 0, 0, 4, 0, 1, 44]);
        let mut rest = &bytes[..];
        assert_eq!(unpack(&mut rest).expect("whole"), (HEARTBEAT, &[][..]));
        assert_eq!(unpack(&mut &rest[..20]).ok(), None);
        assert_eq!(unpack(&mut rest).expect("whole"), (DATA, &[7; 300][..]));
        assert!(rest.is_empty());
    }

    #[test]
    fn messages_by_their_bytes() {
        assert_eq!(request(300, "a.b.c", "{}"), *b"\x00\xac\x02\x05a.b.c{}");
        assert_eq!(
            message(b"\x00\xac\x02\x05a.b.c{}").expect("good"),
            Message::Request { id: 300, body: b"{}" }
        );
        assert_eq!(message(b"\x04\x81\x01{}").expect("good"), Message::Response { id: 129, body: b"{}" });
        assert_eq!(message(b"\x06\x06onChat{}").expect("good"), Message::Push { body: b"{}" });
        assert_eq!(message(b"\x07\x00\x01{}").expect("good"), Message::Push { body: b"{}" });
        for bad in [&b""[..], b"\x04\x81", b"\x06\x06onC", b"\x17\x00\x01{}", b"\x08"] {
            assert!(message(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn handshakes() {
        let good = br#"{"code":200,"sys":{"heartbeat":30},"user":{}}"#;
        assert_eq!(handshake_answer(good).expect("good"), Some(30.0));
        assert_eq!(handshake_answer(br#"{"code":200,"sys":{}}"#).expect("good"), None);
        assert!(handshake_answer(br#"{"code":501}"#).is_err());
    }
}
