//! How long a candidate has seen the same.

use crate::succession::Decision;
use tangelo_core::Instant;

/// Since when things are as they are.
#[derive(Debug)]
pub(super) struct Since {
    pub(super) vacant: Instant,
    pub(super) foreign: Instant,
    is_vacant: bool,
    is_foreign: bool,
}

impl Default for Since {
    fn default() -> Self {
        let now = Instant::now();
        Self { vacant: now, foreign: now, is_vacant: false, is_foreign: false }
    }
}

impl Since {
    pub(super) fn note(&mut self, decision: &Decision) {
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
