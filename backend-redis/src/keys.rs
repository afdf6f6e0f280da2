//! What the keys are called.
//!
//! `<prefix>:<channel>:<server>` is Pomelo's: the set of a channel's users at a server. Our own begin with
//! `<prefix>%`, which no key of Pomelo's does. In names `%` and `:` are escaped, so a key is read in one way
//! only, also where another prefix begins with this one and a colon.
//!
//! In a Redis Cluster each server belongs to one of a few shards, `{0}` to `{31}`, which stand in front of its
//! name: everything of a shard is in one slot, the list of its servers included. So every change is one atomic
//! step there too, and a channel is read by asking each shard.

use tangelo_core::{Error, ErrorKind, Result};

/// A prefix longer than this is a mistake.
const MAX_PREFIX: usize = 255;
/// All processes must agree on it. Enough for some ten masters to have about the same to do.
const SHARDS: u32 = 32;

/// The keys under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
    /// For a Cluster.
    sharded: bool,
}

/// A server, as keys name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Server(String);

impl Server {
    /// Its name in keys.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Keys {
    /// The keys under `prefix`; `sharded` for a Cluster.
    pub(crate) fn new(prefix: &str, sharded: bool) -> Result<Self> {
        let problem = if prefix.is_empty() {
            "is empty"
        } else if prefix.len() > MAX_PREFIX {
            "is longer than 255 bytes"
        } else if prefix.contains(['%', '\0']) {
            "has a % or NUL, which mark keys of our own"
        } else if sharded && prefix.contains(['{', '}']) {
            "has a brace, which decides where a Redis Cluster puts a key"
        } else {
            return Ok(Self { prefix: prefix.to_owned(), sharded });
        };
        let message = format!("the prefix of keys {problem}: choose one such as POMELO:CHANNEL");
        Err(Error::new(ErrorKind::Invalid, message))
    }

    /// The channel as keys name it.
    pub(crate) fn channel(&self, name: &str) -> String {
        self.escaped(name)
    }

    /// The server as keys name it.
    pub(crate) fn server(&self, sid: &str) -> Server {
        let name = self.escaped(sid);
        Server(if self.sharded { format!("{{{}}}{name}", shard(sid)) } else { name })
    }

    /// The set of members of a channel (escaped already) at a server.
    pub(crate) fn members(&self, channel: &str, server: &Server) -> String {
        format!("{}:{channel}:{}", self.prefix, server.0)
    }

    /// What comes before the channel in the key of a set of members.
    pub(crate) fn members_head(&self) -> String {
        format!("{}:", self.prefix)
    }

    /// What comes after it.
    pub(crate) fn members_tail(&self, server: &Server) -> String {
        format!(":{}", server.0)
    }

    /// The hash of a server: `:life` is the first incarnation that may change something; every other field is a
    /// channel with members.
    pub(crate) fn hash(&self, server: &Server) -> String {
        format!("{}{}", self.hash_head(), server.0)
    }

    /// What comes before the server in the key of its hash.
    pub(crate) fn hash_head(&self) -> String {
        format!("{}%server:", self.prefix)
    }

    /// The list of servers with channels that a server is in.
    pub(crate) fn list(&self, server: &Server) -> String {
        let tag = server.0.find('}').filter(|_| self.sharded).map_or("", |end| &server.0[..=end]);
        if tag.is_empty() {
            format!("{}%servers", self.prefix)
        } else {
            format!("{}%servers:{tag}", self.prefix)
        }
    }

    /// All lists of servers.
    pub(crate) fn lists(&self) -> Vec<String> {
        if self.sharded {
            (0..SHARDS).map(|shard| format!("{}%servers:{{{shard}}}", self.prefix)).collect()
        } else {
            vec![format!("{}%servers", self.prefix)]
        }
    }

    /// What SCAN looks for to find all sets of members. It finds those of other prefixes too.
    pub(crate) fn members_pattern(&self) -> String {
        format!("{}:*", literal(&self.prefix))
    }

    /// What SCAN looks for to find all hashes of servers.
    pub(crate) fn hash_pattern(&self) -> String {
        format!("{}*", literal(&self.hash_head()))
    }

    /// The name of a channel, read back; none if it is not one that we wrote.
    pub(crate) fn channel_name(&self, escaped: &str) -> Option<String> {
        self.unescaped(escaped)
    }

    /// The name of a server, read back.
    pub(crate) fn server_name(&self, server: &str) -> Option<String> {
        if !self.sharded {
            return self.unescaped(server);
        }
        let (tag, name) = server.strip_prefix('{')?.split_once('}')?;
        let sid = self.unescaped(name)?;
        (tag == shard(&sid).to_string()).then_some(sid)
    }

    /// Whether `key` is a set of members under this prefix, and not under another that begins with it.
    pub(crate) fn is_members(&self, key: &str) -> bool {
        let parts = key.strip_prefix(&self.prefix).and_then(|key| key.strip_prefix(':')?.split_once(':'));
        parts.is_some_and(|(channel, server)| {
            self.channel_name(channel).is_some() && self.server_name(server).is_some()
        })
    }

    /// The server whose hash `key` is.
    pub(crate) fn hash_server(&self, key: &str) -> Option<Server> {
        let server = key.strip_prefix(&self.prefix)?.strip_prefix("%server:")?;
        self.server_name(server).map(|_| Server(server.to_owned()))
    }

    /// A server of the list of servers.
    pub(crate) fn listed(&self, server: &str) -> Option<Server> {
        self.server_name(server).map(|_| Server(server.to_owned()))
    }

