//! What travels on the links between masters, servers and the command line.
//!
//! A message is a [`Message`] in postcard's format. How messages become encrypted records on a
//! socket is the business of the engine's links; their versions must agree exactly ([`VERSION`]).

mod admin;
mod digest;
mod listing;
mod message;

pub use admin::{Request, Response, Selection};
pub use digest::Digest;
pub use listing::{
    ChannelsRow, Listing, MasterRole, MasterRow, MasterState, PurgeRow, ServerRow, ServerState,
};
pub use message::{Call, Hello, Message, Phase, Register, Return, Role, ServerInfo, Welcome};

use crate::{Error, ErrorKind, Result};
use alloc::format;
use alloc::vec::Vec;

/// The version of the link protocol, its handshake and its messages.
pub const VERSION: u8 = 4;

/// The largest message that is sent or taken, in bytes.
pub const MAX_MESSAGE: usize = 8 << 20;

/// Encodes a message.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if it is larger than [`MAX_MESSAGE`].
pub fn encode(message: &Message) -> Result<Vec<u8>> {
    encode_behind(&[], message)
}

/// Encodes a message behind a header of the caller's.
///
/// # Errors
/// As for [`encode`].
pub fn encode_behind(header: &[u8], message: &Message) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(header.len() + message.expected_length());
    bytes.extend_from_slice(header);
    let bytes = postcard::to_extend(message, bytes)
        .map_err(|e| Error::new(ErrorKind::Protocol, "cannot encode a message").with_source(e))?;
    let length = bytes.len() - header.len();
    if length > MAX_MESSAGE {
        let message =
            format!("a message of {length} bytes is over the limit of {MAX_MESSAGE}: send less at once");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(bytes)
}

/// Decodes a message, which must fill `bytes` exactly.
///
/// # Errors
/// [`Protocol`](ErrorKind::Protocol) if it is not one.
pub fn decode(bytes: &[u8]) -> Result<Message> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok(_) => Err(Error::new(ErrorKind::Protocol, "a message has bytes behind its end")),
        Err(e) => Err(Error::new(ErrorKind::Protocol, "cannot decode a message").with_source(e)),
    }
}
