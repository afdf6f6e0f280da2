//! What goes out: made once, however many clients it is for.

use alloc::sync::Arc;
use tangelo_core::client::{EncodeError, Message, PackageType, package};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame as WebFrame, FrameHeader};

/// The longest header of a WebSocket frame that a server sends: it does not mask.
const WEB_HEADER: usize = 10;

/// Bytes for clients, shared by all that they are for. A package has the header of its WebSocket
/// frame before it, which clients on TCP are not sent.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    bytes: Arc<[u8]>,
    /// Where the package begins.
    package: u8,
}

impl Frame {
    /// A package.
    ///
    /// # Errors
    /// [`PackageTooLong`](EncodeError::PackageTooLong).
    pub(super) fn package(kind: PackageType, body: &[u8]) -> Result<Self, EncodeError> {
        Self::build(kind, body.len(), |out| {
            out.extend_from_slice(body);
            Ok(())
        })
    }

    /// A data package with a message.
    ///
    /// # Errors
    /// [`PackageTooLong`](EncodeError::PackageTooLong), [`RouteTooLong`](EncodeError::RouteTooLong).
    pub(super) fn message(message: &Message<'_>) -> Result<Self, EncodeError> {
        Self::build(PackageType::Data, message.encoded_len(), |out| message.encode_into(out))
    }

    fn build(
        kind: PackageType,
        length: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let header = package::header(kind, length)?;
        let mut out = Vec::with_capacity(WEB_HEADER + header.len() + length);
        web_header(OpCode::Data(Data::Binary), header.len() + length, &mut out);
        let package = u8::try_from(out.len()).unwrap_or(u8::MAX);
        out.extend_from_slice(&header);
        write(&mut out)?;
        Ok(Self { bytes: out.into(), package })
    }

    /// The answer to a ping.
    pub(super) fn pong(payload: &[u8]) -> Self {
        let mut out = Vec::with_capacity(WEB_HEADER + payload.len());
        web_header(OpCode::Control(Control::Pong), payload.len(), &mut out);
        out.extend_from_slice(payload);
        Self::raw(out)
    }

    /// The last frame of a WebSocket.
    pub(super) fn close(reason: Option<CloseFrame>) -> Self {
        let frame = WebFrame::close(reason);
        let mut out = Vec::with_capacity(frame.len());
        web_header(OpCode::Control(Control::Close), frame.payload().len(), &mut out);
        out.extend_from_slice(frame.payload());
        Self::raw(out)
    }

    /// Bytes as they are, for clients that speak HTTP or WebSocket.
    pub(super) fn raw(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), package: 0 }
    }

    /// What a client is sent.
    pub(super) fn bytes(&self, web: bool) -> &[u8] {
        if web { &self.bytes } else { &self.bytes[usize::from(self.package)..] }
    }

    /// How much of a queue it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len()
    }
}

fn web_header(opcode: OpCode, length: usize, out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    // Nothing fails on its way into memory.
    let _ = header.format(length as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tangelo_core::client::Route;
    use tungstenite::Message as WebMessage;
    use tungstenite::protocol::{Role, WebSocket};

    fn read(frames: &[Frame]) -> WebSocket<std::io::Cursor<Vec<u8>>> {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(true)).copied().collect();
        WebSocket::from_raw_socket(std::io::Cursor::new(bytes), Role::Client, None)
    }

    #[test]
    fn a_client_reads_what_was_made_on_either_transport() {
        for length in [0, 100, 200, 70_000] {
            let body = vec![7; length];
            let message = Message::push(Route::Name("onChat"), &body);
            let frame = Frame::message(&message).unwrap();
            let bytes = frame.bytes(false).to_vec();
            let (package, taken) = package::decode(&bytes, package::MAX_BODY).unwrap().unwrap();
            assert_eq!((package.kind, taken), (PackageType::Data, bytes.len()));
            assert_eq!(Message::decode(package.body).unwrap(), message);
            assert_eq!(read(&[frame]).read().unwrap(), WebMessage::Binary(bytes.into()));
        }
    }

    #[test]
    fn control_frames_are_read_too() {
        let reason = CloseFrame { code: 1002.into(), reason: "no".into() };
        let mut socket = read(&[Frame::pong(b"hi"), Frame::close(Some(reason.clone()))]);
        assert_eq!(socket.read().unwrap(), WebMessage::Pong(b"hi".to_vec().into()));
        assert_eq!(socket.read().unwrap(), WebMessage::Close(Some(reason)));
    }

    #[test]
    fn a_frame_in_a_queue_is_small() {
        assert!(size_of::<Frame>() <= 24);
    }
}
