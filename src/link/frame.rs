//! Frames: what the decrypted stream of bytes is made of.
//!
//! ```text
//! u8 kind | u24 BE length | payload
//! ```

use super::config::QueueLimits;
use tangelo_core::wire::MAX_MESSAGE;

/// The bytes before a frame's payload.
pub(super) const HEADER: usize = 4;

/// The longest reason that is sent or taken, in bytes.
const MAX_REASON: usize = 512;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message of the application; it costs credit.
    Message,
    /// A ping or pong, encoded as a message; it costs nothing.
    Heartbeat,
    /// The reader has made room: so many more messages (u32 BE) and bytes (u32 BE) may come.
    Credit,
    /// The last frame: the sender closes the link, and why (UTF-8).
    Bye,
}

/// Puts a header before an encoded message, or any other payload of at most [`MAX_MESSAGE`].
pub(super) fn put(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    out.extend_from_slice(&head(kind, payload.len()));
    out.extend_from_slice(payload);
}

/// Makes `out` a frame: its first [`HEADER`] bytes were left free, the others are the payload.
pub(super) fn put_header(out: &mut [u8], kind: Kind) {
    let length = out.len().saturating_sub(HEADER);
    if let Some(header) = out.first_chunk_mut() {
        *header = head(kind, length);
    }
}

fn head(kind: Kind, length: usize) -> [u8; HEADER] {
    debug_assert!(length <= MAX_MESSAGE, "the encoder bounds messages");
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0x00FF_FFFF;
    ((kind as u32) << 24 | length).to_be_bytes()
}

/// Announces that the reader has made room.
pub(super) fn put_credit(out: &mut Vec<u8>, credit: QueueLimits) {
    let mut payload = [0; 8];
    payload[..4].copy_from_slice(&credit.messages.to_be_bytes());
    payload[4..].copy_from_slice(&credit.bytes.to_be_bytes());
    put(out, Kind::Credit, &payload);
}

/// Says goodbye, in at most [`MAX_REASON`] bytes.
pub(super) fn put_bye(out: &mut Vec<u8>, reason: &str) {
    put(out, Kind::Bye, &reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON)]);
}

/// Reads a credit's payload.
pub(super) fn credit(payload: &[u8]) -> Result<QueueLimits, String> {
    let (messages, bytes) = payload.split_first_chunk::<4>().ok_or("a credit is too short")?;
    let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| "a credit has the wrong length")?;
    Ok(QueueLimits { messages: u32::from_be_bytes(*messages), bytes: u32::from_be_bytes(bytes) })
}

/// Reads the header at the start of `bytes`: the kind and the payload's length; `None` if it is not whole yet.
pub(super) fn header(bytes: &[u8]) -> Result<Option<(Kind, usize)>, String> {
    let Some((&[kind, a, b, c], _)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    let (kind, limit) = match kind {
        0 => (Kind::Message, MAX_MESSAGE),
        1 => (Kind::Heartbeat, 64),
        2 => (Kind::Credit, 8),
        3 => (Kind::Bye, MAX_REASON),
        _ => return Err(format!("a frame of the unknown kind {kind}")),
    };
    if length > limit {
        return Err(format!("a frame of {length} bytes where at most {limit} are allowed"));
    }
    Ok(Some((kind, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: () = assert!(MAX_MESSAGE < 1 << 24, "a message's length must fit into three bytes");

    #[test]
    fn what_was_put_is_read_back() {
        let mut out = Vec::new();
        put(&mut out, Kind::Message, &[7; 300]);
        assert_eq!(header(&out), Ok(Some((Kind::Message, 300))));
        assert_eq!(out.len(), HEADER + 300);
        assert_eq!(header(&out[..3]), Ok(None));
        let mut same = vec![7; HEADER + 300];
        put_header(&mut same, Kind::Message);
        assert_eq!(same, out);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        put_bye(&mut out, &"é".repeat(400));
        let (kind, length) = header(&out).unwrap().unwrap();
        assert_eq!((kind, length), (Kind::Bye, MAX_REASON));
        assert!(core::str::from_utf8(&out[HEADER..]).is_ok());
    }

    #[test]
    fn unknown_kinds_and_lengths_over_the_limit_are_refused() {
        assert!(header(&[4, 0, 0, 0]).is_err());
        assert!(header(&[3, 0, 2, 1]).is_err());
        assert!(header(&[0, 0x80, 0, 1]).is_err());
        assert!(credit(&[0; 7]).is_err() && credit(&[0; 9]).is_err() && credit(&[0; 3]).is_err());
    }
}
