//! A number for a set of servers, so that two sides can tell whether they know the same.

use super::ServerInfo;
use serde::{Deserialize, Serialize};

/// Equal sets of servers have equal digests, and others in all likelihood others. That of no server is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(u64);

impl Digest {
    /// That of one server.
    #[must_use]
    pub fn of(server: &ServerInfo) -> Self {
        // What cannot be written cannot be sent either.
        let text = serde_json::to_string(server).unwrap_or_default();
        // FNV-1a: the other side may be another build, which no hasher of the standard library promises to agree with.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(mixed(hash))
    }

    /// That of the set with another server in it.
    #[must_use]
    pub const fn with(self, server: Self) -> Self {
        Self(self.0.wrapping_add(server.0))
    }

    /// That of the set without one of its servers.
    #[must_use]
    pub const fn without(self, server: Self) -> Self {
        Self(self.0.wrapping_sub(server.0))
    }
}

/// Texts that differ in a digit have FNV hashes whose difference is much the same for all; in a sum two such
/// would cancel out. SplitMix64's last step leaves nothing of that.
const fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Incarnation, ServerDef};
    use alloc::collections::BTreeSet;

    fn server(id: &str, incarnation: u64) -> ServerInfo {
        let def = ServerDef::new(id, "chat", "127.0.0.1");
        ServerInfo { def, incarnation: Incarnation(incarnation) }
    }

    #[test]
    fn changes_of_several_servers_do_not_cancel_out() {
        let digests = |id| (1..=30).map(move |incarnation| Digest::of(&server(id, incarnation)));
        let mut seen = BTreeSet::new();
        for a in digests("chat-1") {
            for b in digests("chat-2") {
                for c in digests("chat-3") {
                    assert!(seen.insert(a.with(b).with(c).0));
                }
            }
        }
    }

    #[test]
    fn sets_count_whatever_the_order_and_every_difference_shows() {
        let [a, b, later] = [server("a", 1), server("b", 1), server("a", 2)].map(|info| Digest::of(&info));
        let none = Digest::default();
        assert_eq!(none.with(a).with(b), none.with(b).with(a));
        assert_eq!(none.with(a).with(b).without(a), none.with(b));
        assert_ne!(a, later);
        let mut other = server("a", 1);
        other.def.port = Some(1);
        assert_ne!(Digest::of(&other), a);
    }
}
