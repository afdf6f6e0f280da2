//! WebSocket frames of clients, by RFC 6455.
//!
//! They are read where they lie: a frame that has come as a whole, as nearly all do, is not copied, and a client
//! that is idle has no buffer.

use super::why::Why;
use core::ops::Range;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// A frame of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) opcode: OpCode,
    pub(super) is_final: bool,
    /// Where its payload lies.
    pub(super) payload: Range<usize>,
}

/// The longest payload of a control frame.
const MAX_CONTROL: u64 = 125;

/// The frame at the start of `bytes`, unmasked; `None` if its end has not come yet.
///
/// # Errors
/// [`WebSocket`](Why::WebSocket), or [`WebSocketTooLong`](Why::WebSocketTooLong) for more than `max` bytes.
pub(super) fn next(bytes: &mut [u8], max: usize) -> Result<Option<Incoming>, Why> {
    let mut cursor = Cursor::new(&*bytes);
    let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| Why::WebSocket)? else {
        return Ok(None);
    };
    let start = usize::try_from(cursor.position()).map_err(|_| Why::WebSocket)?;
    let FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
    let Some(mask) = mask else { return Err(Why::WebSocket) };
    if rsv1 || rsv2 || rsv3 {
        return Err(Why::WebSocket);
    }
    match opcode {
        OpCode::Control(_) if !is_final || length > MAX_CONTROL => return Err(Why::WebSocket),
        OpCode::Data(Data::Text) => return Err(Why::Text),
        _ => {}
    }
    let length = usize::try_from(length).ok().filter(|&length| length <= max).ok_or(Why::WebSocketTooLong)?;
    let Some(payload) = bytes.get_mut(start..start + length) else { return Ok(None) };
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(Some(Incoming { opcode, is_final, payload: start..start + length }))
}

/// That the payload of a close frame is right, by sections 5.5.1 and 7.4.
///
/// # Errors
/// [`WebSocket`](Why::WebSocket).
pub(super) fn check_close(payload: &[u8]) -> Result<(), Why> {
    match payload {
        [] => Ok(()),
        [a, b, reason @ ..]
            if CloseCode::from(u16::from_be_bytes([*a, *b])).is_allowed()
                && core::str::from_utf8(reason).is_ok() =>
        {
            Ok(())
        }
        _ => Err(Why::WebSocket),
    }
}

/// Whether a frame is a part of a message, and which.
pub(super) const fn is_continued(opcode: OpCode) -> bool {
    matches!(opcode, OpCode::Data(Data::Continue))
}

/// Whether it is one of these.
pub(super) const fn control(opcode: OpCode) -> Option<Control> {
    match opcode {
        OpCode::Control(control) => Some(control),
        OpCode::Data(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tungstenite::protocol::{Role, WebSocket};

    /// Frames as a client's library writes them.
    fn written(message: tungstenite::Message) -> Vec<u8> {
        #[derive(Default)]
        struct Wire(Vec<u8>);
        impl io::Read for Wire {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        impl io::Write for Wire {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut socket = WebSocket::from_raw_socket(Wire::default(), Role::Client, None);
        socket.send(message).unwrap();
        socket.get_ref().0.clone()
    }

    #[test]
    fn what_a_client_writes_is_read_and_a_cut_waits() {
        for length in [0, 1, 125, 126, 70_000] {
            let body: Vec<u8> = (0..=250).cycle().take(length).collect();
            let whole = written(tungstenite::Message::Binary(body.clone().into()));
            for cut in (0..whole.len()).step_by(whole.len() / 20 + 1) {
                assert_eq!(next(&mut whole[..cut].to_vec(), 1 << 20), Ok(None));
            }
            let mut bytes = whole;
            let frame = next(&mut bytes, 1 << 20).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.is_final), (OpCode::Data(Data::Binary), true));
            assert_eq!(bytes[frame.payload.clone()], body);
            assert_eq!(frame.payload.end, bytes.len());
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused_before_its_payload_comes() {
        let masked = |first: u8, length: u8| vec![first, 0x80 | length, 1, 2, 3, 4];
        assert_eq!(next(&mut [0x82, 0x01, 0x00], 100), Err(Why::WebSocket), "not masked");
        assert_eq!(next(&mut masked(0xC2, 1), 100), Err(Why::WebSocket), "a reserved bit");
        assert_eq!(next(&mut masked(0x83, 1), 100), Err(Why::WebSocket), "an unknown kind");
        assert_eq!(next(&mut masked(0x09, 1), 100), Err(Why::WebSocket), "a ping in parts");
        assert_eq!(next(&mut [0x89, 0xFE, 0, 126, 1, 2, 3, 4], 1000), Err(Why::WebSocket), "a long ping");
        assert_eq!(next(&mut masked(0x81, 1), 100), Err(Why::Text));
        assert_eq!(next(&mut masked(0x82, 101), 100), Err(Why::WebSocketTooLong));
        let mut endless = vec![0x82, 0xFF];
        endless.extend_from_slice(&[0xFF; 12]);
        assert_eq!(next(&mut endless, 100), Err(Why::WebSocketTooLong));
    }

    #[test]
    fn close_frames_are_checked() {
        for right in [&[][..], &[3, 0xE8], b"\x03\xE8bye"] {
            assert_eq!(check_close(right), Ok(()));
        }
        for wrong in [&[3][..], &[0, 1], &[3, 0xED], b"\x03\xE8\xFF"] {
            assert_eq!(check_close(wrong), Err(Why::WebSocket), "{wrong:?}");
        }
    }
}
