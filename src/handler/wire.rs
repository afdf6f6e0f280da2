//! What a frontend sends to a backend, in postcard's format.

use serde::{Deserialize, Serialize};
use tangelo_core::{Error, ErrorKind, Result};

/// The route of a [`Forwarded`] message.
pub(super) const REQUEST: &str = "tangelo.request";

/// A client's message on its way to a backend.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forwarded<'a> {
    pub(super) session: u64,
    /// Of the frontend's life in which that session is.
    pub(super) incarnation: u64,
    pub(super) uid: Option<&'a str>,
    /// JSON; empty without any.
    #[serde(with = "serde_bytes")]
    pub(super) settings: &'a [u8],
    pub(super) notify: bool,
    pub(super) route: &'a str,
    /// Stays last: what is received is not copied.
    #[serde(with = "serde_bytes")]
    pub(super) body: &'a [u8],
}

impl<'a> Forwarded<'a> {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let room =
            40 + self.uid.map_or(0, str::len) + self.settings.len() + self.route.len() + self.body.len();
        let failed =
            |e| Error::new(ErrorKind::Protocol, "cannot encode a message of a client").with_source(e);
        postcard::to_extend(self, Vec::with_capacity(room)).map_err(failed)
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((message, [])) => Ok(message),
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "this is no message of a client: are all servers of one version?",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were_and_nothing_else_does() {
        let message = Forwarded {
            session: 7,
            incarnation: 3,
            uid: Some("ann"),
            settings: b"{\"room\":1}",
            notify: false,
            route: "chat.chatHandler.send",
            body: b"\"hello\"",
        };
        let bytes = message.encode().unwrap();
        assert_eq!(Forwarded::decode(&bytes).unwrap(), message);
        assert!(bytes.ends_with(message.body), "the body is last");
        for end in 0..bytes.len() {
            assert_eq!(Forwarded::decode(&bytes[..end]).unwrap_err().kind(), ErrorKind::Protocol);
        }
    }
}
