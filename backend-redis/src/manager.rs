//! The manager: what the trait asks for, put together.

use crate::change::{Change, Sign};
use crate::config::RedisConfig;
use crate::keys::{Keys, Server};
use crate::lanes::Lanes;
use crate::link::Link;
use crate::read::Pages;
use crate::script::{CHANNELS, DESTROY, PURGE, Request, SIZES};
use alloc::sync::Arc;
use async_lock::{Semaphore, SemaphoreGuardArc};
use async_trait::async_trait;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use futures_channel::oneshot;
use futures_util::future::join_all;
use redis::{FromRedisValue, Value};
use tangelo_core::channel::{
    Capability, ChannelManager, ChannelMember, Frontend, check_change, check_frontend, check_name,
};
use tangelo_core::patience::{left, within};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxStream, Error, ErrorKind, Instant, Result};

/// So many changes may wait for Redis at once; further callers wait for a place.
const MAX_WAITING: usize = 1 << 16;
/// Redis takes about a million arguments in one command.
const MAX_USERS: usize = 1_000_000;
/// So many requests are under way at once when many servers are asked.
const ABREAST: usize = 64;

/// The [`ChannelManager`] on Redis.
pub struct RedisChannelManager {
    pub(crate) config: Arc<RedisConfig>,
    pub(crate) keys: Keys,
    pub(crate) link: Arc<Link>,
    lanes: Arc<Lanes>,
    places: Arc<Semaphore>,
    stopped: AtomicBool,
}

