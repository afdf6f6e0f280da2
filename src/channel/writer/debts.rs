//! What the store may have wrong, since it has not said how a change went.

use core::time::Duration;
use std::collections::HashMap;

/// With more than this nobody joins until the store is back.
const FULL: usize = 100_000;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// After so many tries the wait is 1.6 to 3.2 s.
const SECOND_TIME: u32 = 5;

/// Users whom the store has in a channel or has not, and the memory knows better.
///
/// Each is set right twice, a second or more apart: a store that was frozen may carry out a change
/// that it was sent long ago after one that was sent on a new connection.
#[derive(Debug, Default)]
pub(super) struct Debts {
    /// Of each channel the users, and whether they were set right once.
    channels: HashMap<String, HashMap<String, bool>>,
    owed: usize,
    /// Somebody pays them off.
    paying: bool,
    tries: u32,
}

impl Debts {
    /// `true`: somebody must begin to pay.
    pub(super) fn owe(&mut self, channel: &str, uids: &[String]) -> bool {
        let known = self.channels.entry(channel.into()).or_default();
        self.owed -= known.len();
        known.extend(uids.iter().map(|uid| (uid.clone(), false)));
        self.owed += known.len();
        if known.is_empty() {
            self.channels.remove(channel);
        }
        self.owed > 0 && !core::mem::replace(&mut self.paying, true)
    }

    /// The store has said that these are as the memory has them.
    pub(super) fn settle(&mut self, channel: &str, uids: &[String]) {
        let Some(known) = self.channels.get_mut(channel) else { return };
        self.owed -= known.len();
        for uid in uids {
            if known.get_mut(uid).is_some_and(|once| core::mem::replace(once, true)) {
                known.remove(uid);
            }
        }
        self.owed += known.len();
        if known.is_empty() {
            self.channels.remove(channel);
        }
        self.tries = SECOND_TIME;
    }

    pub(super) fn has(&self, channel: &str, uid: &str) -> bool {
        self.channels.get(channel).is_some_and(|known| known.contains_key(uid))
    }

    pub(super) fn of(&self, channel: &str) -> Vec<String> {
        self.channels.get(channel).into_iter().flat_map(HashMap::keys).cloned().collect()
    }

    pub(super) const fn len(&self) -> usize {
        self.owed
    }

    pub(super) const fn is_full(&self) -> bool {
        self.owed >= FULL
    }

    pub(super) fn forget(&mut self) {
        self.channels.clear();
        self.owed = 0;
    }

    /// How long to wait before the next try, and the channels to try. None: paying is over.
    pub(super) fn next_try(&mut self) -> (Duration, Vec<String>) {
        let channels: Vec<_> = self.channels.keys().cloned().collect();
        if channels.is_empty() {
            self.paying = false;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << self.tries.min(10)).min(LONGEST_WAIT);
        self.tries = self.tries.saturating_add(1);
        // Many frontends try at once when the store is back.
        (wait.mul_f64(0.5 + fastrand::f64() / 2.0), channels)
    }
}
