//! How the desired state stands in its znode: a line of JSON that says which reign wrote it, then the
//! state itself, compressed if it is large.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tangelo_core::coordinator::Epoch;
use tangelo_core::runtime::{Runtime, unblock};
use tangelo_core::{Error, ErrorKind, Result};

/// The version of the format.
const FORMAT: u32 = 1;
/// A state of more bytes than this is compressed.
const PLAIN: usize = 64 * 1024;
/// What fits into a request: ZooKeeper drops the connection over one of 1 MiB (`jute.maxbuffer`),
/// and paths, checks and header need room beside the state.
const FITS: usize = 1024 * 1024 - 8 * 1024;
/// A state is never larger than this, before it is compressed.
const LARGEST: usize = 64 * 1024 * 1024;
/// Much smaller already, and three times as fast as the default.
const LEVEL: u8 = 3;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    tangelo: u32,
    epoch: Epoch,
    #[serde(default)]
    deflate: bool,
}

/// What to write.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if it does not fit.
pub(crate) async fn encode(runtime: &dyn Runtime, epoch: Epoch, state: &[u8]) -> Result<Vec<u8>> {
    let deflate = state.len() > PLAIN;
    let header = Header { tangelo: FORMAT, epoch, deflate };
    let mut data = serde_json::to_vec(&header).map_err(|e| {
        Error::new(ErrorKind::Invalid, "a state whose header cannot be written as JSON").with_source(e)
    })?;
    data.push(b'\n');
    if deflate && state.len() <= LARGEST {
        let state = state.to_vec();
        let packed = unblock(runtime, move || miniz_oxide::deflate::compress_to_vec(&state, LEVEL)).await?;
        data.extend(packed);
    } else {
        data.extend_from_slice(state);
    }
    if data.len() > FITS {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the cluster's state of {} bytes is {} compressed, and ZooKeeper takes {FITS} at most: run fewer servers in one cluster",
                state.len(),
                data.len()
            ),
        ));
    }
    Ok(data)
}

/// Which reign wrote it; the first of all if that does not stand there.
pub(crate) fn epoch(data: &[u8]) -> Epoch {
    split(data).map_or(Epoch(0), |(header, _)| header.epoch)
}

/// The state itself.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid), with `place` in it, for what no `encode` has made.
pub(crate) async fn decode(runtime: &dyn Runtime, data: Vec<u8>, place: &str) -> Result<Vec<u8>> {
    let damaged = || {
        let shown = crate::published::shown(&data);
        let message = format!("{place} holds no state of a cluster but {shown}: delete it to begin anew");
        Error::new(ErrorKind::Invalid, message)
    };
    let (header, body) = split(&data).ok_or_else(damaged)?;
    if header.tangelo != FORMAT {
        let found = header.tangelo;
        let message = format!("{place} holds a state of format {found}, which this version does not know");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    if !header.deflate {
        return Ok(body.to_vec());
    }
    let packed = body.to_vec();
    let inflated =
        unblock(runtime, move || miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, LARGEST));
    inflated.await?.map_err(|_| damaged())
}

fn split(data: &[u8]) -> Option<(Header, &[u8])> {
    let end = data.iter().take(1000).position(|b| *b == b'\n')?;
    Some((serde_json::from_slice(&data[..end]).ok()?, &data[end + 1..]))
}
