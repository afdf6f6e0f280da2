//! Messages: what the body of a [data package](super::PackageType::Data) says.
//!
//! ```text
//! u8 flag | id, if a request or a response | route, unless a response | body
//!
//! flag    bit 0: the route is a code; bits 1 to 3: the type; bit 4: the body is compressed
//! id      base 128, the lowest seven bits first, bit 7 of a byte: more follow
//! route   u16 BE code, or u8 length and that many bytes of UTF-8
//! ```
//!
//! The format is that of pomelo-protocol 0.1.6 (`Message.encode`, `Message.decode`), with two
//! differences: Pomelo reads what lies beyond the end of a message as zeros, which here is an error;
//! and its ids break off at 32 bits, since it shifts them as JavaScript does. As Pomelo does, bits 5
//! to 7 of the flag are ignored (Pitaya marks errors with bit 5, in its responses only).

use super::error::{DecodeError, EncodeError};
use super::varint;
use alloc::vec::Vec;

/// The longest name of a route, in bytes.
pub const MAX_ROUTE: usize = 255;

const ROUTE_IS_CODE: u8 = 1;
const GZIP: u8 = 1 << 4;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// The client asks and waits for a response.
    Request = 0,
    /// The client tells something.
    Notify = 1,
    /// The server answers a request.
    Response = 2,
    /// The server tells something.
    Push = 3,
}

impl MessageKind {
    const fn from_flag(flag: u8) -> Result<Self, DecodeError> {
        Ok(match flag >> 1 & 7 {
            0 => Self::Request,
            1 => Self::Notify,
            2 => Self::Response,
            3 => Self::Push,
            kind => return Err(DecodeError::MessageKind(kind)),
        })
    }

    /// Whether such messages carry an id.
    #[must_use]
    pub const fn has_id(self) -> bool {
        matches!(self, Self::Request | Self::Response)
    }

    /// Whether such messages carry a route.
    #[must_use]
    pub const fn has_route(self) -> bool {
        !matches!(self, Self::Response)
    }
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route<'a> {
    /// Its code in the [dictionary](super::Dictionary).
    Code(u16),
    /// Its name, of at most [`MAX_ROUTE`] bytes; it may be empty.
    Name(&'a str),
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// Which request this is, or which one it answers. A request without one (0 on the wire) asks
    /// for no response: Pomelo, too, takes it as a notification.
    pub id: Option<u64>,
    /// What it is about; none in a response only.
    pub route: Option<Route<'a>>,
    /// What it says, as sent: JSON or [protobuf](super::protobuf), compressed if `gzip` is set.
    pub body: &'a [u8],
    /// Whether the body is [compressed](super::gzip).
    pub gzip: bool,
}

impl<'a> Message<'a> {
    /// A client's request.
    #[must_use]
    pub const fn request(id: u64, route: Route<'a>, body: &'a [u8]) -> Self {
        Self { kind: MessageKind::Request, id: some(id), route: Some(route), body, gzip: false }
    }

    /// A client's notification.
    #[must_use]
    pub const fn notify(route: Route<'a>, body: &'a [u8]) -> Self {
        Self { kind: MessageKind::Notify, id: None, route: Some(route), body, gzip: false }
    }

    /// The server's answer to the request `id`.
    #[must_use]
    pub const fn response(id: u64, body: &'a [u8]) -> Self {
        Self { kind: MessageKind::Response, id: some(id), route: None, body, gzip: false }
    }

    /// What the server tells unasked.
    #[must_use]
    pub const fn push(route: Route<'a>, body: &'a [u8]) -> Self {
        Self { kind: MessageKind::Push, id: None, route: Some(route), body, gzip: false }
    }

    /// Reads a message, which fills `bytes`.
    ///
    /// # Errors
    /// [`Truncated`](DecodeError::Truncated), [`MessageKind`](DecodeError::MessageKind),
    /// [`NumberTooLong`](DecodeError::NumberTooLong) or [`RouteNotUtf8`](DecodeError::RouteNotUtf8).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (&flag, mut rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        let kind = MessageKind::from_flag(flag)?;
        let id = if kind.has_id() { some(varint::take(&mut rest)?) } else { None };
        let route = match kind.has_route() {
            true if flag & ROUTE_IS_CODE != 0 => Some(Route::Code(u16::from_be_bytes(take(&mut rest)?))),
            true => {
                let [length] = take(&mut rest)?;
                let (name, body) =
                    rest.split_at_checked(usize::from(length)).ok_or(DecodeError::Truncated)?;
                rest = body;
                Some(Route::Name(core::str::from_utf8(name).map_err(|_| DecodeError::RouteNotUtf8)?))
            }
            false => None,
        };
        Ok(Self { kind, id, route, body: rest, gzip: flag & GZIP != 0 })
    }

