//! What the sender of a push and a frontend say to each other.

use super::{PushError, PushOptions};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A message for users of one frontend. It is the same for every frontend, and encoded once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRequest {
    /// What clients know the message by, such as `onChat`.
    pub route: String,
    /// Whom it is for.
    pub target: PushTarget,
    /// The message itself.
    #[serde(with = "serde_bytes")]
    pub message: Vec<u8>,
}

/// Whom a push is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushTarget {
    /// The frontend's own members of a channel.
    Channel {
        /// The channel.
        channel: String,
        /// Not these.
        except: Vec<String>,
        /// Only these, if given.
        only: Option<Vec<String>>,
    },
    /// These users, whatever channels they are in.
    Users(Vec<String>),
    /// Everybody at the frontend, also who is not bound to a user.
    Everyone,
}

impl PushTarget {
    /// The members of a channel, as the options choose.
    #[must_use]
    pub fn channel(channel: &str, options: &PushOptions) -> Self {
        let PushOptions { except, only, .. } = options.clone();
        Self::Channel { channel: channel.into(), except, only }
    }
}

/// What a frontend has done with a [`PushRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PushReply {
    /// How many users its sink has taken the message for.
    pub delivered: u64,
    /// Whom it has not, by the reason.
    pub failed: Vec<PushRefusal>,
    /// How many bytes of names are in it.
    #[serde(skip)]
    named: usize,
}

/// Users that a sink could not reach, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PushRefusal {
    /// Why.
    pub reason: PushError,
    /// Who.
    pub users: Vec<String>,
    /// How many more there are, too many to be named.
    pub more: u64,
}

/// The bytes of names in a reply; those beyond are counted. A quarter of what a message may have.
const MAX_NAMED: usize = 2 << 20;
/// The different reasons in a reply; those beyond are told as the last one.
const MAX_REASONS: usize = 64;
/// The longest reason, in characters.
const MAX_REASON: usize = 300;

impl PushReply {
    /// So many users were reached, and nobody was not.
    #[must_use]
    pub fn delivered(delivered: u64) -> Self {
        Self { delivered, ..Self::default() }
    }

    /// Notes that a user was not reached; one without a name (empty) is counted only.
    pub fn fail(&mut self, uid: &str, reason: PushError) {
        let at = self.refusal(reason);
        let PushRefusal { users, more, .. } = &mut self.failed[at];
        self.named += uid.len() + 4;
        if !uid.is_empty() && self.named <= MAX_NAMED {
            users.push(uid.into());
        } else {
            *more += 1;
        }
    }

    /// Notes that the sink has refused a message for everybody, without saying who that would be.
    pub fn refuse(&mut self, reason: PushError) {
        self.refusal(reason);
    }

    /// Where users are noted who were not reached for a reason.
    fn refusal(&mut self, mut reason: PushError) -> usize {
        if let Some((end, _)) = reason.message.char_indices().nth(MAX_REASON) {
            reason.message.truncate(end);
        }
        let full = self.failed.len() >= MAX_REASONS;
        // Mostly the same as the one before.
        let known = self.failed.iter().rposition(|known| known.reason == reason);
        known.or_else(|| full.then(|| self.failed.len() - 1)).unwrap_or_else(|| {
            self.failed.push(PushRefusal { reason, users: Vec::new(), more: 0 });
            self.failed.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_reply_stays_bounded_and_its_numbers_exact() {
        let mut reply = PushReply::default();
        for n in 0..100_000u64 {
            let reason = PushError::new(ErrorKind::Unavailable, format!("{:0<500}", n % 100));
            reply.fail(&format!("{n:0>255}"), reason);
        }
        let named: usize = reply.failed.iter().map(|refusal| refusal.users.len()).sum();
        let more: u64 = reply.failed.iter().map(|refusal| refusal.more).sum();
        assert_eq!(named as u64 + more, 100_000);
        assert_eq!(reply.failed.len(), MAX_REASONS);
        assert!(named > 8000, "{named} are named");
        assert!(reply.failed.iter().all(|refusal| refusal.reason.message.len() == MAX_REASON));
        let bytes = postcard::to_allocvec(&reply).unwrap();
        assert!(bytes.len() < crate::wire::MAX_MESSAGE / 2, "{} bytes", bytes.len());
    }

    #[test]
    fn who_has_no_name_is_counted() {
        let mut reply = PushReply::default();
        let full = PushError::new(ErrorKind::Unavailable, "full");
        ["", "anna", ""].iter().for_each(|uid| reply.fail(uid, full.clone()));
        assert_eq!((&*reply.failed[0].users, reply.failed[0].more), (&["anna".to_string()][..], 2));
        reply.refuse(full);
        assert_eq!((reply.failed.len(), reply.failed[0].more), (1, 2));
    }

    #[test]
    fn reasons_are_gathered() {
        let mut reply = PushReply::default();
        let full = PushError::new(ErrorKind::Unavailable, "full");
        reply.fail("anna", full.clone());
        reply.fail("ben", PushError::new(ErrorKind::NotFound, "gone"));
        reply.fail("cleo", full);
        assert_eq!(reply.failed.len(), 2);
        assert_eq!(reply.failed[0].users, ["anna".to_string(), "cleo".to_string()]);
    }
}
