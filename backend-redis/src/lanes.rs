//! Changes queue up in lanes, in order, and travel together.
//!
//! While one request of a lane is on its way, later changes gather; when it is back they go as the next. So a
//! single change waits for nobody, and a thousand at once are a few requests. A channel at a server always has the
//! same lane, and one request at a time for a lane keeps the order of its changes, over reconnects too. A server has
//! two lanes: while Redis works on the request of one, we work on the next of the other.

use crate::change::{Change, refusal, refused, request};
use crate::config::RedisConfig;
use crate::error::Failure;
use crate::keys::{Keys, Server};
use crate::link::{Attempt, Link, Ticket};
use crate::script::Request;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::hash::BuildHasher as _;
use core::pin::pin;
use core::time::Duration;
use event_listener::Event;
use futures_lite::future;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tangelo_core::channel::Frontend;
use tangelo_core::patience::Backoff;
use tangelo_core::patience::{left, within};
use tangelo_core::{ErrorKind, Instant};

/// A request has at most so many changes …
const MAX_CHANGES: usize = 1024;
/// … and users, unless a single change has more.
const MAX_USERS: usize = 8192;
/// What a server's script may take for each user of a very large change, on a slow machine.
const PER_USER: Duration = Duration::from_micros(20);

/// So many lanes each server has.
const LANES: usize = 2;

type Queues = HashMap<String, VecDeque<Change>>;

/// The queues of all servers.
#[derive(Debug)]
pub(crate) struct Lanes {
    config: Arc<RedisConfig>,
    keys: Keys,
    link: Arc<Link>,
    /// By the lane's number; a server has an entry as long as a task works on its queue there.
    queues: [Mutex<Queues>; LANES],
    /// Gives channels their lanes.
    hasher: RandomState,
    /// A queue has come to its end.
    idle: Event,
}

impl Lanes {
    pub(crate) fn new(config: Arc<RedisConfig>, keys: Keys, link: Arc<Link>) -> Self {
        Self {
            config,
            keys,
            link,
            queues: Default::default(),
            hasher: RandomState::new(),
            idle: Event::new(),
        }
    }

    /// Sends `change` on its way.
    pub(crate) fn push(self: &Arc<Self>, sid: &str, change: Change) {
        let number = usize::from(self.hasher.hash_one(&change.channel) % 2 == 1);
        let mut queues = self.queues(number);
        if let Some(queue) = queues.get_mut(sid) {
            queue.push_back(change);
            return;
        }
        queues.insert(sid.to_owned(), VecDeque::from([change]));
        drop(queues);
        let lane = Lane {
            lanes: Arc::clone(self),
            number,
            sid: sid.to_owned(),
            server: self.keys.server(sid),
            batch: Vec::new(),
        };
        self.link.runtime().spawn(Box::pin(lane.run()));
    }

    /// Waits until nothing is on its way.
    pub(crate) async fn drained(&self) {
        loop {
            let idle = self.idle.listen();
            if (0..LANES).all(|number| self.queues(number).is_empty()) {
                return;
            }
            idle.await;
        }
    }

