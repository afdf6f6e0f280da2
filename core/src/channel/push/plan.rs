//! The sender's part of a push, as a state machine.

use super::{PushError, PushFailure, PushOptions, PushReply, PushReport};
use crate::{ErrorKind, Instant};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// How much of the timeout is kept for asking the store who was not reached: a quarter, at most this.
const LOOK_UP: Duration = Duration::from_secs(1);

/// What happens to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushInput {
    /// A frontend has answered, or could not be asked.
    Answered {
        /// Which one.
        sid: String,
        /// What it said, or why it said nothing.
        result: Result<PushReply, PushError>,
    },
    /// The store has said who its members are, or could not be asked.
    LookedUp {
        /// Which frontend's.
        sid: String,
        /// Their names.
        result: Result<Vec<String>, PushError>,
    },
    /// Time has passed.
    Tick,
}

/// To be done: the store is asked for a frontend's members in the channel, since it does not say
/// itself whom it has reached. It costs a read of the store only where something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushLookUp {
    /// Which frontend's.
    pub sid: String,
}

/// A push on its way: from the frontends that were asked to the report.
///
/// It is over when there is no [`next_deadline`](Self::next_deadline) any more; until then it is
/// fed what happens. What comes late or twice changes nothing.
#[derive(Debug)]
pub struct PushPlan {
    waiting: BTreeMap<String, Stage>,
    except: BTreeSet<String>,
    only: Option<BTreeSet<String>>,
    frontends: usize,
    delivered: u64,
    failed: BTreeMap<String, Vec<PushFailure>>,
    answer_by: Instant,
    end_by: Instant,
}

#[derive(Debug)]
enum Stage {
    Asked,
    /// It has failed for this reason.
    LookingUp(PushError),
}

impl PushPlan {
    /// A push that has been sent to `frontends`.
    #[must_use]
    pub fn new(now: Instant, frontends: impl IntoIterator<Item = String>, options: &PushOptions) -> Self {
        let waiting: BTreeMap<_, _> = frontends.into_iter().map(|sid| (sid, Stage::Asked)).collect();
        let end_by = now + options.timeout;
        Self {
            frontends: waiting.len(),
            waiting,
            except: options.except.iter().cloned().collect(),
            only: options.only.as_ref().map(|only| only.iter().cloned().collect()),
            delivered: 0,
            failed: BTreeMap::new(),
            answer_by: end_by.saturating_sub(LOOK_UP.min(options.timeout / 4)),
            end_by,
        }
    }

    /// How long frontends have to answer.
    #[must_use]
    pub const fn answer_by(&self) -> Instant {
        self.answer_by
    }

    /// Takes what has happened; says whose members are to be looked up.
    pub fn handle(&mut self, now: Instant, input: PushInput) -> Vec<PushLookUp> {
        let mut look_ups = match input {
            PushInput::Answered { sid, result } => self.answered(sid, result),
            PushInput::LookedUp { sid, result } => {
                self.looked_up(sid, result);
                Vec::new()
            }
            PushInput::Tick => Vec::new(),
        };
        if now >= self.answer_by {
            look_ups.extend(self.give_up_asking());
        }
        if now >= self.end_by {
            self.end();
            look_ups.clear();
        }
        look_ups
    }

    /// When to come back with a [`Tick`](PushInput::Tick) at the latest; `None`: the push is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        let asked = self.waiting.values().any(|stage| matches!(stage, Stage::Asked));
        Some(if asked { self.answer_by } else { self.end_by })
    }

    /// What became of it. Whoever is still waited for counts as failed.
    #[must_use]
    pub fn report(mut self) -> PushReport {
        self.end();
        PushReport {
            frontends: self.frontends,
            delivered: self.delivered,
            failed: self.failed.into_values().flatten().collect(),
        }
    }

    fn answered(&mut self, sid: String, result: Result<PushReply, PushError>) -> Vec<PushLookUp> {
        match (self.waiting.get_mut(&sid), result) {
            // Better late than looked up.
            (Some(_), Ok(reply)) => {
                self.waiting.remove(&sid);
                self.delivered += reply.delivered;
                for refusal in reply.failed {
                    self.fail(&sid, refusal.users, Some(refusal.more), refusal.reason);
                }
            }
            (Some(stage @ Stage::Asked), Err(reason)) => {
                *stage = Stage::LookingUp(reason);
                return alloc::vec![PushLookUp { sid }];
            }
            _ => (),
        }
        Vec::new()
    }

    fn looked_up(&mut self, sid: String, result: Result<Vec<String>, PushError>) {
        let Some(Stage::LookingUp(reason)) = self.waiting.remove(&sid) else { return };
        match result {
            Ok(mut users) => {
                users.retain(|uid| self.is_for(uid));
                users.sort_unstable();
                self.fail(&sid, users, Some(0), reason);
            }
            Err(error) => {
                let message = format!("{reason}; and its members are not known: {error}");
                self.fail(&sid, Vec::new(), None, PushError::new(reason.kind, message));
            }
        }
    }

    fn give_up_asking(&mut self) -> Vec<PushLookUp> {
        let mut look_ups = Vec::new();
        for (sid, stage) in &mut self.waiting {
            if matches!(stage, Stage::Asked) {
                let message = format!("{sid} has not answered in time");
                *stage = Stage::LookingUp(PushError::new(ErrorKind::Timeout, message));
                look_ups.push(PushLookUp { sid: sid.clone() });
            }
        }
        look_ups
    }

    fn end(&mut self) {
        self.give_up_asking();
        let late = || PushError::new(ErrorKind::Timeout, "the store has not answered in time");
        for sid in self.waiting.keys().cloned().collect::<Vec<_>>() {
            self.looked_up(sid, Err(late()));
        }
    }

    fn is_for(&self, uid: &str) -> bool {
        !self.except.contains(uid) && self.only.as_ref().is_none_or(|only| only.contains(uid))
    }

    fn fail(&mut self, sid: &str, users: Vec<String>, more: Option<u64>, reason: PushError) {
        let failure = PushFailure { sid: sid.into(), users, more, reason };
        self.failed.entry(sid.into()).or_default().push(failure);
    }
}
