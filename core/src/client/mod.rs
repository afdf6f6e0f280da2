//! What clients speak: Pomelo's client protocol.
//!
//! A connection, over TCP or WebSocket, carries [packages](package): a handshake and its
//! acknowledgement, heartbeats, and data, each a [message](message). Clients in the field are those of
//! Pomelo (JavaScript, C, Unity, Cocos2d-x, Java, iOS) and of Pitaya and Nano.
//!
//! Like all of this crate, nothing here does input or output, and all that comes is bounded.

pub mod error;
pub mod message;
pub mod package;

pub use error::{DecodeError, EncodeError};
pub use message::{Message, MessageKind, Route};
pub use package::{Package, PackageType};
