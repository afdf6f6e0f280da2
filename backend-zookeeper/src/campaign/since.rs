//! How long a candidate has seen the same.

use crate::published::Published;
use crate::succession::Decision;
use alloc::string::String;
use tangelo_core::Instant;

/// Since when things are as they are.
#[derive(Debug)]
pub(super) struct Since {
    pub(super) vacant: Instant,
    pub(super) foreign: Instant,
    is_vacant: bool,
    is_foreign: bool,
    /// The lock node of the leader that was seen to lead last.
    leader: Option<String>,
}

impl Default for Since {
    fn default() -> Self {
        let now = Instant::now();
        Self { vacant: now, foreign: now, is_vacant: false, is_foreign: false, leader: None }
    }
}

impl Since {
    /// Whether the leader named in `published` was seen to lead: then it is known to have been the last one.
    pub(super) fn followed(&self, published: &Published) -> bool {
        matches!(published, Published::Leader(leader) if self.leader.as_ref() == Some(&leader.lock))
    }

    /// Whether nobody was ever seen to lead.
    pub(super) const fn is_new(&self) -> bool {
        self.leader.is_none()
    }

    pub(super) fn note(&mut self, decision: &Decision, published: &Published) {
        if let (Decision::Follow, Published::Leader(leader)) = (decision, published) {
            self.leader = Some(leader.lock.clone());
        }
        let (vacant, foreign) = (matches!(decision, Decision::Next(_)), *decision == Decision::Foreign);
        if vacant && !self.is_vacant {
            self.vacant = Instant::now();
        }
        if foreign && !self.is_foreign {
            self.foreign = Instant::now();
        }
        (self.is_vacant, self.is_foreign) = (vacant, foreign);
    }
}
