//! Which server of a type answers.

use crate::app::{App, ByType};
use crate::session::Session;
use tangelo_core::wire::ServerInfo;
use tangelo_core::{Error, ErrorKind, Result};

/// The server of a type that answers a session, as `app.route` says.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) if none is up, or will do.
pub(crate) fn choose<'a>(
    app: &App,
    up: &'a ByType,
    server_type: &str,
    session: &Session,
) -> Result<&'a ServerInfo> {
    let none = |what: String| Error::new(ErrorKind::Unavailable, what);
    let servers = up.get(server_type).map(Vec::as_slice).unwrap_or_default();
    if servers.is_empty() {
        return Err(none(format!("no server of the type {server_type:.100} is up")));
    }
    let table = app.shared().handlers.table();
    let Some(router) = table.routers.get(server_type) else {
        let takes_calls =
            servers.iter().filter(|server| server.def.port.is_some() || server.def.id == app.id());
        let key = session.key();
        return takes_calls.max_by_key(|server| weight(&server.def.id, key)).ok_or_else(|| {
            none(format!("no server of the type {server_type} takes calls: give them a `port`"))
        });
    };
    let Some(id) = router(session, servers) else {
        return Err(none(format!("the application's route found no server of the type {server_type}")));
    };
    servers.iter().find(|server| server.def.id == id).ok_or_else(|| {
        none(format!(
            "the application's route chose {id}, which is no server of the type {server_type} that is up"
        ))
    })
}

/// How much a server attracts a key (rendezvous hashing); every process computes the same.
fn weight(server: &str, key: u64) -> u64 {
    mix(hash(server.as_bytes()) ^ key)
}

/// FNV-1a, finished well enough that keys and servers which differ in a digit are far apart.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The finisher of `SplitMix64`.
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winner(servers: &[String], key: u64) -> usize {
        (0..servers.len()).max_by_key(|n| weight(&servers[*n], key)).unwrap()
    }

    #[test]
    fn users_are_spread_evenly_and_move_only_when_their_server_goes() {
        let servers: Vec<String> = (1..=8).map(|n| format!("chat-server-{n}")).collect();
        let mut count = [0; 8];
        for user in 0..80_000 {
            let key = hash(format!("user-{user}").as_bytes());
            let before = winner(&servers, key);
            count[before] += 1;
            let mut fewer = servers.clone();
            fewer.remove(3);
            let after = winner(&fewer, key);
            if before != 3 {
                assert_eq!(fewer[after], servers[before]);
            }
        }
        assert!(count.iter().all(|count| (9_300..10_700).contains(count)), "{count:?}");
    }
}