    /// How many bytes this has when encoded.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let id = if self.kind.has_id() { varint::len(self.id.unwrap_or(0)) } else { 0 };
        let route = match self.route {
            _ if !self.kind.has_route() => 0,
            Some(Route::Code(_)) => 2,
            Some(Route::Name(name)) => 1 + name.len(),
            None => 1,
        };
        1 + id + route + self.body.len()
    }

    /// Appends this message. What its kind does not carry is left out; a missing route is sent as
    /// an empty name, a missing id as 0.
    ///
    /// # Errors
    /// [`RouteTooLong`](EncodeError::RouteTooLong); then `out` is as it was.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let route = self.route.unwrap_or(Route::Name(""));
        let mut flag = (self.kind as u8) << 1;
        if self.gzip {
            flag |= GZIP;
        }
        match route {
            Route::Name(name) if self.kind.has_route() && name.len() > MAX_ROUTE => {
                return Err(EncodeError::RouteTooLong(name.len()));
            }
            Route::Code(_) if self.kind.has_route() => flag |= ROUTE_IS_CODE,
            _ => {}
        }
        out.reserve(self.encoded_len());
        out.push(flag);
        if self.kind.has_id() {
            varint::put(out, self.id.unwrap_or(0));
        }
        match route {
            _ if !self.kind.has_route() => {}
            Route::Code(code) => out.extend_from_slice(&code.to_be_bytes()),
            Route::Name(name) => {
                out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(name.as_bytes());
            }
        }
        out.extend_from_slice(self.body);
        Ok(())
    }
}

const fn some(id: u64) -> Option<u64> {
    if id == 0 { None } else { Some(id) }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *bytes = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn encoded(message: &Message<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode_into(&mut out).unwrap();
        assert_eq!(out.len(), message.encoded_len());
        out
    }

    #[test]
    fn what_was_encoded_is_read_back() {
        let name = Route::Name("chat.chatHandler.send");
        for message in [
            Message::request(1, name, b"{}"),
            Message::request(u64::MAX, Route::Code(u16::MAX), b""),
            Message::notify(Route::Name(""), b"{}"),
            Message::response(1 << 31, b"{\"code\":200}"),
            Message { gzip: true, ..Message::push(Route::Code(3), &[0xFF; 70]) },
        ] {
            assert_eq!(Message::decode(&encoded(&message)), Ok(message));
        }
    }

    #[test]
    fn the_bytes_are_those_of_pomelo() {
        let request = Message::request(300, Route::Name("a.b"), b"x");
        assert_eq!(encoded(&request), [0, 0xAC, 0x02, 3, b'a', b'.', b'b', b'x']);
        assert_eq!(encoded(&Message::push(Route::Code(0x102), b"x")), [7, 1, 2, b'x']);
        assert_eq!(encoded(&Message::response(127, b"")), [4, 127]);
    }

    #[test]
    fn a_request_with_the_id_0_waits_for_no_response() {
        let message = Message::decode(&[0, 0, 1, b'r', b'{', b'}']).unwrap();
        assert_eq!((message.kind, message.id), (MessageKind::Request, None));
        assert_eq!(encoded(&message), [0, 0, 1, b'r', b'{', b'}']);
    }

    #[test]
    fn every_cut_before_the_body_is_an_error() {
        for message in [Message::request(1 << 31, Route::Name("ü"), b""), Message::push(Route::Code(1), b"")]
        {
            let bytes = encoded(&message);
            for cut in 0..bytes.len() {
                assert_eq!(Message::decode(&bytes[..cut]), Err(DecodeError::Truncated), "{cut}");
            }
        }
    }

    #[test]
    fn ids_beyond_64_bits_unknown_types_and_broken_routes_are_refused() {
        let mut bytes = [0xFF; 12];
        bytes[0] = 0;
        assert_eq!(Message::decode(&bytes), Err(DecodeError::NumberTooLong));
        bytes[10] = 2;
        assert_eq!(Message::decode(&bytes), Err(DecodeError::NumberTooLong));
        for kind in 4..8 {
            assert_eq!(Message::decode(&[kind << 1]), Err(DecodeError::MessageKind(kind)));
        }
        assert_eq!(Message::decode(&[2, 2, 0xC3, 0x28]), Err(DecodeError::RouteNotUtf8));
        let long: String = "r".repeat(MAX_ROUTE + 1);
        let mut out = Vec::new();
        let refused = Message::push(Route::Name(&long), b"").encode_into(&mut out);
        assert_eq!((refused, out.len()), (Err(EncodeError::RouteTooLong(256)), 0));
    }
}
