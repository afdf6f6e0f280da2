//! Has members purged, as the machine says, however long their store is away.

use super::events::Event;
use super::launcher::may_act;
use super::process::Master;
use crate::channel::Purger;
use crate::sync::Mutex;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use async_channel::Sender;
use async_lock::Semaphore;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use futures_lite::FutureExt;
use tangelo_core::channel::Frontend;
use tangelo_core::config::Incarnation;
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::master::Input;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::PurgeRow;
use tangelo_core::{Error, ErrorKind, Leadership, Result};
use tracing::{info, warn};

/// The first and the longest pause before a purge is tried again.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How many purges are under way at once at most: a cluster that is started has one of each frontend.
const AT_ONCE: usize = 8;

/// The purges of one reign; they end with it.
#[derive(Debug)]
pub(super) struct Purges {
    tasks: Option<Arc<Tasks>>,
    runtime: Arc<dyn Runtime>,
}

/// What the tasks share; gone when the reign is over.
#[derive(Debug)]
struct Tasks {
    purger: Arc<Purger>,
    leadership: Arc<dyn Leadership>,
    events: Sender<Event>,
    slots: Semaphore,
    /// What is not done, by frontend: its latest life that is over, and why not.
    undone: Mutex<BTreeMap<String, (Incarnation, Option<String>)>>,
    /// What the store has complained about last, so that an outage is told once.
    complaint: Mutex<Option<String>>,
}

impl Purges {
    pub(super) fn new(master: &Master, leadership: &Arc<dyn Leadership>) -> Self {
        let tasks = |purger: &Arc<Purger>| {
            Arc::new(Tasks {
                purger: Arc::clone(purger),
                leadership: Arc::clone(leadership),
                events: master.events.clone(),
                slots: Semaphore::new(AT_ONCE),
                undone: Mutex::default(),
                complaint: Mutex::default(),
            })
        };
        Self { tasks: master.options.purger.as_ref().map(tasks), runtime: Arc::clone(&master.runtime) }
    }

    pub(super) fn purge(&self, frontend: Frontend) {
        // The machine orders none unless there is a purger.
        let Some(tasks) = &self.tasks else { return };
        tasks.undone.lock().insert(frontend.sid.clone(), (frontend.incarnation, None));
        let (tasks, runtime) = (Arc::downgrade(tasks), Arc::clone(&self.runtime));
        self.runtime.spawn(Box::pin(async move {
            let mut wait = FIRST_WAIT;
            while let Some(tasks) = tasks.upgrade() {
                if tasks.is_settled(&frontend) || tasks.try_to_purge(&frontend).await {
                    return;
                }
                drop(tasks);
                runtime.sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }));
    }

    /// Adds to `list` why it is not done yet.
    pub(super) fn explain(&self, rows: &mut [PurgeRow]) {
        let Some(tasks) = &self.tasks else { return };
        let undone = tasks.undone.lock();
        for row in rows {
            row.error = undone.get(&row.id).and_then(|(_, error)| error.clone());
        }
    }
}

impl Tasks {
    /// Whether nobody waits for this purge: a later life of that frontend is over too, or the reign is.
    fn is_settled(&self, frontend: &Frontend) -> bool {
        let latest = self.undone.lock().get(&frontend.sid).map(|(incarnation, _)| *incarnation);
        latest != Some(frontend.incarnation) || self.leadership.state() == LeadershipState::Lost
    }

    /// Whether it is done. It would do no harm past the deadline, since it names what is over for
    /// good and says so to a store that refuses nobody else; but then a successor does it.
    async fn try_to_purge(&self, frontend: &Frontend) -> bool {
        let _slot = self.slots.acquire().await;
        if !may_act(&*self.leadership) {
            return false;
        }
        let panicked = |_| Err(Error::new(ErrorKind::Io, "the channel manager panicked: see the log"));
        let purged: Result<()> =
            AssertUnwindSafe(self.purger.purge(frontend)).catch_unwind().await.unwrap_or_else(panicked);
        let Frontend { sid, incarnation } = frontend;
        if let Err(error) = purged {
            let told = error.to_string();
            if self.complaint.lock().replace(told.clone()).as_ref() != Some(&told) {
                warn!(%error, frontend = %sid, %incarnation, "its members cannot be purged yet: will go on trying");
            }
            let mut undone = self.undone.lock();
            if let Some((_, why)) = undone.get_mut(sid).filter(|(latest, _)| latest == incarnation) {
                *why = Some(told);
            }
            return false;
        }
        if self.complaint.lock().take().is_some() {
            info!("the store of global channels is there again");
        }
        {
            let mut undone = self.undone.lock();
            if undone.get(sid).is_some_and(|(latest, _)| latest <= incarnation) {
                undone.remove(sid);
            }
        }
        // If nobody takes events any more, the process ends.
        let input = Input::Purged(frontend.clone());
        let _ = self.events.send(Event::Reign(self.leadership.epoch(), input)).await;
        true
    }
}
