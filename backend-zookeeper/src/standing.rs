//! A candidate's lock node: its name, and what stands in it.

use crate::published::Publication;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tangelo_core::coordinator::{Candidate, Epoch};

/// What a candidate writes into its lock node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub(crate) candidate: Candidate,
    /// Random, one for each candidacy: by it a candidate knows its own node again.
    pub(crate) nonce: String,
    /// The reign of a candidate that has won: whatever stands in `<path>`, it leads as long as the node lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<Epoch>,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Texts and numbers: there is nothing in it that JSON cannot say.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The lock node of a live candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its name in `lock`.
    pub(crate) name: String,
    /// The number that ZooKeeper has given it, which only grows.
    pub(crate) sequence: u64,
    /// What stands in it.
    pub(crate) entry: Entry,
    /// The session that it lives as long as.
    pub(crate) owner: i64,
}

impl Node {
    /// The node, if a candidate has made it: not Pomelo's, whose data is its plain id, nor what else may lie there.
    pub(crate) fn parse(name: &str, data: &[u8], owner: i64) -> Option<Self> {
        let entry = serde_json::from_slice(data).ok()?;
        let ephemeral = owner != 0;
        ephemeral.then_some(Self { name: name.into(), sequence: sequence(name)?, entry, owner })
    }

    /// Whether `leader` holds it.
    pub(crate) fn is_of(&self, leader: &Publication) -> bool {
        self.name == leader.lock && self.entry.nonce == leader.nonce
    }
}

/// How the name of a lock node begins; ZooKeeper adds the sequence.
pub(crate) fn prefix(id: &str) -> String {
    // Not all that an id may hold may stand in a path.
    let safe = |c: char| if c.is_ascii_graphic() && c != '/' || c.is_alphanumeric() { c } else { '_' };
    let mut prefix: String = id.chars().take(100).map(safe).collect();
    prefix.push('-');
    prefix
}

/// The sequence at the end of a name, as a number: as text, 10 would come before 9.
pub(crate) fn sequence(name: &str) -> Option<u64> {
    let digits = name.rsplit_once('-')?.1;
    (digits.len() >= 10 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// 128 random bits.
pub(crate) fn nonce() -> String {
    format!("{:032x}", fastrand::u128(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pomelo_lock_sequences_are_numbers_not_text() {
        assert_eq!(sequence("master-server-1-0000000010"), Some(10));
        assert_eq!(sequence("m-9999999999999"), Some(9_999_999_999_999));
        for name in ["m", "m-1", "m-00000000x1", "0000000001", "m-", "m-99999999999999999999999"] {
            assert_eq!(sequence(name), None, "{name}");
        }
    }

    #[test]
    fn nodes_of_others_are_no_candidates() {
        let entry = Entry {
            candidate: Candidate { id: "m".into(), host: "h".into(), port: 1, priority: -2 },
            nonce: nonce(),
            epoch: None,
        };
        let data = entry.encode();
        let node = Node::parse("m-0000000001", &data, 77).unwrap();
        assert_eq!((node.sequence, node.entry), (1, entry));
        assert_eq!(Node::parse("m-0000000001", b"master-server-1", 77), None, "Pomelo's");
        assert_eq!(Node::parse("m-0000000001", &data, 0), None, "nothing ends it");
        assert_eq!(Node::parse("m", &data, 77), None, "no sequence");
        assert_eq!(Node::parse("m-0000000001", b"", 77), None);
    }

    #[test]
    fn any_id_makes_a_name() {
        assert_eq!(prefix("master-server-1"), "master-server-1-");
        assert_eq!(prefix("a/b\u{1}c d\u{f8ff}"), "a_b_c_d_-");
        assert_eq!(prefix("größe.1"), "größe.1-");
        assert_eq!(prefix(&"x".repeat(5000)).len(), 101);
    }
}