    fn escaped(&self, name: &str) -> String {
        if !name.contains(|c| self.escape_of(c).is_some()) {
            return name.to_owned();
        }
        let mut escaped = String::with_capacity(name.len() + 8);
        for c in name.chars() {
            match self.escape_of(c) {
                Some(escape) => escaped.push_str(escape),
                None => escaped.push(c),
            }
        }
        escaped
    }

    fn unescaped(&self, escaped: &str) -> Option<String> {
        let (mut name, mut rest) = (String::with_capacity(escaped.len()), escaped);
        while let Some(c) = rest.chars().next() {
            let (c, len) = if c == '%' {
                let code = rest.get(..3)?;
                (['%', ':', '{', '}'].into_iter().find(|&c| self.escape_of(c) == Some(code))?, 3)
            } else if self.escape_of(c).is_some() {
                return None;
            } else {
                (c, c.len_utf8())
            };
            name.push(c);
            rest = &rest[len..];
        }
        (!name.is_empty()).then_some(name)
    }

    const fn escape_of(&self, c: char) -> Option<&'static str> {
        match c {
            '%' => Some("%25"),
            ':' => Some("%3A"),
            '{' if self.sharded => Some("%7B"),
            '}' if self.sharded => Some("%7D"),
            _ => None,
        }
    }
}

/// The shard of a server, by FNV-1a.
fn shard(sid: &str) -> u32 {
    let hash =
        sid.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % SHARDS
}

/// `text` in a pattern of SCAN, meaning itself.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(prefix: &str) -> Keys {
        Keys::new(prefix, false).expect("a prefix")
    }

    #[test]
    fn ordinary_names_give_pomelos_keys() {
        let keys = plain("POMELO:CHANNEL");
        let server = keys.server("connector-server-1");
        let members = keys.members(&keys.channel("room 7 {a}"), &server);
        assert_eq!(members, "POMELO:CHANNEL:room 7 {a}:connector-server-1");
        assert_eq!(keys.hash(&server), "POMELO:CHANNEL%server:connector-server-1");
    }

    #[test]
    fn names_come_back_and_no_two_share_a_key() {
        let names = ["a", "a:b", ":", "%", "%3A", "%25", "a%b", "b:", "{", "}", "{}", "{a}:%", "ä", "日本"];
        for sharded in [false, true] {
            let keys = Keys::new("P", sharded).expect("a prefix");
            let mut seen = std::collections::HashSet::new();
            for channel in names {
                for sid in names {
                    let (escaped, server) = (keys.channel(channel), keys.server(sid));
                    assert_eq!(keys.channel_name(&escaped).as_deref(), Some(channel));
                    assert_eq!(keys.server_name(server.as_str()).as_deref(), Some(sid));
                    let key = keys.members(&escaped, &server);
                    assert!(keys.is_members(&key), "{key}");
                    assert_eq!(keys.hash_server(&keys.hash(&server)), Some(server));
                    assert!(seen.insert(key), "{channel} at {sid}");
                }
            }
        }
    }

    #[test]
    fn everything_of_a_shard_is_in_one_slot_of_a_cluster() {
        use redis::cluster_routing::Slot;
        let keys = Keys::new("P", true).expect("a prefix");
        assert_eq!(
            keys.server("connector-1").as_str(),
            "{2}connector-1",
            "all processes agree on it, of all versions"
        );
        for sid in ["a", "}{", "{x}y", ":", "connector-server-1"] {
            let server = keys.server(sid);
            let slot = Slot::for_key(keys.hash(&server));
            assert_eq!(Slot::for_key(keys.list(&server)), slot);
            assert!(keys.lists().contains(&keys.list(&server)));
            for channel in ["a", "{b}", "}", "c:d"] {
                let key = keys.members(&keys.channel(channel), &server);
                assert_eq!(Slot::for_key(&key), slot, "{key}");
            }
        }
        let used: std::collections::HashSet<_> =
            (0..500).map(|n| keys.list(&keys.server(&format!("s-{n}")))).collect();
        assert_eq!(used.len(), keys.lists().len(), "every shard has some of 500 servers");
    }

    #[test]
    fn keys_of_a_prefix_that_begins_with_this_one_are_not_ours() {
        let keys = plain("POMELO:CHANNEL");
        for other in
            ["POMELO:CHANNEL2", "POMELO:CHANNEL:x", "POMELO", "POMELO:CHANNEL:x:y", "POMELO:CHANNELX:"]
        {
            let other = plain(other);
            for (channel, sid) in [("a", "b"), ("a:b", "c"), ("%", ":")] {
                let (channel, server) = (other.channel(channel), other.server(sid));
                let key = other.members(&channel, &server);
                assert!(other.is_members(&key));
                assert!(!keys.is_members(&key), "{key}");
                for key in [other.hash(&server), other.list(&server)] {
                    assert!(!keys.is_members(&key) && keys.hash_server(&key).is_none(), "{key}");
                    assert!(!other.is_members(&key), "{key}");
                }
                assert!(keys.hash_server(&key).is_none(), "{key}");
            }
        }
        for key in ["POMELO:CHANNEL:a:b:c", "POMELO:CHANNEL:a%:b", "POMELO:CHANNEL::b", "POMELO:CHANNEL:a"] {
            assert!(!keys.is_members(key), "{key}");
        }
    }

    #[test]
    fn a_pattern_means_the_prefix_and_nothing_else() {
        assert_eq!(plain("P*[a]?\\").members_pattern(), "P\\*\\[a\\]\\?\\\\:*");
    }

    #[test]
    fn prefixes_that_would_blur_keys_are_refused() {
        for prefix in ["", "a%b", "a\0", &"x".repeat(256)] {
            assert!(Keys::new(prefix, false).is_err(), "{prefix}");
        }
        assert!(Keys::new("a{b}", true).is_err());
        assert!(Keys::new("a{b}", false).is_ok());
    }
}
