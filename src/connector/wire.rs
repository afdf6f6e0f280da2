//! What messages look like to clients: the dictionary of routes, and protobuf.

use super::frame::Frame;
use alloc::borrow::Cow;
use tangelo_core::channel::PushError;
use tangelo_core::client::{Accept, DecodeError, Dictionary, Message, Protobuf, Route, gzip, text};
use tangelo_core::config::ConnectorConfig;
use tangelo_core::{Error, ErrorKind};

/// A compressed body may become so many times as long as the longest package.
const INFLATES: usize = 16;

/// What all clients of this frontend are told in their handshake, and spoken to by.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) accept: Accept,
    dictionary: Option<Dictionary>,
    protobuf: Option<Protobuf>,
    longest: usize,
}

impl Wire {
    pub(super) fn new(
        config: &ConnectorConfig,
        dictionary: Option<Dictionary>,
        protobuf: Option<Protobuf>,
    ) -> Self {
        Self {
            accept: Accept::new(config.heartbeat, dictionary.as_ref(), protobuf.as_ref()),
            dictionary,
            protobuf,
            longest: config.max_package.saturating_mul(INFLATES),
        }
    }

    /// A push, for any number of clients.
    ///
    /// # Errors
    /// `Invalid`: it cannot be encoded.
    pub(super) fn push(&self, route: &str, body: &[u8]) -> Result<Frame, PushError> {
        let body = self.outgoing(route, body)?;
        let code = self.dictionary.as_ref().and_then(|dictionary| dictionary.code(route));
        let route = code.map_or(Route::Name(route), Route::Code);
        made(Frame::message(&Message::push(route, &body)))
    }

    /// The response to a request for `route`.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub(super) fn response(&self, id: u64, route: &str, body: &[u8]) -> Result<Frame, PushError> {
        self.plain_response(id, &self.outgoing(route, body)?)
    }

    /// The same with a body that is as the client reads it.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub(super) fn plain_response(&self, id: u64, body: &[u8]) -> Result<Frame, PushError> {
        made(Frame::message(&Message::response(id, body)))
    }

    fn outgoing<'a>(&self, route: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, PushError> {
        match &self.protobuf {
            Some(protobuf) if protobuf.server().contains(route) => {
                let no_json = |error| {
                    let message =
                        format!("the message for {route}, which is sent as protobuf, is no JSON: {error}");
                    PushError::new(ErrorKind::Invalid, message)
                };
                let value = serde_json::from_slice(body).map_err(no_json)?;
                Ok(protobuf.server().encode(route, &value)?.into())
            }
            _ => Ok(text::to_all_clients(body)),
        }
    }

    /// The route that a client means.
    ///
    /// # Errors
    /// [`RouteCode`](DecodeError::RouteCode).
    pub(super) fn route<'a>(&'a self, route: Option<Route<'a>>) -> Result<&'a str, DecodeError> {
        match route {
            None => Ok(""),
            Some(Route::Name(name)) => Ok(name),
            Some(Route::Code(code)) => {
                let known = self.dictionary.as_ref().and_then(|dictionary| dictionary.route(code));
                known.ok_or(DecodeError::RouteCode(code))
            }
        }
    }

    /// The body of a client's message, as JSON if it came as protobuf.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub(super) fn incoming(&self, route: &str, message: &Message<'_>) -> Result<Vec<u8>, DecodeError> {
        let body = match message.gzip {
            true => Cow::Owned(gzip::inflate(message.body, self.longest)?),
            false => Cow::Borrowed(message.body),
        };
        match &self.protobuf {
            Some(protobuf) if protobuf.client().contains(route) => {
                Ok(protobuf.client().decode(route, &body)?.to_string().into_bytes())
            }
            // JSON has to be UTF-8, which browsers with Pomelo's client do not make of emoji.
            _ => Ok(match text::to_utf8(&body) {
                Cow::Borrowed(_) => body.into_owned(),
                Cow::Owned(mended) => mended.into_bytes(),
            }),
        }
    }
}

fn made<E: Into<Error>>(frame: Result<Frame, E>) -> Result<Frame, PushError> {
    frame.map_err(|error| PushError::from(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tangelo_core::client::{Protos, package};

    fn wire() -> Wire {
        let server = Protos::parse(&json!({"onMove": {"required uInt32 x": 1}})).unwrap();
        let client = Protos::parse(&json!({"area.moveHandler.move": {"required uInt32 x": 1}})).unwrap();
        let dictionary = Dictionary::new(["area.moveHandler.move"], ["onMove"]);
        let config = ConnectorConfig::default();
        Wire::new(&config, Some(dictionary), Some(Protobuf::new(server, client)))
    }

    fn message(frame: &Frame) -> Vec<u8> {
        let (package, _) = package::decode(frame.bytes(false), 1 << 20).unwrap().unwrap();
        package.body.to_vec()
    }

    #[test]
    fn routes_go_by_code_and_bodies_by_protobuf() {
        let frame = wire().push("onMove", br#"{"x": 300}"#).unwrap();
        let bytes = message(&frame);
        let decoded = Message::decode(&bytes).unwrap();
        assert_eq!((decoded.route, decoded.body), (Some(Route::Code(2)), &[8, 0xAC, 2][..]));
        let frame = wire().push("onChat", b"{}").unwrap();
        let bytes = message(&frame);
        assert_eq!(Message::decode(&bytes), Ok(Message::push(Route::Name("onChat"), b"{}")));
        let frame = wire().push("onChat", "\"\u{1F34A}\"".as_bytes()).unwrap();
        let bytes = message(&frame);
        assert_eq!(Message::decode(&bytes).unwrap().body, br#""\ud83c\udf4a""#);
        for body in [&b"no JSON"[..], b"{}", br#"{"x": "text"}"#] {
            assert_eq!(wire().push("onMove", body).unwrap_err().kind, ErrorKind::Invalid);
        }
        assert_eq!(wire().push(&"r".repeat(256), b"{}").unwrap_err().kind, ErrorKind::Invalid);
    }

    #[test]
    fn what_clients_send_becomes_json() {
        let wire = wire();
        let message = Message::notify(Route::Code(1), &[8, 5]);
        let route = wire.route(message.route).unwrap();
        assert_eq!(route, "area.moveHandler.move");
        assert_eq!(wire.incoming(route, &message).unwrap(), br#"{"x":5}"#);
        assert_eq!(wire.route(Some(Route::Code(7))), Err(DecodeError::RouteCode(7)));
        let damaged = Message { gzip: true, ..message };
        assert_eq!(wire.incoming("a", &damaged), Err(DecodeError::Compression));
        let emoji = Message::notify(Route::Name("a"), b"\"\xED\xA0\xBC\xED\xBD\x8A\"");
        assert_eq!(wire.incoming("a", &emoji).unwrap(), "\"\u{1F34A}\"".as_bytes());
    }
}
