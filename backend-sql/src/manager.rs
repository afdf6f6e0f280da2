//! The manager: what the trait asks for, put together.

use crate::change::{Change, Edit, Sign, number, texts};
use crate::config::SqlConfig;
use crate::dialect;
use crate::lanes::Lanes;
use crate::read::Pages;
use crate::schema::{Migrate, Schema};
use crate::session::Arg;
use crate::store::{Execute, Store};
use crate::sweep::Sweeper;
use alloc::sync::Arc;
use async_lock::{Semaphore, SemaphoreGuardArc};
use async_trait::async_trait;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use futures_channel::oneshot;
use tangelo_core::channel::{
    Capability, ChannelManager, ChannelMember, Frontend, check_change, check_frontend, check_name,
};
use tangelo_core::patience::{left, within};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxStream, Error, ErrorKind, Instant, Result};

/// So many changes may wait for the database at once; further callers wait for a place.
const MAX_WAITING: usize = 1 << 16;
/// Far beyond what can be done within a timeout, and no danger to the memory of a server.
const MAX_USERS: usize = 1_000_000;

/// The [`ChannelManager`] on PostgreSQL, MySQL or MariaDB, or SQLite.
pub struct SqlChannelManager {
    store: Arc<Store>,
    lanes: Arc<Lanes>,
    sweeper: Arc<Sweeper>,
    places: Arc<Semaphore>,
    stopped: AtomicBool,
}

impl SqlChannelManager {
    /// A manager that connects when it is started or first asked; it keeps time and runs its tasks on `runtime`,
    /// inside which it must be used.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the configuration cannot work, and
    /// [`Unsupported`](ErrorKind::Unsupported) if it needs a feature that this build lacks.
    pub fn new(config: SqlConfig, runtime: Arc<dyn Runtime>) -> Result<Self> {
        config.check()?;
        let dialect = dialect::of(&config.at)?;
        let store = Arc::new(Store::new(config, dialect, runtime));
        let sweeper = Arc::new(Sweeper::new(Arc::clone(&store)));
        let lanes = Arc::new(Lanes::new(Arc::clone(&store), Arc::clone(&sweeper)));
        let places = Arc::new(Semaphore::new(MAX_WAITING));
        Ok(Self { store, lanes, sweeper, places, stopped: AtomicBool::new(false) })
    }