impl RedisChannelManager {
    /// A manager that connects when it is started or first asked; it keeps time and runs its tasks on `runtime`,
    /// inside which it must be used.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the configuration cannot work, and
    /// [`Unsupported`](ErrorKind::Unsupported) if it needs the feature `tls` and this build lacks it.
    pub fn new(config: RedisConfig, runtime: Arc<dyn Runtime>) -> Result<Self> {
        config.check()?;
        let keys = Keys::new(&config.prefix, config.is_cluster())?;
        config.frontends.iter().try_for_each(|sid| check_name("frontend", sid))?;
        let config = Arc::new(config);
        let link = Arc::new(Link::new(Arc::clone(&config), runtime));
        let lanes = Arc::new(Lanes::new(Arc::clone(&config), keys.clone(), Arc::clone(&link)));
        let places = Arc::new(Semaphore::new(MAX_WAITING));
        Ok(Self { config, keys, link, lanes, places, stopped: AtomicBool::new(false) })
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
        let deadline = self.deadline();
        let place = self.place(sign, deadline).await?;
        let (waiting, answered) = oneshot::channel();
        let change = Change {
            sign,
            channel: self.keys.channel(channel),
            incarnation: frontend.incarnation,
            uids,
            deadline,
            waiting,
            _place: place,
        };
        self.lanes.push(&frontend.sid, change);
        answered.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "the runtime of this manager of channels has ended"))
        })
    }

    async fn place(&self, sign: Sign, deadline: Instant) -> Result<SemaphoreGuardArc> {
        if let Some(place) = self.places.try_acquire_arc() {
            return Ok(place);
        }
        let place = within(self.link.runtime(), left(deadline), self.places.acquire_arc()).await;
        place.ok_or_else(|| {
            let message =
                format!("cannot {}: {MAX_WAITING} changes wait for Redis at {}", sign.doing(), self.config);
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    /// One request, which must end by the manager's timeout.
    pub(crate) async fn ask<T: FromRedisValue>(&self, request: &Request, long: bool) -> Result<T> {
        self.check_running(request.doing)?;
        let value = self.link.call(request, self.deadline(), long).await?;
        read(request, value)
    }

    /// Many requests, some at a time; the first error ends it.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, requests: Vec<Request>) -> Result<Vec<T>> {
        let mut answers = Vec::with_capacity(requests.len());
        for some in requests.chunks(ABREAST) {
            for answer in join_all(some.iter().map(|request| self.ask::<T>(request, false))).await {
                answers.push(answer?);
            }
        }
        Ok(answers)
    }

    /// The servers of the lists of servers.
    pub(crate) async fn listed(&self) -> Result<Vec<Server>> {
        let lists = self.keys.lists();
        let requests =
            lists.iter().map(|list| Request::command("read the list of servers", "SMEMBERS", list));
        let listed: Vec<Vec<String>> = self.ask_all(requests.collect()).await?;
        Ok(listed.iter().flatten().filter_map(|server| self.keys.listed(server)).collect())
    }

    /// How many members a channel has, at the servers that have some.
    pub(crate) async fn sizes(&self, channel: &str) -> Result<Vec<(Server, u64)>> {
        let head = self.keys.members_head() + &self.keys.channel(channel) + ":";
        let requests = self.keys.lists().into_iter().map(|list| {
            let mut request = Request::script("read where a channel has members", &SIZES, &[&list]);
            request.arg(&head).arg(self.frontends(&list));
            request
        });
        let sizes: Vec<Vec<(String, u64)>> = self.ask_all(requests.collect()).await?;
        Ok(sizes
            .into_iter()
            .flatten()
            .filter_map(|(server, size)| Some((self.keys.listed(&server)?, size)))
            .collect())
    }

    /// The servers of the configuration that belong to a list of servers.
    fn frontends(&self, list: &str) -> Vec<String> {
        let servers = self.config.frontends.iter().map(|sid| self.keys.server(sid));
        servers
            .filter(|server| self.keys.list(server) == list)
            .map(|server| server.as_str().to_owned())
            .collect()
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.config.timeout
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
impl ChannelManager for RedisChannelManager {
    /// A purge is one step in a Cluster too, where everything of a server is in one slot.
    fn capability(&self) -> Capability {
        Capability::LOCAL.durable(true).shared(true).atomic_purge(true)
    }

    async fn start(&self) -> Result<()> {
        self.stopped.store(false, Ordering::Release);
        self.link.reopen();
        let connected = self.link.get(self.deadline()).await;
        connected.map(drop).map_err(|failure| failure.error("start the manager of channels"))
    }

    async fn stop(&self) -> Result<()> {
        self.stopped.store(true, Ordering::Release);
        // Those who wait are answered, one way or the other.
        within(self.link.runtime(), self.config.timeout, self.lanes.drained()).await;
        self.link.close();
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
            let page = pages.next(self).await?;
            Some((page, pages))
        }))
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        let key = self.keys.members(&self.keys.channel(channel), &self.keys.server(sid));
        self.ask(&Request::command("read the members of a channel", "SMEMBERS", &key), true).await
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        check_name("frontend", sid)?;
        let server = self.keys.server(sid);
        let mut request =
            Request::script("read the channels of a server", &CHANNELS, &[&self.keys.hash(&server)]);
        request.arg(self.keys.members_head()).arg(self.keys.members_tail(&server));
        let channels: Vec<String> = self.ask(&request, true).await?;
        Ok(channels.iter().filter_map(|channel| self.keys.channel_name(channel)).collect())
    }

    async fn contains(&self, channel: &str, sid: &str, uid: &str) -> Result<bool> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        check_name("user", uid)?;
        let key = self.keys.members(&self.keys.channel(channel), &self.keys.server(sid));
        let mut request = Request::command("look for a member of a channel", "SISMEMBER", &key);
        request.arg(uid);
        self.ask(&request, false).await
    }

    async fn count(&self, channel: &str) -> Result<u64> {
        check_name("channel", channel)?;
        Ok(self.sizes(channel).await?.into_iter().map(|(_, size)| size).sum())
    }

    /// On one server in one step; in a Cluster in a few, and calling it again finishes what was begun.
    async fn destroy(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        let channel = self.keys.channel(channel);
        let head = self.keys.members_head() + &channel + ":";
        let requests = self.keys.lists().into_iter().map(|list| {
            let mut request = Request::script("destroy a channel", &DESTROY, &[&list]).writing();
            request.arg(&head).arg(self.keys.hash_head()).arg(&channel).arg(self.frontends(&list));
            request
        });
        self.ask_all::<Value>(requests.collect()).await.map(drop)
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        check_frontend(frontend)?;
        let server = self.keys.server(&frontend.sid);
        let keys = [&*self.keys.hash(&server), &self.keys.list(&server)];
        let mut request = Request::script("purge a frontend", &PURGE, &keys).writing();
        request.arg(server.as_str());
        request.arg(self.keys.members_head()).arg(self.keys.members_tail(&server));
        request.arg(frontend.incarnation.next().0);
        self.ask::<Value>(&request, true).await.map(drop)
    }

    async fn clean(&self) -> Result<()> {
        crate::clean::clean(self).await
    }
}

impl fmt::Debug for RedisChannelManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisChannelManager").field("config", &self.config).finish_non_exhaustive()
    }
}

/// An answer as what it should be.
fn read<T: FromRedisValue>(request: &Request, value: Value) -> Result<T> {
    redis::from_redis_value(value).map_err(|error| {
        let message = format!("cannot {}: the key {} holds something strange", request.doing, request.key());
        Error::new(ErrorKind::Protocol, message).with_source(error)
    })
}
