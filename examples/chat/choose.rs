//! Which server is for whom: every process that sees the same servers chooses the same one.

use core::hash::{Hash as _, Hasher as _};
use std::hash::DefaultHasher;
use tangelo::ServerInfo;

/// The server that `key` likes best. Where one goes, only those who liked it most move (rendezvous hashing).
pub(crate) fn best<'a>(servers: &'a [ServerInfo], key: &str) -> Option<&'a ServerInfo> {
    servers.iter().max_by_key(|server| {
        let mut hasher = DefaultHasher::new();
        (key, &server.def.id).hash(&mut hasher);
        hasher.finish()
    })
}
