//! The handshake: the client says what it is and has, the server what both will use.
//!
//! ```text
//! client  {"sys": {"type": "js-websocket", "version": "0.0.1", "dictVersion": "…", "protoVersion": "…"}, "user": {…}}
//! server  {"code": 200, "sys": {"heartbeat": 30, "dict": {…}, …}, "user": {…}}
//! client  an acknowledgement without a body
//! ```
//!
//! What the server says is what Pomelo 2.2.7 says (`lib/connectors/commands/handshake.js`).

use super::error::DecodeError;
use super::protobuf::Protobuf;
use super::{Dictionary, text};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::time::Duration;
use serde_json::{Map, Value};

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HandshakeRequest {
    /// What is meant for the connector: at least an empty object.
    pub sys: Map<String, Value>,
    /// What is meant for the application; `null` if there is nothing.
    pub user: Value,
}

impl HandshakeRequest {
    /// Reads the body of a handshake package. Only `sys` must be there; what is unknown or of an
    /// unexpected type is kept as it is.
    ///
    /// # Errors
    /// [`Handshake`](DecodeError::Handshake) if it is no JSON or has no object `sys`. Pomelo
    /// answers with [`Refusal::Failed`].
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let Ok(Value::Object(mut request)) = serde_json::from_str(&text::to_utf8(body)) else {
            return Err(DecodeError::Handshake);
        };
        let Some(Value::Object(sys)) = request.swap_remove("sys") else {
            return Err(DecodeError::Handshake);
        };
        Ok(Self { sys, user: request.swap_remove("user").unwrap_or_default() })
    }

    /// The kind of client, such as `js-websocket`.
    #[must_use]
    pub fn client_type(&self) -> Option<Cow<'_, str>> {
        self.text("type")
    }

    /// The client's version, such as `0.0.1`.
    #[must_use]
    pub fn client_version(&self) -> Option<Cow<'_, str>> {
        self.text("version")
    }

    /// The version of the dictionary that the client has already.
    #[must_use]
    pub fn dict_version(&self) -> Option<Cow<'_, str>> {
        self.text("dictVersion")
    }

    /// The version of the protobuf definitions that the client has already.
    #[must_use]
    pub fn proto_version(&self) -> Option<Cow<'_, str>> {
        self.text("protoVersion")
    }

    /// Some clients write versions as numbers.
    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        match self.sys.get(key)? {
            Value::String(text) => Some(text.into()),
            Value::Number(number) => Some(format!("{number}").into()),
            _ => None,
        }
    }
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Its handshake makes no sense, or the application does not want it: code 500.
    Failed,
    /// It is too old: code 501.
    OldClient,
}

impl Refusal {
    /// The code that tells the client.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Failed => 500,
            Self::OldClient => 501,
        }
    }

    /// The body of the handshake package that tells the client: `{"code":500}`.
    #[must_use]
    pub fn body(self) -> Vec<u8> {
        format!(r#"{{"code":{}}}"#, self.code()).into_bytes()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the handshake failed",
            Self::OldClient => "the client is too old",
        })
    }
}

/// What this server tells every client that it lets in: prepared once, so that thousands may come at once.
#[derive(Debug, Clone)]
pub struct Accept {
    heartbeat: String,
    dictionary: Option<Part>,
    protobuf: Option<Part>,
}

/// What is told to those that do not have this version yet.
#[derive(Debug, Clone)]
struct Part {
    version: String,
    json: String,
}

