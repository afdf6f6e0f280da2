//! What waits to be written, by channel.

use alloc::collections::{BTreeSet, VecDeque};
use async_channel::Sender;
use std::collections::HashMap;
use tangelo_core::{Error, ErrorKind, Result};

/// How many users may wait to be written; one change always may.
const MAX_WAITING: usize = 200_000;
/// How many users are written together, unless a single change has more.
const BATCH: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Leave,
    /// Whoever is there.
    LeaveEverybody,
    /// What is owed.
    SetRight,
}

#[derive(Debug)]
struct Waiting {
    change: Change,
    uids: Vec<String>,
    answer: Sender<Result<()>>,
}

/// A queue for every channel that something waits for, or is being done to.
#[derive(Debug, Default)]
pub(super) struct Queues {
    channels: HashMap<String, VecDeque<Waiting>>,
    waiting: usize,
}

/// Changes of one kind that are made as one.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) change: Change,
    /// Each once, unless one change named it twice.
    pub(super) uids: Vec<String>,
    answers: Vec<Sender<Result<()>>>,
}

impl Queues {
    /// Queues a change; `true`: somebody must begin to work the channel's queue off.
    pub(super) fn push(
        &mut self,
        channel: &str,
        change: Change,
        uids: Vec<String>,
        answer: Sender<Result<()>>,
    ) -> Result<bool> {
        // A leave is let in always: it is bounded by who is there, and must not fail for a rush of adds.
        if change == Change::Add && self.waiting > 0 && self.waiting + uids.len() > MAX_WAITING {
            let message = "too many changes wait for the store of global channels: it does not keep up";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        self.waiting += uids.len();
        let waiting = Waiting { change, uids, answer };
        if let Some(queue) = self.channels.get_mut(channel) {
            queue.push_back(waiting);
            return Ok(false);
        }
        self.channels.insert(channel.into(), VecDeque::from([waiting]));
        Ok(true)
    }

    /// What is to be done next to a channel; `None`: nothing, and whoever asked need not come again.
    pub(super) fn next(&mut self, channel: &str) -> Option<Batch> {
        let queue = self.channels.get_mut(channel)?;
        let Some(first) = queue.pop_front() else {
            self.channels.remove(channel);
            return None;
        };
        let mut batch = Batch { change: first.change, uids: first.uids, answers: vec![first.answer] };
        while let Some(next) = queue
            .pop_front_if(|next| next.change == batch.change && batch.uids.len() + next.uids.len() <= BATCH)
        {
            batch.uids.extend(next.uids);
            batch.answers.push(next.answer);
        }
        self.waiting -= batch.uids.len();
        if batch.answers.len() > 1 {
            batch.uids.sort_unstable();
            batch.uids.dedup();
        }
        Some(batch)
    }

    /// The channels to which something is being done.
    pub(super) fn busy(&self) -> BTreeSet<String> {
        self.channels.keys().cloned().collect()
    }
}

impl Batch {
    /// Tells everybody how it went; some may have gone.
    pub(super) fn answer(self, outcome: &Result<()>) {
        for answer in self.answers {
            let told = outcome.as_ref().map_err(|error| Error::new(error.kind(), error.to_string()));
            let _ = answer.try_send(told.copied());
        }
    }
}
