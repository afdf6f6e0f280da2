//! What stands in `<path>`: Pomelo's JSON of the active master, with keys of ours added.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tangelo_core::coordinator::{Candidate, Epoch, LeaderInfo};

/// No reign of ours bears a higher number: whoever reads JSON with floating point, as JavaScript does, reads it right.
const HIGHEST: u64 = (1 << 53) - 1;

/// The content of `<path>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Published {
    /// Nobody is named. That goes for Pomelo's own JSON too, since nothing shows whether that master lives.
    Nobody {
        /// The last reign, unless a reign has never been or somebody else wrote here.
        epoch: Option<Epoch>,
        /// The lock node of the candidate to which the last leader has handed over.
        successor: Option<String>,
    },
    /// Somebody leads, if its lock node lives.
    Leader(Publication),
    /// Neither ours nor Pomelo's: the node of another application. What stands there, cut short.
    Garbage(String),
}

/// What a leader publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publication {
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) epoch: Epoch,
    /// The name of its lock node.
    pub(crate) lock: String,
    /// The candidacy's own random word, which tells it from one that got the same name in a `lock` made anew.
    #[serde(default)]
    pub(crate) nonce: String,
}

/// What is left when nobody leads.
#[derive(Serialize)]
struct Vacancy<'a> {
    epoch: Epoch,
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<&'a str>,
}

impl Published {
    pub(crate) fn parse(data: &[u8]) -> Self {
        if data.iter().all(u8::is_ascii_whitespace) {
            return Self::Nobody { epoch: None, successor: None };
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(data) else {
            return Self::Garbage(shown(data));
        };
        // Pomelo publishes all that its master.json says, and "id" and "host" are always there.
        let is_pomelos = ["id", "host"].iter().all(|key| object.get(*key).is_some_and(Value::is_string));
        if !object.is_empty() && !object.contains_key("epoch") && !is_pomelos {
            return Self::Garbage(shown(data));
        }
        let epoch = object.get("epoch").and_then(Value::as_u64).filter(|epoch| *epoch < HIGHEST).map(Epoch);
        let successor = object.get("successor").and_then(Value::as_str).map(String::from);
        match serde_json::from_value(Value::Object(object)) {
            Ok(publication) if epoch.is_some() => Self::Leader(publication),
            _ => Self::Nobody { successor: successor.filter(|_| epoch.is_some()), epoch },
        }
    }

    /// The highest reign that is known from it.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Nobody { epoch, .. } => *epoch,
            Self::Leader(publication) => Some(publication.epoch),
            Self::Garbage(_) => None,
        }
    }

    /// What to write after `epoch`.
    pub(crate) fn vacant(epoch: Epoch, successor: Option<&str>) -> Vec<u8> {
        json(&Vacancy { epoch, successor })
    }
}

impl Publication {
    pub(crate) fn new(candidate: &Candidate, epoch: Epoch, lock: &str, nonce: &str) -> Self {
        let Candidate { id, host, port, .. } = candidate.clone();
        Self { id, host, port, epoch, lock: lock.into(), nonce: nonce.into() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        json(self)
    }

    pub(crate) fn info(&self) -> LeaderInfo {
        let Self { id, host, port, epoch, .. } = self.clone();
        LeaderInfo { id, host, port, epoch }
    }
}

/// The epoch after all of these, from the ensemble: never a clock.
pub(crate) fn next_epoch(known: impl IntoIterator<Item = Epoch>) -> Epoch {
    Epoch(known.into_iter().max().unwrap_or_default().0.saturating_add(1).min(HIGHEST))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Texts and numbers: there is nothing in it that JSON cannot say.
    serde_json::to_vec(value).unwrap_or_default()
}

/// What stands there, in one short line.
pub(crate) fn shown(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(&data[..data.len().min(200)]);
    let mut short: String = text.chars().take(40).collect();
    if short.len() < data.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_leader_publishes_is_read_again_and_reads_as_pomelos() {
        let candidate = Candidate { id: "m".into(), host: "h".into(), port: 3005, priority: 0 };
        let publication = Publication::new(&candidate, Epoch(7), "m-0000000003", "abc");
        let data = publication.encode();
        assert_eq!(Published::parse(&data), Published::Leader(publication));
        let value: Value = serde_json::from_slice(&data).unwrap();
        assert_eq!((&value["id"], &value["host"], &value["port"]), (&"m".into(), &"h".into(), &3005.into()));
    }

    #[test]
    fn pomelos_json_names_nobody_that_can_be_checked() {
        for text in [
            r#"{"id":"master-server-1","host":"127.0.0.1","port":3005}"#,
            r#"{"main":"/app.js","env":"production","id":"m","host":"h","port":3906,"masterha":"true"}"#,
            r#"{"id":"m","host":"h","port":"3005","epoch":"x","lock":1}"#,
            r#"{"id":"m","host":"h","port":3005,"lock":"m-1","epoch":18446744073709551615}"#,
            "",
            " \n",
            "{}",
        ] {
            let nobody = Published::Nobody { epoch: None, successor: None };
            assert_eq!(Published::parse(text.as_bytes()), nobody, "{text}");
        }
    }

    #[test]
    fn a_vacancy_keeps_the_epoch_and_the_successor() {
        let vacant = Published::vacant(Epoch(5), Some("b-0000000012"));
        let expected = Published::Nobody { epoch: Some(Epoch(5)), successor: Some("b-0000000012".into()) };
        assert_eq!(Published::parse(&vacant), expected);
        assert_eq!(Published::vacant(Epoch(5), None), br#"{"epoch":5}"#);
    }

    #[test]
    fn another_applications_node_is_no_place_for_us() {
        for data in [&b"hello"[..], b"[1]", b"3", b"\"x\"", b"{\"id\":", b"\xff\x00\x01", b"null"]
            .into_iter()
            .chain([&br#"{"db":"mysql://prod"}"#[..], br#"{"id":7,"host":"h"}"#])
        {
            assert!(matches!(Published::parse(data), Published::Garbage(_)), "{data:?}");
        }
        assert_eq!(
            Published::parse(&[b'x'; 5000]),
            Published::Garbage(format!("{:?}", "x".repeat(40) + "…"))
        );
    }

    #[test]
    fn epochs_only_grow() {
        assert_eq!(next_epoch([]), Epoch(1));
        assert_eq!(next_epoch([Epoch(3), Epoch(9), Epoch(0)]), Epoch(10));
    }
}