impl Accept {
    /// Tells the time between two heartbeats, if there are to be any. A dictionary with nothing in
    /// it is told, too: the client may have an old one.
    #[must_use]
    pub fn new(
        heartbeat: Option<Duration>,
        dictionary: Option<&Dictionary>,
        protobuf: Option<&Protobuf>,
    ) -> Self {
        let heartbeat = heartbeat.map_or_else(String::new, |time| match time.subsec_nanos() {
            0 => format!(r#""heartbeat":{},"#, time.as_secs()),
            _ => format!(r#""heartbeat":{},"#, time.as_secs_f64()),
        });
        let dictionary = dictionary.map(|dictionary| {
            let (codes, routes) = (dictionary.route_to_code(), dictionary.code_to_route());
            let version = dictionary.version();
            let json = format!(
                r#""dict":{codes},"routeToCode":{codes},"codeToRoute":{routes},"dictVersion":"{version}","#
            );
            Part { version: version.into(), json }
        });
        let protobuf = protobuf.map(|protobuf| Part {
            version: protobuf.version().into(),
            json: format!(r#""protos":{},"#, protobuf.json()),
        });
        Self { heartbeat, dictionary, protobuf }
    }

    /// The body of the handshake package for the client that sent `request`; `user` is what the
    /// application adds.
    #[must_use]
    pub fn body(&self, request: &HandshakeRequest, user: Option<&Value>) -> Vec<u8> {
        let mut body = String::from(r#"{"code":200,"sys":{"#);
        body.push_str(&self.heartbeat);
        if let Some(part) = &self.dictionary {
            part.put(&mut body, request.dict_version());
            body.push_str(r#""useDict":true,"#);
        }
        if let Some(part) = &self.protobuf {
            part.put(&mut body, request.proto_version());
            body.push_str(r#""useProto":true,"#);
        }
        if body.ends_with(',') {
            body.pop();
        }
        body.push('}');
        if let Some(user) = user {
            // Writing into a string does not fail.
            let _ = write!(body, r#","user":{user}"#);
        }
        body.push('}');
        match text::to_all_clients(body.as_bytes()) {
            Cow::Borrowed(_) => body.into_bytes(),
            Cow::Owned(escaped) => escaped,
        }
    }
}

impl Part {
    fn put(&self, body: &mut String, known: Option<Cow<'_, str>>) {
        // Pomelo takes an empty version for none.
        if known.is_none_or(|known| known.is_empty() || known != self.version) {
            body.push_str(&self.json);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use serde_json::json;

    fn told(accept: &Accept, request: &str) -> Value {
        let request = HandshakeRequest::parse(request.as_bytes()).unwrap();
        serde_json::from_slice(&accept.body(&request, None)).unwrap()
    }

    #[test]
    fn whatever_a_client_adds_or_leaves_out_is_taken() {
        let request =
            HandshakeRequest::parse(br#"{"sys":{"type":"x","version":2,"rsa":{}},"more":[]}"#).unwrap();
        assert_eq!(request.client_type().as_deref(), Some("x"));
        assert_eq!(request.client_version().as_deref(), Some("2"));
        assert_eq!((request.dict_version(), request.user.clone()), (None, Value::Null));
        let request =
            HandshakeRequest::parse(b"{\"user\":\"\xED\xA0\xBD\xED\xB8\x80\xFF\",\"sys\":{}}").unwrap();
        assert_eq!(request.user, json!("😀\u{FFFD}"));
    }

    #[test]
    fn a_handshake_without_sys_is_refused() {
        for body in ["", "[]", "{}", "{\"sys\":null}", "{\"sys\":1}", "{\"sys\":{}", "\0"] {
            assert_eq!(HandshakeRequest::parse(body.as_bytes()), Err(DecodeError::Handshake), "{body}");
        }
        assert_eq!(Refusal::Failed.body(), br#"{"code":500}"#);
        assert_eq!(Refusal::OldClient.body(), br#"{"code":501}"#);
        let deep = alloc::format!("{{\"sys\":{}", "[".repeat(50_000));
        assert_eq!(HandshakeRequest::parse(deep.as_bytes()), Err(DecodeError::Handshake));
    }

    #[test]
    fn what_the_client_has_is_not_told_again() {
        let dictionary = Dictionary::new(["chat.chatHandler.send"], []);
        let accept = Accept::new(Some(Duration::from_secs(3)), Some(&dictionary), None);
        let all = told(&accept, r#"{"sys":{}}"#);
        let dict = json!({"chat.chatHandler.send": 1});
        assert_eq!(
            all,
            json!({"code": 200, "sys": {
                "heartbeat": 3, "dict": dict, "routeToCode": dict, "codeToRoute": {"1": "chat.chatHandler.send"},
                "dictVersion": dictionary.version(), "useDict": true,
            }})
        );
        let known = json!({"sys": {"dictVersion": dictionary.version()}}).to_string();
        let short = json!({"code": 200, "sys": {"heartbeat": 3, "useDict": true}});
        assert_eq!(told(&accept, &known), short);
        assert_eq!(told(&accept, r#"{"sys":{"dictVersion":"old"}}"#), all);
    }

    #[test]
    fn heartbeats_are_in_seconds_or_left_out() {
        let heartbeat = |time| told(&Accept::new(time, None, None), r#"{"sys":{}}"#)["sys"].clone();
        assert_eq!(heartbeat(Some(Duration::from_millis(1500))), json!({"heartbeat": 1.5}));
        assert_eq!(heartbeat(None), json!({}));
    }

    #[test]
    fn the_applications_answer_is_told() {
        let body =
            Accept::new(None, None, None).body(&HandshakeRequest::default(), Some(&json!({"room": "a\"b"})));
        assert_eq!(body, br#"{"code":200,"sys":{},"user":{"room":"a\"b"}}"#);
    }
}
