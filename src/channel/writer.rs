//! The single writer of this frontend's members.
//!
//! Every change goes through the queue of its channel: store first, memory and answer after it, one
//! change of a channel at a time, so that the store sees them in the order of the answers. Changes
//! that wait are written together. A change whose outcome the store has not told is *owed*: the
//! store is brought to what the memory says, later and as often as it takes.

mod debts;
mod queues;

use super::ready::Ready;
use super::roster::Roster;
use crate::sync::Mutex;
use crate::time::{Elapsed, timeout};
use alloc::sync::Arc;
use async_channel::{Receiver, bounded};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use debts::Debts;
use futures_lite::FutureExt;
use queues::{Batch, Change, Queues};
use tangelo_core::channel::{Frontend, check_change, check_name};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Result};
use tracing::{error, warn};

/// The most memberships at one frontend.
const MAX_MEMBERS: usize = 16 << 20;

/// This frontend's members, and the way to change them; a handle.
#[derive(Debug, Clone)]
pub(super) struct Writer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    runtime: Arc<dyn Runtime>,
    store: Arc<Ready>,
    frontend: Frontend,
    roster: Arc<Mutex<Roster>>,
    queues: Mutex<Queues>,
    debts: Mutex<Debts>,
    /// This life of the server is over, for the store: it has purged it.
    over: AtomicBool,
}

