//! socket.io's protocol, the fifth, over engine.io's fourth: texts, as far as a client without binary data needs it.

use anyhow::{Context as _, Result, bail};

/// Where a client's request for WebSocket goes.
pub(crate) const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

pub(crate) const CONNECT: &str = "40";
pub(crate) const PONG: &str = "3";
const PUSH: &[u8] = b"[\"onChat\",";

/// What a server may say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// engine.io is open.
    Open,
    Ping,
    /// socket.io's namespace is open.
    Connected,
    /// The answer to a request: an array.
    Ack {
        id: u32,
        body: &'a [u8],
    },
    /// A push's body, with a bracket at its end.
    Push {
        body: &'a [u8],
    },
}

/// What a text says.
pub(crate) fn packet(text: &[u8]) -> Result<Packet<'_>> {
    match *text {
        [b'0', ..] => Ok(Packet::Open),
        [b'2'] => Ok(Packet::Ping),
        [b'4', b'0', ..] => Ok(Packet::Connected),
        [b'4', b'2', ref event @ ..] => {
            let body = event.strip_prefix(PUSH).context("an event of another name")?;
            Ok(Packet::Push { body })
        }
        [b'4', b'3', ref rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (id, body) = rest.split_at(digits);
            Ok(Packet::Ack { id: core::str::from_utf8(id)?.parse().context("an ack without an id")?, body })
        }
        _ => bail!("socket.io says {}", String::from_utf8_lossy(text)),
    }
}

/// A request, which is answered.
pub(crate) fn request(id: u32, event: &str, body: &str) -> String {
    format!("42{id}[\"{event}\",{body}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_by_their_text() {
        assert_eq!(packet(b"0{\"sid\":\"a\"}").expect("good"), Packet::Open);
        assert_eq!(packet(b"2").expect("good"), Packet::Ping);
        assert_eq!(packet(b"40{\"sid\":\"b\"}").expect("good"), Packet::Connected);
        assert_eq!(packet(b"42[\"onChat\",{}]").expect("good"), Packet::Push { body: b"{}]" });
        assert_eq!(packet(b"4317[{}]").expect("good"), Packet::Ack { id: 17, body: b"[{}]" });
        assert_eq!(request(17, "push", "{}"), "4217[\"push\",{}]");
        for bad in [&b""[..], b"41", b"43[]", b"42[\"other\"]", b"44{}"] {
            assert!(packet(bad).is_err(), "{bad:?}");
        }
    }
}
