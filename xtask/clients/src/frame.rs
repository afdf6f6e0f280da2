//! Frames of WebSocket (RFC 6455): whole messages only, which is what every server here sends.

use anyhow::{Result, bail};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// Still masked.
    pub(crate) payload: &'a [u8],
}

/// The first frame of `bytes` and its length, if it is there as a whole.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    if first & 0xf0 != 0x80 {
        bail!("a frame that is a fragment or compressed (its first byte is {first:#x})");
    }
    let (length, mut at) = match (second & 0x7f, bytes) {
        (126, &[_, _, a, b, ..]) => (usize::from(u16::from_be_bytes([a, b])), 4),
        (127, &[_, _, a, b, c, d, e, f, g, h, ..]) => {
            (usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h]))?, 10)
        }
        (126 | 127, _) => return Ok(None),
        (short, _) => (usize::from(short), 2),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        let Some(&key) = bytes[at..].first_chunk() else { return Ok(None) };
        (mask, at) = (Some(key), at + 4);
    }
    let Some(payload) = bytes.get(at..at.saturating_add(length)) else { return Ok(None) };
    Ok(Some((Frame { opcode: first & 0xf, mask, payload }, at + length)))
}

/// Appends a frame: from a client with a mask, from a server without.
pub(crate) fn encode(into: &mut Vec<u8>, opcode: u8, mask: Option<[u8; 4]>, payload: &[u8]) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    into.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => into.push(masked | length),
        (_, Ok(length)) => {
            into.push(masked | 126);
            into.extend(length.to_be_bytes());
        }
        _ => {
            into.push(masked | 127);
            into.extend((payload.len() as u64).to_be_bytes());
        }
    }
    match mask {
        None => into.extend_from_slice(payload),
        Some(key) => {
            into.extend(key);
            let from = into.len();
            into.extend_from_slice(payload);
            mask_with(&mut into[from..], key);
        }
    }
}

/// Puts a mask on, or takes it off.
pub(crate) fn mask_with(payload: &mut [u8], key: [u8; 4]) {
    // Four bytes at a time: it is done for every request.
    let (words, rest) = payload.as_chunks_mut::<4>();
    let mask = u32::from_ne_bytes(key);
    words.iter_mut().for_each(|word| *word = (u32::from_ne_bytes(*word) ^ mask).to_ne_bytes());
    rest.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_come_back() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
            for mask in [None, Some([1, 2, 3, 250])] {
                let mut bytes = Vec::new();
                encode(&mut bytes, BINARY, mask, &payload);
                for cut in [0, 1, bytes.len() - 1] {
                    assert_eq!(decode(&bytes[..cut]).expect("a part"), None, "{cut} of {}", bytes.len());
                }
                bytes.push(7);
                let (frame, consumed) = decode(&bytes).expect("good").expect("whole");
                assert_eq!((frame.opcode, frame.mask, consumed), (BINARY, mask, bytes.len() - 1));
                let mut plain = frame.payload.to_vec();
                mask_with(&mut plain, frame.mask.unwrap_or_default());
                assert_eq!(plain, payload);
            }
        }
    }

    #[test]
    fn fragments_and_compressed_frames_are_refused() {
        assert!(decode(&[0x02, 0]).is_err());
        assert!(decode(&[0xc2, 0]).is_err());
    }
}
