//! Protobuf bodies, as pomelo-protobuf 0.4.0 has them.
//!
//! Definitions are JSON: `config/serverProtos.json` for what the server sends,
//! `config/clientProtos.json` for what clients send.
//!
//! ```json
//! {
//!   "message Path": { "required uInt32 x": 1, "required uInt32 y": 2 },
//!   "onMove": { "required uInt32 entityId": 1, "repeated Path path": 2, "optional string name": 3 }
//! }
//! ```
//!
//! A body is that of Google's protobuf, but for this:
//!
//! - `uInt32` takes any whole number that is not negative, `sInt32` and `int32` take any whole number and
//!   are zigzag encoded, both of up to 64 bits; JavaScript is exact up to 53.
//! - A repeated number is a tag with the number's own wire type, then how *many* numbers follow
//!   (not how many bytes), then these. Repeated texts and messages have a tag each.
//! - The wire type of a tag is written, but not looked at.
//! - A type is looked for among the messages inside the same message, then among those at the top; not in between.
//! - Fields are written in the order in which the message to encode has them.
//! - Reading does not ask whether required fields are there.
//! - A field that the definition does not know is an error.
//!
//! There is no enum, default or bool, and what pomelo-protobuf passes over in silence, such as an
//! unknown type or a tag that is there twice, is an error of the definitions here. So is, in a
//! body, a text or message that is longer than what it is in; pomelo-protobuf reads on or cuts it.

mod decode;
mod definition;
mod encode;
mod field;

use super::digest;
use super::error::DecodeError;
use crate::{Error, ErrorKind, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use definition::Definitions;
use serde_json::Value;

/// How deep messages may be within messages.
const MAX_DEPTH: usize = 32;

/// The definitions of one direction.
#[derive(Debug, Clone, Default)]
pub struct Protos(Definitions);

impl Protos {
    /// Reads definitions, as in `config/serverProtos.json`.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), with what is wrong and where.
    pub fn parse(json: &Value) -> Result<Self> {
        Definitions::parse(json).map(Self)
    }

    /// Whether bodies of this route are in protobuf.
    #[must_use]
    pub fn contains(&self, route: &str) -> bool {
        self.0.route(route).is_some()
    }

    /// Encodes a body. A field that is `null` counts as absent; one without a definition is left out.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the route has no definition; [`Invalid`](ErrorKind::Invalid)
    /// if a required field is missing or a value does not have its field's type.
    pub fn encode(&self, route: &str, body: &Value) -> Result<Vec<u8>> {
        let no_definition =
            || Error::new(ErrorKind::NotFound, format!("no protobuf definition for the route {route}"));
        let definition = self.0.route(route).ok_or_else(no_definition)?;
        encode::encode(&self.0, definition, body).map_err(|fault| fault.at(route))
    }

    /// Decodes a body. It takes memory in proportion to its length: up to some 50 times as much.
    ///
    /// # Errors
    /// [`NoDefinition`](DecodeError::NoDefinition), [`Truncated`](DecodeError::Truncated),
    /// [`UnknownField`](DecodeError::UnknownField), [`NumberTooLong`](DecodeError::NumberTooLong) or
    /// [`TooDeep`](DecodeError::TooDeep).
    pub fn decode(&self, route: &str, body: &[u8]) -> Result<Value, DecodeError> {
        let definition = self.0.route(route).ok_or(DecodeError::NoDefinition)?;
        decode::decode(&self.0, definition, body)
    }

    /// The definitions as clients take them, which is how pomelo-protobuf's `parse` has them.
    #[must_use]
    pub fn parsed(&self) -> &Value {
        self.0.parsed()
    }
}

/// The definitions of both directions.
#[derive(Debug, Clone)]
pub struct Protobuf {
    server: Protos,
    client: Protos,
    version: String,
    json: String,
}

impl Protobuf {
    /// `server` defines what the server sends, `client` what clients send.
    #[must_use]
    pub fn new(server: Protos, client: Protos) -> Self {
        let [servers, clients] = [&server, &client].map(|protos| format!("{}", protos.parsed()));
        let version = digest::version(&[&clients, &servers]);
        let json = format!(r#"{{"server":{servers},"client":{clients},"version":"{version}"}}"#);
        Self { server, client, version, json }
    }

    /// The definitions of what the server sends.
    #[must_use]
    pub const fn server(&self) -> &Protos {
        &self.server
    }

    /// The definitions of what clients send.
    #[must_use]
    pub const fn client(&self) -> &Protos {
        &self.client
    }

    /// Its version: `base64(md5(…))` of both, as Pomelo 2.2.7 has it (`lib/components/protobuf.js`).
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the handshake tells clients that have another version.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }
}