    fn queues(&self, number: usize) -> MutexGuard<'_, Queues> {
        self.queues[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that works on a queue of a server, and ends with it.
struct Lane {
    lanes: Arc<Lanes>,
    number: usize,
    sid: String,
    server: Server,
    /// The changes of the next request, or of the one under way; those that were answered leave a gap.
    batch: Vec<Option<Change>>,
}

impl Lane {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while let Some(deadline) = self.gather() {
            let ticket = match self.lanes.link.get(deadline).await {
                Ok(ticket) => ticket,
                Err(failure) if failure.kind.is_temporary() => {
                    self.expire(&failure);
                    continue;
                }
                Err(failure) => {
                    self.fail(&failure);
                    continue;
                }
            };
            // The caller may have gone meanwhile; what is sent now nobody would expect.
            if self.abandon() {
                continue;
            }
            let request = request(&self.lanes.keys, &self.server, self.batch.iter().flatten());
            match self.send(&ticket, request).await {
                Attempt::Done(value) => {
                    backoff = Backoff::default();
                    match refused(value) {
                        Ok(refused) => self.finish(refused).await,
                        Err(failure) => self.fail(&failure),
                    }
                }
                Attempt::Failed(failure) => self.fail(&failure),
                Attempt::Again(failure) => {
                    self.expire(&failure);
                    let pause =
                        self.oldest().map_or(Duration::ZERO, |deadline| backoff.pause().min(left(deadline)));
                    self.lanes.link.runtime().sleep(pause).await;
                    self.expire(&failure);
                }
            }
        }
    }

    /// Fills the batch from the queue; gives the deadline of the oldest change. None: there is nothing more to do,
    /// and the lane is closed.
    fn gather(&mut self) -> Option<Instant> {
        self.batch.retain(Option::is_some);
        let mut queues = self.lanes.queues(self.number);
        let queue = queues.get_mut(&self.sid)?;
        let mut users: usize = self.batch.iter().flatten().map(|change| change.uids.len()).sum();
        while let Some(next) = queue.front() {
            users += next.uids.len();
            if !self.batch.is_empty() && (self.batch.len() >= MAX_CHANGES || users > MAX_USERS) {
                break;
            }
            self.batch.push(queue.pop_front());
        }
        if self.batch.is_empty() {
            queues.remove(&self.sid);
            self.lanes.idle.notify(usize::MAX);
        }
        self.oldest()
    }

    /// When the oldest change of the batch must be answered.
    fn oldest(&self) -> Option<Instant> {
        self.batch.iter().flatten().map(|change| change.deadline).next()
    }

    /// Lets go of changes that nobody waits for; true if none is left.
    fn abandon(&mut self) -> bool {
        self.batch.retain(|change| change.as_ref().is_some_and(|change| !change.waiting.is_canceled()));
        self.batch.is_empty()
    }

    /// Answers those whose time is up.
    fn expire(&mut self, failure: &Failure) {
        let now = Instant::now();
        let late = |change: &mut Change| change.deadline <= now;
        let expired = self.batch.iter_mut().filter_map(|change| change.take_if(late));
        expired.for_each(|change| change.fail(failure));
        let mut queues = self.lanes.queues(self.number);
        let Some(queue) = queues.get_mut(&self.sid) else { return };
        while queue.front_mut().is_some_and(late) {
            if let Some(change) = queue.pop_front() {
                change.fail(failure);
            }
        }
    }

    fn fail(&mut self, failure: &Failure) {
        self.batch.drain(..).flatten().for_each(|change| change.fail(failure));
    }

    /// Sends a request; while it is on its way, those whose time is up are answered.
    async fn send(&mut self, ticket: &Ticket, request: Request) -> Attempt {
        let users: usize = self.batch.iter().flatten().map(|change| change.uids.len()).sum();
        let config = Arc::clone(&self.lanes.config);
        let patience =
            config.response_timeout + PER_USER.saturating_mul(u32::try_from(users).unwrap_or(u32::MAX));
        let link = Arc::clone(&self.lanes.link);
        let mut attempt = pin!(link.attempt(ticket, &request, patience));
        loop {
            // With nobody waiting the answer still is: the changes that follow must come after these.
            let Some(deadline) = self.oldest() else { return attempt.await };
            if let Some(outcome) = within(link.runtime(), left(deadline), &mut attempt).await {
                return outcome;
            }
            let message = format!("Redis at {config} has not answered in time");
            self.expire(&Failure::new(ErrorKind::Timeout, message));
        }
    }

    /// Tells all callers of the batch.
    async fn finish(&mut self, refused: Vec<(usize, String)>) {
        let mut refused = refused.into_iter().peekable();
        for (position, change) in self.batch.drain(..).enumerate() {
            let reason = refused.next_if(|(refused, _)| *refused == position);
            let Some(change) = change else { continue };
            let result = match reason {
                None => Ok(()),
                Some((_, reason)) => {
                    let frontend = Frontend { sid: self.sid.clone(), incarnation: change.incarnation };
                    Err(refusal(&self.lanes.config.to_string(), &frontend, change.sign, &reason))
                }
            };
            change.end(result);
        }
        // Those who were told come first: what they do next goes along.
        future::yield_now().await;
    }
}
