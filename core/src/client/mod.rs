//! What clients speak: Pomelo's client protocol.
//!
//! A connection, over TCP or WebSocket, carries [packages](package): a [handshake] and its
//! acknowledgement, heartbeats, and data, each a [message]. A [`Connection`] says what is to be done
//! about each. The bodies of messages are JSON, or [protobuf] where a route has a definition; a
//! [`Dictionary`] makes routes short. Clients in the field are those of Pomelo (JavaScript, C,
//! Unity, Cocos2d-x, Java, iOS) and of Pitaya and Nano.
//!
//! Like all of this crate, nothing here does input or output, and all that comes is bounded.

pub mod connection;
pub mod dictionary;
pub mod error;
pub mod gzip;
pub mod handshake;
pub mod message;
pub mod package;
pub mod protobuf;
pub mod text;

mod digest;
mod varint;

pub use connection::{Action, CloseReason, Connection, Settings, State};
pub use dictionary::Dictionary;
pub use error::{DecodeError, EncodeError};
pub use handshake::{Accept, HandshakeRequest, Refusal};
pub use message::{Message, MessageKind, Route};
pub use package::{Package, PackageType};
pub use protobuf::{Protobuf, Protos};
