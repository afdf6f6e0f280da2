//! A candidacy, from its first try to stand until it has won or is withdrawn.
//!
//! It is a task of its own, so that no request is ever forgotten half-way: whoever waits for it may go at any moment.

use crate::context::{Backoff, Context};
use crate::error::{Fault, is_hopeless, is_refusal};
use crate::guardian::Guarded;
use crate::look::{self, Look};
use crate::published::{Publication, Published, next_epoch};
use crate::reign::{Mandate, Reign};
use crate::session::Session;
use crate::standing::{self, Entry};
use crate::state;
use crate::succession::{Decision, View, decide};
use crate::sweep::Remains;
use crate::tree;
use alloc::string::String;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender};
use core::convert::Infallible;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::{Candidate, Epoch};
use tangelo_core::{Error, ErrorKind, Instant, Result};
use zookeeper_client::{CreateMode, MultiWriteError, MultiWriteResult};

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
        let entry = Entry { candidate, nonce: standing::nonce() };
        let backoff = Backoff::default();
        Self {
            context,
            guard,
            entry,
            cancelled,
            node: None,
            doubtful: false,
            attempted: false,
            prepared: None,
            backoff,
        }
    }

    /// Runs it and tells the outcome. If nobody is there to hear it, a win is given back.
    pub(crate) async fn run(mut self, tell: Sender<Result<Reign>>) {
        let outcome = loop {
            match self.attempt().await {
                Ok(outcome) => break outcome.map(Ok),
                Err(error) if is_hopeless(&error) => break Some(Err(error)),
                Err(error) => {
                    // Something may be missing that was there before.
                    self.prepared = None;
                    let pause = self.backoff.next();
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
        let name = self.stand(&session).await?;
        let mut look = Look::new(&session, &context.settings);
        let mut since = Since::default();
        loop {
            let view = look.refresh().await.map_err(|(path, fault)| self.failed("read", &path, fault))?;
            self.backoff.reset();
            if let Some(epoch) = view.published.epoch() {
                context.saw(epoch);
            }
            self.delete_doubles(&session, &view, &name).await?;
            let wait = match self.step(&session, &view, &name, &mut since).await? {
                Step::Won(reign) => return Ok(Some(reign)),
                Step::Wait(wait) => wait,
                Step::Again => {
                    look.doubt_path();
                    Wait::ChangeUntil(Instant::now() + SPOILT.mul_f64(fastrand::f64()))
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
    async fn step(&mut self, session: &Session, view: &View, name: &str, since: &mut Since) -> Result<Step> {
        let decision = decide(view, name);
        since.note(&decision);
        match decision {
            Decision::Follow => Ok(Step::Wait(Wait::Change)),
            Decision::Won(epoch) => self.take_up(session, view, name, epoch).await.map(Step::Won),
            Decision::Next(rank) => {
                let turn = since.vacant + COURTESY * u32::try_from(rank).unwrap_or(u32::MAX);
                if Instant::now() < turn {
                    return Ok(Step::Wait(Wait::ChangeUntil(turn)));
                }
                Ok(self.win(session, view, name).await?.map_or(Step::Again, Step::Won))
            }
            Decision::Gone => {
                self.node = None;
                Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("the lock node {name} was deleted by somebody else"),
                ))
            }
            Decision::Foreign => {
                // A leader that lives puts its own address there again.
                let end = since.foreign + FOREIGN;
                let alone = view.nodes.iter().all(|node| node.name == name);
                if alone || Instant::now() >= end {
                    return Err(self.foreign(&view.published));
                }
                Ok(Step::Wait(Wait::ChangeUntil(end)))
            }
        }
    }

    /// Makes the lock node, unless it has been made.
    async fn stand(&mut self, session: &Session) -> Result<String> {
        let owner = session.id();
        if self.doubtful {
            self.find(session).await?;
        }
        if let Some((name, _)) = self.node.as_ref().filter(|(_, of)| of.id() == owner) {
            return Ok(name.clone());
        }
        let settings = &self.context.settings;
        let prefix = standing::prefix(&self.entry.candidate.id);
        let options = CreateMode::EphemeralSequential.with_acls(settings.acls());
        let path = settings.lock_node(&prefix);
        self.doubtful = true;
        let data = self.entry.encode();
        let made = session.bounded(session.client().create(&path, &data, &options)).await;
        let sequence = match made {
            Ok((_, sequence)) => sequence,
            Err(fault) => {
                self.doubtful = !is_refusal(&fault);
                return Err(self.failed("make a lock node in", settings.lock(), fault));
            }
        };
        self.doubtful = false;
        let name = format!("{prefix}{sequence}");
        self.guard.hold(&settings.lock_node(&name), owner);
        self.node = Some((name.clone(), session.clone()));
        Ok(name)
    }

    /// Finds the lock node whose making was not answered. Requests of a session are carried out in their
    /// order, and not after it has moved to another server: what is not there now never will be.
    async fn find(&mut self, session: &Session) -> Result<()> {
        let view = look::once(session, &self.context.settings)
            .await
            .map_err(|(path, fault)| self.failed("read", &path, fault))?;
        let is_mine = |node: &&_| is_mine(&self.entry, node);
        let mine = view.nodes.iter().filter(is_mine).find(|node| node.owner == session.id());
        if let Some(node) = mine {
            self.guard.hold(&self.context.settings.lock_node(&node.name), node.owner);
            self.node = Some((node.name.clone(), session.clone()));
        }
        self.doubtful = false;
        Ok(())
    }

    /// Deletes other lock nodes of this candidacy: of a session that is over, or made twice.
    async fn delete_doubles(&self, session: &Session, view: &View, name: &str) -> Result<()> {
        let settings = &self.context.settings;
        let doubles = view.nodes.iter().filter(|node| is_mine(&self.entry, node) && node.name != name);
        for node in doubles {
            let path = settings.lock_node(&node.name);
            match session.bounded(session.client().delete(&path, None)).await {
                Ok(()) | Err(Fault::NoNode) => self.guard.release(&path),
                Err(fault) => return Err(self.failed("delete the old lock node", &path, fault)),
            }
        }
        Ok(())
    }

    /// Asks for the win. `None`: somebody else has written to `<path>` since.
    async fn win(&mut self, session: &Session, view: &View, name: &str) -> Result<Option<Reign>> {
        let context = Arc::clone(&self.context);
        let settings = &context.settings;
        if view.published.epoch().is_none() {
            // Somebody else wrote there, or nobody ever did.
            self.learn_epoch(session).await?;
        }
        let version = Epoch(u64::try_from(view.version).unwrap_or_default());
        let epoch = next_epoch([context.highest(), version]);
        let publication = Publication::new(&self.entry.candidate, epoch, name, &self.entry.nonce);
        let (lock, data) = (settings.lock_node(name), publication.encode());
        let mut writer = session.client().new_multi_writer();
        writer
            .add_check_version(&lock, -1)
            .and_then(|()| writer.add_set_data(settings.path(), &data, Some(view.version)))
            .map_err(|fault| self.failed("write to", settings.path(), fault))?;
        let sent = Instant::now();
        self.attempted = true;
        match session.bounded(writer.commit()).await {
            Ok(results) => {
                let version = results.iter().find_map(|result| match result {
                    MultiWriteResult::SetData { stat } => Some(stat.version),
                    _ => None,
                });
                let version = version.unwrap_or_else(|| view.version.wrapping_add(1));
                Ok(Some(self.begin(session, name, epoch, version, sent)))
            }
            Err(MultiWriteError::OperationFailed { index: 1, source: Fault::BadVersion }) => {
                self.attempted = false;
                Ok(None)
            }
            Err(error) => {
                let fault = Fault::from(error);
                self.attempted = !is_refusal(&fault);
                Err(self.failed("write to", settings.path(), fault))
            }
        }
    }

    /// A win whose answer was lost: the reign begins once the session is proved anew.
    async fn take_up(&self, session: &Session, view: &View, name: &str, epoch: Epoch) -> Result<Reign> {
        let lock = self.context.settings.lock_node(name);
        let failed = |fault| self.failed("check", &lock, fault);
        let mut writer = session.client().new_multi_writer();
        writer.add_check_version(&lock, -1).map_err(failed)?;
        let sent = Instant::now();
        session.bounded(writer.commit()).await.map_err(|error| failed(error.into()))?;
        Ok(self.begin(session, name, epoch, view.version, sent))
    }

    fn begin(&self, session: &Session, name: &str, epoch: Epoch, version: i32, sent: Instant) -> Reign {
        self.context.saw(epoch);
        Reign::begin(Mandate {
            context: Arc::clone(&self.context),
            guard: Arc::clone(&self.guard),
            session: session.clone(),
            entry: self.entry.clone(),
            lock: name.into(),
            epoch,
            version,
            proved: sent,
        })
    }

    /// Hears of the reign that wrote the state last.
    async fn learn_epoch(&self, session: &Session) -> Result<()> {
        let path = self.context.settings.state();
        match session.bounded(session.client().get_data(path)).await {
            Ok((data, _)) => self.context.saw(state::epoch(&data)),
            Err(Fault::NoNode) => {}
            Err(fault) => return Err(self.failed("read", path, fault)),
        }
        Ok(())
    }

    /// The error of a request.
    fn failed(&self, doing: &str, path: &str, fault: Fault) -> Error {
        self.context.settings.passing(doing, path, fault)
    }

    fn foreign(&self, published: &Published) -> Error {
        let place = self.context.settings.place(self.context.settings.path());
        let found = match published {
            Published::Garbage(found) => found,
            _ => "",
        };
        Error::new(
            ErrorKind::Invalid,
            format!(
                "{place} holds {found}, which no master has written: choose another \"path\" in zookeeper.json, or clear it"
            ),
        )
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
        remains.sweep().await;
    }
}

fn is_mine(entry: &Entry, node: &standing::Node) -> bool {
    node.entry.nonce == entry.nonce
}

/// Since when things are as they are.
#[derive(Debug)]
struct Since {
    vacant: Instant,
    foreign: Instant,
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
    fn note(&mut self, decision: &Decision) {
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
