//! What servers ask each other about channels, in postcard's format.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tangelo_core::{Error, ErrorKind, Result};

/// The route of a [`PushRequest`](tangelo_core::channel::PushRequest).
pub(super) const PUSH: &str = "tangelo.push";
/// The route of a [`Request`].
pub(super) const CHANNEL: &str = "tangelo.channel";

/// A change of the members at the frontend that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    Add { channel: String, uids: Vec<String> },
    Leave { channel: String, uids: Vec<String> },
    LeaveAll { uid: String },
    LeaveEverybody { channel: String },
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    let failed = |e| Error::new(ErrorKind::Protocol, "cannot encode a request about channels").with_source(e);
    postcard::to_allocvec(value).map_err(failed)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Error::new(
            ErrorKind::Protocol,
            "this is no request about channels: are all servers of one version?",
        )),
    }
}
