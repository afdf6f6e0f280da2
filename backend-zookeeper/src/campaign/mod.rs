//! A candidacy, from its first try to stand until it has won or is withdrawn.
//!
//! It is a task of its own, so that no request is ever forgotten half-way: whoever waits for it may go at any moment.

mod since;
mod stand;
mod win;

use crate::context::{Context, backoff};
use crate::error::{Fault, is_hopeless};
use crate::guardian::Guarded;
use crate::look::Look;
use crate::published::Published;
use crate::reign::Reign;
use crate::session::Session;
use crate::standing::{self, Entry};
use crate::succession::{Decision, View, decide};
use crate::sweep::Remains;
use crate::tree;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_channel::{Receiver, Sender};
use core::convert::Infallible;
use core::time::Duration;
use futures_lite::future;
use since::Since;
use tangelo_core::coordinator::Candidate;
use tangelo_core::patience::Backoff;
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// How long each candidate gives every one that goes first, once nobody leads: one of them may be frozen.
const COURTESY: Duration = Duration::from_secs(1);
/// How long a leader that lives has for publishing itself again over what somebody else wrote there.
const FOREIGN: Duration = Duration::from_secs(3);
/// Between a win that somebody else's write has spoilt and the next try, at most.
const SPOILT: Duration = Duration::from_millis(20);

/// A candidacy.
#[derive(Debug)]
pub(crate) struct Campaign {
    context: Arc<Context>,
    guard: Arc<Guarded>,
    entry: Entry,
    /// Closed when nobody waits any more.
    cancelled: Receiver<Infallible>,
    /// The lock node, and the session that it lives as long as.
    node: Option<(String, Session)>,
    /// The names of those before it, as long as it is not known that they are gone.
    former: Vec<String>,
    /// A lock node was asked for, and it is not known whether it was made.
    doubtful: bool,
    /// A win was asked for, and it is not known whether it was given.
    attempted: bool,
    /// The session in which all was prepared.
    prepared: Option<i64>,
    backoff: Backoff,
}

/// What a candidate waits for.
enum Wait {
    Change,
    ChangeUntil(Instant),
}

/// What has come of a look.
enum Step {
    Won(Reign),
    Wait(Wait),
    Again,
}

impl Campaign {
    pub(crate) fn new(
        context: Arc<Context>,
        guard: Arc<Guarded>,
        candidate: Candidate,
        cancelled: Receiver<Infallible>,
    ) -> Self {
        let entry = Entry { candidate, nonce: standing::nonce(), epoch: None };
        Self {
            context,
            guard,
            entry,
            cancelled,
            node: None,
            former: Vec::new(),
            doubtful: false,
            attempted: false,
            prepared: None,
            backoff: backoff(),
        }
    }

    /// Runs it and tells the outcome. If nobody is there to hear it, a win is given back.
    pub(crate) async fn run(mut self, tell: Sender<Result<Reign>>) {
        let outcome = loop {
            match self.attempt().await {
                Ok(outcome) => break outcome.map(Ok),
                Err(error) if is_hopeless(&error) && !self.context.belongs() => break Some(Err(error)),
                Err(error) => {
                    // Something may be missing that was there before.
                    self.prepared = None;
                    let pause = self.backoff.pause();
                    if self.context.complaints.may() {
                        let retry_ms = pause.as_millis();
                        tracing::warn!(%error, retry_ms, "cannot stand for election now");
                    }
                    if self.unless_cancelled(self.context.sleep(pause)).await.is_none() {
                        break None;
                    }
                }
            }
        };
        let won = matches!(outcome, Some(Ok(_)));
        if let Some(outcome) = outcome {
            // Dropping a reign resigns.
            let _ = tell.try_send(outcome);
        }
        if !won {
            self.withdraw().await;
        }
    }