    async fn change(&self, sign: Sign, channel: &str, frontend: &Frontend, uids: Vec<String>) -> Result<()> {
        check_change(channel, frontend, &uids)?;
        if uids.len() > MAX_USERS {
            let message = format!("at most {MAX_USERS} users may {} at once", sign.doing());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if uids.is_empty() {
            return Ok(());
        }
        self.check_running(sign.doing())?;
        let deadline = self.store.deadline();
        let place = self.place(sign, deadline).await?;
        let (waiting, answered) = oneshot::channel();
        let edit = Edit { sign, channel: channel.to_owned(), incarnation: frontend.incarnation, uids };
        let change = Change { edit: Arc::new(edit), deadline, waiting, _place: place };
        self.lanes.push(&frontend.sid, change);
        answered.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "the runtime of this manager of channels has ended"))
        })
    }

    async fn place(&self, sign: Sign, deadline: Instant) -> Result<SemaphoreGuardArc> {
        if let Some(place) = self.places.try_acquire_arc() {
            return Ok(place);
        }
        let place = within(&*self.store.runtime, left(deadline), self.places.acquire_arc()).await;
        place.ok_or_else(|| {
            let message =
                format!("cannot {}: {MAX_WAITING} changes wait for {}", sign.doing(), self.store.config);
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    fn check_running(&self, doing: &str) -> Result<()> {
        if self.stopped.load(Ordering::Acquire) {
            let message = format!("cannot {doing}: this manager of channels was stopped");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(())
    }
}

#[async_trait]
impl ChannelManager for SqlChannelManager {
    fn capability(&self) -> Capability {
        Capability::LOCAL.durable(true).shared(true).atomic_purge(true)
    }

    async fn start(&self) -> Result<()> {
        const DOING: &str = "start the manager of channels";
        self.stopped.store(false, Ordering::Release);
        self.store.reopen();
        self.sweeper.reopen();
        let config = &self.store.config;
        let migrate = Migrate { dialect: self.store.dialect, prefix: config.prefix.clone() };
        match self.store.call(DOING, &migrate).await? {
            Schema::Ready => {
                self.sweeper.wake();
                Ok(())
            }
            Schema::Newer(version) => {
                let message = format!(
                    "cannot {DOING}: {config}: the tables {}_… have version {version}, which this build does not \
                     know: use the Tangelo that made them, or another prefix",
                    config.prefix
                );
                Err(Error::new(ErrorKind::Unsupported, message))
            }
            Schema::Busy => {
                let message =
                    format!("cannot {DOING}: {config}: another process changes the tables for long");
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    async fn stop(&self) -> Result<()> {
        self.stopped.store(true, Ordering::Release);
        // Those who wait are answered, one way or the other.
        within(&*self.store.runtime, self.store.config.timeout, self.lanes.drained()).await;
        self.sweeper.stop();
        self.store.close().await;
        Ok(())
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        self.change(Sign::Add, channel, frontend, uids.to_vec()).await
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        self.change(Sign::Leave, channel, frontend, uids.to_vec()).await
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        Box::pin(futures_lite::stream::unfold(Pages::new(channel), move |mut pages| async move {
            let page = pages.next(&self.store).await?;
            Some((page, pages))
        }))
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        let args = [Arg::Bytes(sid.as_bytes()), Arg::Bytes(channel.as_bytes())];
        self.store.read("read the members of a channel", &self.store.sql.users, &args).await.map(texts)
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        check_name("frontend", sid)?;
        let args = [Arg::Bytes(sid.as_bytes())];
        self.store.read("read the channels of a server", &self.store.sql.channels, &args).await.map(texts)
    }

    async fn contains(&self, channel: &str, sid: &str, uid: &str) -> Result<bool> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        check_name("user", uid)?;
        let args = [sid, channel, uid].map(|name| Arg::Bytes(name.as_bytes()));
        let rows = self.store.read("look for a member of a channel", &self.store.sql.contains, &args).await?;
        Ok(!rows.is_empty())
    }

    async fn count(&self, channel: &str) -> Result<u64> {
        check_name("channel", channel)?;
        let args = [Arg::Bytes(channel.as_bytes())];
        let rows = self.store.read("count the members of a channel", &self.store.sql.count, &args).await?;
        let count = rows.first().and_then(|row| row.first()).map_or(0, |count| count.int());
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        const DOING: &str = "destroy a channel";
        check_name("channel", channel)?;
        self.check_running(DOING)?;
        let args = [Arg::Bytes(channel.as_bytes())];
        let destroy = Execute { sql: &self.store.sql.destroy, args: &args };
        self.store.call(DOING, &destroy).await.map(drop)
    }

    /// One row says that the life is over; its members are removed afterwards, when nobody sees them any more.
    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        const DOING: &str = "purge a frontend";
        check_frontend(frontend)?;
        self.check_running(DOING)?;
        let next = number(frontend.incarnation.next());
        let args = [Arg::Bytes(frontend.sid.as_bytes()), Arg::Int(next)];
        let purge = Execute { sql: &self.store.sql.purge, args: &args };
        self.store.call(DOING, &purge).await?;
        self.sweeper.wake();
        Ok(())
    }

    async fn clean(&self) -> Result<()> {
        crate::clean::clean(&self.store).await
    }
}

impl fmt::Debug for SqlChannelManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlChannelManager").field("config", &self.store.config).finish_non_exhaustive()
    }
}
