//! What has come from servers.

use crate::tally::Tally;

/// What has come since it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// So many clients are ready to be used, of all.
    pub(crate) ready: usize,
    pub(crate) responses: Vec<Response>,
    pub(crate) tally: Tally,
}

/// An answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) client: usize,
    pub(crate) id: u32,
    /// What it says, if that is not that all is well.
    pub(crate) refusal: Option<String>,
}

impl Response {
    pub(crate) fn of(client: usize, id: u32, body: &[u8]) -> Self {
        // Every handler here answers with this first.
        let good = body.strip_prefix(b"[").unwrap_or(body).starts_with(b"{\"code\":200");
        let refusal = (!good).then(|| String::from_utf8_lossy(body).into_owned());
        Self { client, id, refusal }
    }
}