    /// `future`, or nothing if nobody waits for this candidacy any more.
    async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let cancelled = async {
            let _ = self.cancelled.recv().await;
            None
        };
        future::or(cancelled, async { Some(future.await) }).await
    }

    /// Stands, and waits for the turn. `None`: it is cancelled.
    async fn attempt(&mut self) -> Result<Option<Reign>> {
        let context = Arc::clone(&self.context);
        let Some(session) = self.unless_cancelled(context.sessions.get()).await else { return Ok(None) };
        let session = session?;
        if self.prepared != Some(session.id()) {
            tree::prepare(&session, &context.settings).await?;
            self.learn_epoch(&session).await?;
            self.prepared = Some(session.id());
        }
        if self.cancelled.is_closed() {
            return Ok(None);
        }
        let name = self.stand(&session).await?;
        let mut look = Look::new(&session, &context.settings);
        let mut since = Since::default();
        loop {
            let view = look.refresh().await.map_err(|(path, fault)| self.failed("read", &path, fault))?;
            self.backoff.reset();
            let decision = decide(&view, &name);
            if !look.is_fresh() && !since.followed(&view.published) && matches!(decision, Decision::Next(_)) {
                look.doubt_children();
                continue;
            }
            if let Some(epoch) = view.published.epoch() {
                context.saw(epoch);
            }
            if self.cancelled.is_closed() {
                return Ok(None);
            }
            self.delete_former(&session, &view, &name).await?;
            let wait = match self.step(&session, &view, &name, decision, &mut since).await? {
                Step::Won(reign) => return Ok(Some(reign)),
                Step::Wait(wait) => wait,
                Step::Again => {
                    // Not for a change: what is to be read again counts as one.
                    if self.unless_cancelled(context.sleep(SPOILT.mul_f64(fastrand::f64()))).await.is_none() {
                        return Ok(None);
                    }
                    look.doubt_path();
                    continue;
                }
            };
            let changed = async {
                match wait {
                    Wait::Change => look.changed().await,
                    Wait::ChangeUntil(until) => {
                        let timer = context.sleep(until.saturating_since(Instant::now()));
                        future::or(look.changed(), timer).await;
                    }
                }
            };
            if self.unless_cancelled(changed).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// What `view` asks for.
    async fn step(
        &mut self,
        session: &Session,
        view: &View,
        name: &str,
        decision: Decision,
        since: &mut Since,
    ) -> Result<Step> {
        since.note(&decision, &view.published);
        match decision {
            Decision::Follow => {
                self.context.belong();
                Ok(Step::Wait(Wait::Change))
            }
            Decision::Won(epoch) => self.take_up(session, view, name, epoch).await.map(Step::Won),
            Decision::Next(rank) => {
                let turn = since.vacant + COURTESY * u32::try_from(rank).unwrap_or(u32::MAX);
                if Instant::now() < turn {
                    return Ok(Step::Wait(Wait::ChangeUntil(turn)));
                }
                Ok(self.win(session, view, name).await?.map_or(Step::Again, Step::Won))
            }
            Decision::Gone => {
                self.former.extend(self.node.take().map(|(name, _)| name));
                Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("the lock node {name} was deleted by somebody else"),
                ))
            }
            Decision::Foreign => {
                // A leader that lives puts its own address there again, and what is there by mistake may be cleared.
                let end = since.foreign + FOREIGN;
                let alone = view.nodes.iter().all(|node| node.name == name);
                if alone && since.is_new() || Instant::now() >= end {
                    return Err(self.foreign(&view.published));
                }
                Ok(Step::Wait(Wait::ChangeUntil(end)))
            }
        }
    }

    /// The error of a request.
    fn failed(&self, doing: &str, path: &str, fault: Fault) -> Error {
        self.context.settings.passing(doing, path, fault)
    }

    fn foreign(&self, published: &Published) -> Error {
        let found = match published {
            Published::Garbage(found) => found,
            _ => "",
        };
        self.context.settings.foreign(found)
    }

    async fn withdraw(self) {
        if self.node.is_none() && !self.doubtful && !self.attempted {
            return;
        }
        let remains = Remains {
            context: self.context,
            guard: self.guard,
            nonce: self.entry.nonce,
            published: self.attempted || self.doubtful,
            node: self.node,
        };
        let _ = remains.sweep().await;
    }
}