impl Writer {
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        store: Arc<Ready>,
        frontend: Frontend,
        roster: Arc<Mutex<Roster>>,
    ) -> Self {
        let (queues, debts, over) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self(Arc::new(Shared { runtime, store, frontend, roster, queues, debts, over }))
    }

    /// Puts users into a channel. It happens whole or not at all, also if this future is dropped.
    pub(super) async fn add(&self, channel: &str, uids: Vec<String>) -> Result<()> {
        check_change(channel, &self.0.frontend, &uids)?;
        if self.0.debts.lock().is_full() {
            let message =
                "the store of global channels is down, and too much is to be set right there already";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        if self.0.roster.lock().len() + uids.len() > MAX_MEMBERS {
            let message = format!("{} has {MAX_MEMBERS} members already", self.0.frontend.sid);
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        answered(self.submit(channel, Change::Add, uids)?).await
    }

    /// Takes users out of a channel.
    pub(super) async fn leave(&self, channel: &str, uids: Vec<String>) -> Result<()> {
        check_change(channel, &self.0.frontend, &uids)?;
        answered(self.submit(channel, Change::Leave, uids)?).await
    }

    /// Takes a user out of all channels, also those that it is just being put into.
    pub(super) async fn leave_all(&self, uid: &str) -> Result<()> {
        check_name("user", uid)?;
        let mut channels = self.0.queues.lock().busy();
        let quiet = self.0.roster.lock().channels_of(uid);
        channels.extend(quiet);
        let submit = |channel: &String| self.submit(channel, Change::Leave, vec![uid.into()]);
        let answers = channels.iter().map(submit).collect::<Result<Vec<_>>>()?;
        let mut outcome = Ok(());
        for answer in answers {
            let answer = answered(answer).await;
            outcome = outcome.and(answer);
        }
        outcome
    }

    /// Takes everybody out of a channel.
    pub(super) async fn drop_channel(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        if self.0.roster.lock().count(channel) == 0 && !self.0.queues.lock().busy().contains(channel) {
            return Ok(());
        }
        answered(self.submit(channel, Change::LeaveEverybody, Vec::new())?).await
    }

    /// Ends this life of the frontend: its members leave, and nobody joins any more.
    pub(super) async fn end(&self) -> Result<()> {
        self.0.end();
        self.0.store.get().await?.purge_server(&self.0.frontend).await
    }

    /// How many changes are still owed to the store.
    pub(super) fn owed(&self) -> usize {
        self.0.debts.lock().len()
    }

    fn submit(&self, channel: &str, change: Change, uids: Vec<String>) -> Result<Receiver<Result<()>>> {
        let (answer, answered) = bounded(1);
        if self.0.over.load(Ordering::Relaxed) {
            let _ = answer.try_send(Err(self.0.stale()));
            return Ok(answered);
        }
        if self.0.queues.lock().push(channel, change, uids, answer)? {
            let (shared, channel) = (Arc::clone(&self.0), String::from(channel));
            self.0.runtime.spawn(Box::pin(shared.work(channel)));
        }
        Ok(answered)
    }
}

async fn answered(answer: Receiver<Result<()>>) -> Result<()> {
    let lost = |_| Error::new(ErrorKind::Io, "a channel manager panicked: see this server's log");
    answer.recv().await.map_err(lost)?
}

impl Shared {
    /// Works off the queue of a channel until it is empty.
    async fn work(self: Arc<Self>, channel: String) {
        loop {
            let Some(batch) = self.queues.lock().next(&channel) else { return };
            let mut outcome = self.carry_out(&channel, &batch).await;
            if let Err(error) = &outcome
                && error.kind() == ErrorKind::StaleIncarnation
                && !self.over.load(Ordering::Relaxed)
            {
                error!(%error, "this server was declared dead: its users are in no global channels any more");
                self.end();
                outcome = Err(self.stale());
            }
            batch.answer(&outcome);
        }
    }

    async fn carry_out(self: &Arc<Self>, channel: &str, batch: &Batch) -> Result<()> {
        if self.over.load(Ordering::Relaxed) {
            return Err(self.stale());
        }
        let frontend = &self.frontend;
        match batch.change {
            Change::Add => {
                let new = self.differing(channel, &batch.uids, false);
                if new.is_empty() {
                    return Ok(());
                }
                // If it is not there, it is not asked, and nothing is owed.
                let store = self.store.get().await?;
                let added = self.bounded(store.add_many(channel, frontend, &new)).await;
                self.note(channel, &new, &added);
                added?;
                let mut roster = self.roster.lock();
                // Whoever is in memory once the server's life is over would be a ghost.
                if !self.over.load(Ordering::Relaxed) {
                    new.iter().for_each(|uid| _ = roster.add(channel, uid));
                }
                Ok(())
            }
            Change::Leave | Change::LeaveEverybody => {
                let gone = match batch.change {
                    Change::Leave => self.differing(channel, &batch.uids, true),
                    _ => self.everybody(channel),
                };
                if gone.is_empty() {
                    return Ok(());
                }
                // No push reaches them from here on, whatever the store says.
                self.forget(channel, &gone);
                let left = match self.store.get().await {
                    Ok(store) => self.bounded(store.leave_many(channel, frontend, &gone)).await,
                    Err(error) => Err(error),
                };
                self.note(channel, &gone, &left);
                left
            }
            Change::SetRight => self.set_right(channel).await,
        }
    }

    /// A manager of somebody's own may panic, or forget its timeout.
    async fn bounded(&self, change: impl Future<Output = Result<()>>) -> Result<()> {
        let limit = self.store.patience() * 2 + Duration::from_secs(1);
        let ended = timeout(&self.runtime, limit, AssertUnwindSafe(change).catch_unwind()).await;
        match ended {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                Err(Error::new(ErrorKind::Io, "the channel manager panicked: see this server's log"))
            }
            Err(Elapsed) => {
                Err(Error::new(ErrorKind::Timeout, "the channel manager has overrun its own timeout"))
            }
        }
    }

    /// Those of `uids` for whom something is to be done: whose being there is `there`, or not known.
    fn differing(&self, channel: &str, uids: &[String], there: bool) -> Vec<String> {
        let (roster, debts) = (self.roster.lock(), self.debts.lock());
        let differs = |uid: &&String| roster.contains(channel, uid) == there || debts.has(channel, uid);
        uids.iter().filter(differs).cloned().collect()
    }

    fn forget(&self, channel: &str, uids: &[String]) {
        let mut roster = self.roster.lock();
        uids.iter().for_each(|uid| _ = roster.remove(channel, uid));
    }

    fn everybody(&self, channel: &str) -> Vec<String> {
        let mut users = self.roster.lock().users(channel);
        users.extend(self.debts.lock().of(channel));
        users
    }

    /// Remembers what the store owes, or does not owe any more.
    fn note(self: &Arc<Self>, channel: &str, uids: &[String], outcome: &Result<()>) {
        match outcome.as_ref().map_err(Error::kind) {
            Ok(()) => self.debts.lock().settle(channel, uids),
            // It was refused before anything was done.
            Err(ErrorKind::StaleIncarnation | ErrorKind::Invalid) => (),
            Err(_) => self.owe(channel, uids),
        }
    }

    fn owe(self: &Arc<Self>, channel: &str, uids: &[String]) {
        if self.debts.lock().owe(channel, uids) {
            self.runtime.spawn(Box::pin(Arc::clone(self).pay()));
        }
    }

    /// Brings the store to what the memory says.
    async fn set_right(self: &Arc<Self>, channel: &str) -> Result<()> {
        let owed = self.debts.lock().of(channel);
        let (there, gone): (Vec<_>, Vec<_>) = {
            let roster = self.roster.lock();
            owed.into_iter().partition(|uid| roster.contains(channel, uid))
        };
        let store = self.store.get().await?;
        if !there.is_empty() {
            self.bounded(store.add_many(channel, &self.frontend, &there)).await?;
            self.debts.lock().settle(channel, &there);
        }
        if !gone.is_empty() {
            self.bounded(store.leave_many(channel, &self.frontend, &gone)).await?;
            self.debts.lock().settle(channel, &gone);
        }
        Ok(())
    }

    /// Tries again and again, ever less often, until nothing is owed any more.
    async fn pay(self: Arc<Self>) {
        let writer = Writer(Arc::clone(&self));
        loop {
            let (wait, channels) = self.debts.lock().next_try();
            if channels.is_empty() || self.over.load(Ordering::Relaxed) {
                return;
            }
            self.runtime.sleep(wait).await;
            let mut failed = None;
            for channel in channels {
                let Ok(answer) = writer.submit(&channel, Change::SetRight, Vec::new()) else { break };
                if let Err(error) = answered(answer).await {
                    // The others would fare no better.
                    failed = Some(error);
                    break;
                }
            }
            if let Some(error) = failed {
                warn!(%error, owed = self.debts.lock().len(), "the store of global channels cannot be set right yet");
            }
        }
    }

    /// This life is over: nobody is here any more.
    fn end(&self) {
        let mut roster = self.roster.lock();
        self.over.store(true, Ordering::Relaxed);
        roster.clear();
        drop(roster);
        self.debts.lock().forget();
    }

    fn stale(&self) -> Error {
        let Frontend { sid, incarnation } = &self.frontend;
        let message = format!(
            "life {incarnation} of {sid} is over for the store of global channels, so its users are in none: restart \
             it; if the cluster's own state was lost, start the cluster once with \"cleanOnStartUp\": true"
        );
        Error::new(ErrorKind::StaleIncarnation, message)
    }
}
