//! Channels that span the cluster.

use super::cluster::Cluster;
use super::here::Here;
use super::ready::Ready;
use super::sender::Sender;
use super::wire::{self, CHANNEL, Request};
use super::writer::Writer;
use crate::sync::Mutex;
use crate::time::{Elapsed, timeout};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::{StreamExt, future, stream};
use tangelo_core::channel::{
    ChannelManager, ChannelMember, PushOptions, PushReport, PushRequest, PushTarget, check_name,
};
use tangelo_core::config::GlobalChannelConfig;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, BoxStream, Error, ErrorKind, Result};
use tracing::warn;

/// What a call to a frontend may take beyond what the store may.
const WAY: Duration = Duration::from_secs(1);

/// Channels whose users sit at any frontend of the cluster; a cheap handle, from
/// [`App::global_channels`](crate::App::global_channels).
///
/// A user is in a channel *at a frontend* (`sid`, its server id). The frontend alone changes its
/// members: a change made on any server travels there, is written to the store, and is then
/// acknowledged. The frontend has its members in memory, so a push is one message to each frontend
/// and reads no store.
///
/// Members go when they leave, when their frontend's life ends, or (unless `leaveOnClose` is false)
/// when their session closes.
#[derive(Debug, Clone)]
pub struct GlobalChannelService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Arc<dyn Runtime>,
    cluster: Arc<dyn Cluster>,
    config: GlobalChannelConfig,
    store: Arc<Ready>,
    here: Here,
    writer: Writer,
    sender: Sender,
    /// Frontends that have gone, with their types, as long as the store may have members of theirs.
    lost: Mutex<BTreeMap<String, String>>,
}

impl GlobalChannelService {
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        cluster: Arc<dyn Cluster>,
        here: Here,
        manager: Arc<dyn ChannelManager>,
        config: GlobalChannelConfig,
    ) -> Self {
        let own = cluster.is_frontend().then(|| here.frontend.clone());
        let store = Ready::new(Arc::clone(&runtime), manager, own, config.timeout);
        let writer = Writer::new(
            Arc::clone(&runtime),
            Arc::clone(&store),
            here.frontend.clone(),
            Arc::clone(&here.roster),
        );
        let sender = Sender { runtime: runtime.clone(), cluster: cluster.clone(), here: here.clone() };
        let lost = Mutex::default();
        Self(Arc::new(Inner { runtime, cluster, config, store, here, writer, sender, lost }))
    }

    /// Puts the user `uid` at the frontend `sid` into a channel. Doing it twice is doing it once.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if that frontend is not up, or has no session of the user;
    /// [`Invalid`](ErrorKind::Invalid) for a name of other than 1 to 255 bytes;
    /// [`StaleIncarnation`](ErrorKind::StaleIncarnation) if that frontend was declared dead;
    /// [`Unavailable`](ErrorKind::Unavailable) or [`Timeout`](ErrorKind::Timeout) if it or the store
    /// does not answer: then the user is not in the channel, or will not be for long, unless it was before.
    ///
    /// # Cancel safety
    /// It happens whole or not at all; a dropped future does not tell which.
    pub async fn add(&self, channel: &str, uid: &str, sid: &str) -> Result<()> {
        self.add_many(channel, &[uid], sid).await
    }

    /// Puts several users of one frontend into a channel, all or none of them.
    ///
    /// # Errors
    /// As for [`add`](Self::add); also if they are too many for a message.
    ///
    /// # Cancel safety
    /// As for [`add`](Self::add).
    pub async fn add_many<U: AsRef<str>>(&self, channel: &str, uids: &[U], sid: &str) -> Result<()> {
        self.change(sid, Request::Add { channel: channel.into(), uids: names(uids) }).await
    }

    /// Takes a user out of a channel. That it is not there is fine.
    ///
    /// # Errors
    /// As for [`add`](Self::add). If the frontend was reached, no push reaches the user any more,
    /// and the store hears of it as soon as it can.
    ///
    /// # Cancel safety
    /// As for [`add`](Self::add).
    pub async fn leave(&self, channel: &str, uid: &str, sid: &str) -> Result<()> {
        self.leave_many(channel, &[uid], sid).await
    }

    /// Takes several users of one frontend out of a channel.
    ///
    /// # Errors
    /// As for [`leave`](Self::leave).
    ///
    /// # Cancel safety
    /// As for [`add`](Self::add).
    pub async fn leave_many<U: AsRef<str>>(&self, channel: &str, uids: &[U], sid: &str) -> Result<()> {
        self.change(sid, Request::Leave { channel: channel.into(), uids: names(uids) }).await
    }

    /// Takes a user of one frontend out of all its channels.
    ///
    /// # Errors
    /// As for [`leave`](Self::leave).
    ///
    /// # Cancel safety
    /// As for [`add`](Self::add), for each channel.
    pub async fn leave_all(&self, uid: &str, sid: &str) -> Result<()> {
        self.change(sid, Request::LeaveAll { uid: uid.into() }).await
    }

    /// To be called by whatever holds sessions, once the last one of a user at this server is
    /// closed: the user leaves all channels here, unless `leaveOnClose` is false.
    ///
    /// It returns at once; what the store has not heard is told it later.
    pub fn session_closed(&self, uid: &str) {
        if self.0.config.leave_on_close {
            let (inner, uid) = (Arc::clone(&self.0), String::from(uid));
            self.0.runtime.spawn(Box::pin(async move {
                if let Err(error) = inner.writer.leave_all(&uid).await {
                    warn!(%error, "a user whose session has closed is still in channels for the store");
                }
            }));
        }
    }

    /// All members of a channel, in pages. A member that is there from the first page to the last
    /// is reported at least once; the stream ends with the first error.
    #[must_use]
    pub fn members(&self, channel: &str) -> BoxStream<'static, Result<Vec<ChannelMember>>> {
        // The pages borrow the store, and the stream lives on its own: so they go through a channel
        // with room for one, which stops them when nobody reads on.
        let (tell, told) = async_channel::bounded(1);
        let (service, channel) = (self.clone(), String::from(channel));
        let pages: BoxFuture<'static, ()> = Box::pin(async move {
            match service.reader(None).await {
                Ok(store) => {
                    let mut pages = store.members(&channel);
                    while let Some(page) = pages.next().await {
                        if tell.send(page).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => _ = tell.send(Err(error)).await,
            }
        });
        // Polled by whoever reads: no task, nothing is left when the stream is dropped.
        Box::pin(stream::unfold((Some(pages), told), |(mut pages, told)| async move {
            let page = match &mut pages {
                Some(reading) => {
                    let ended = async {
                        reading.await;
                        None
                    };
                    match future::or(async { Some(told.recv().await) }, ended).await {
                        Some(page) => page.ok(),
                        None => {
                            pages = None;
                            told.try_recv().ok()
                        }
                    }
                }
                None => told.try_recv().ok(),
            };
            page.map(|page| (page, (pages, told)))
        }))
    }

    /// The users of a channel at one frontend.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) or [`Timeout`](ErrorKind::Timeout) if the store does not answer.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        self.reader(Some(sid)).await?.members_by_server(channel, sid).await
    }

    /// Whether a user is in a channel at one frontend.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn contains(&self, channel: &str, uid: &str, sid: &str) -> Result<bool> {
        self.reader(Some(sid)).await?.contains(channel, sid, uid).await
    }

    /// How many members a channel has; a user at two frontends counts twice.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn count(&self, channel: &str) -> Result<u64> {
        self.reader(None).await?.count(channel).await
    }

    /// The channels that have users at one frontend.
    ///
    /// # Errors
    /// As for [`members_by_server`](Self::members_by_server).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        self.reader(Some(sid)).await?.channels_of_server(sid).await
    }

    /// Removes a channel with all its members. Whoever joins meanwhile may stay.
    ///
    /// # Errors
    /// As for [`add`](Self::add). If a frontend does not answer, the others' members are gone all
    /// the same, and it should be called again.
    ///
    /// # Cancel safety
    /// Not cancel safe: some members may be left; calling it again removes them.
    pub async fn destroy(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        // The store first: whoever is added there after it is in a frontend's memory too, and leaves with that.
        self.0.store.get().await?.destroy(channel).await?;
        let mut frontends = self.0.cluster.frontends();
        let own = &self.0.here.frontend.sid;
        if self.0.cluster.is_frontend() && !frontends.contains(own) {
            frontends.push(own.clone());
        }
        let (tell, told) = async_channel::bounded(frontends.len().max(1));
        for sid in frontends {
            let (service, tell) = (self.clone(), tell.clone());
            let request = Request::LeaveEverybody { channel: channel.into() };
            self.0.runtime.spawn(Box::pin(async move {
                let result = service.change(&sid, request).await;
                let _ = tell.try_send((sid, result));
            }));
        }
        drop(tell);
        let mut failed = Vec::new();
        while let Ok((sid, result)) = told.recv().await {
            match result {
                // One that has gone, or whose life is over, has no members.
                Ok(()) => (),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::StaleIncarnation) => (),
                Err(error) => failed.push((sid, error)),
            }
        }
        match failed.pop() {
            None => Ok(()),
            Some((sid, error)) => {
                let others =
                    if failed.is_empty() { String::new() } else { format!(" and {} more", failed.len()) };
                let message =
                    format!("{sid}{others} may still have members of the channel: destroy it again");
                Err(Error::new(error.kind(), message).with_source(error))
            }
        }
    }

    /// Sends a message to the members of a channel at all frontends of a type, and reports exactly
    /// who was not reached. `route` is what clients know the message by.
    ///
    /// It costs one message to each of these frontends, whatever the channel's size; the store is
    /// asked only for the members of a frontend that has failed, or has gone and is not cleared away
    /// yet. A frontend that is down or slow
    /// does not hold up the others, and all of it ends within the options' timeout.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if a name, the route or the options are out of bounds. All
    /// else is in the report.
    ///
    /// # Cancel safety
    /// Not cancel safe: the message may be delivered all the same.
    pub async fn push(
        &self,
        server_type: &str,
        route: &str,
        message: impl Into<Vec<u8>>,
        channel: &str,
        options: &PushOptions,
    ) -> Result<PushReport> {
        check_name("channel", channel)?;
        let target = PushTarget::channel(channel, options);
        let request = PushRequest { route: route.into(), target, message: message.into() };
        let frontends = self.0.cluster.of_type(server_type);
        let look_up = |sid: &str| -> BoxFuture<'static, Result<Vec<String>>> {
            let (service, channel, sid) = (self.clone(), String::from(channel), String::from(sid));
            Box::pin(async move { service.look_up(&channel, &sid).await })
        };
        let lost = self.lost_of(server_type, &frontends);
        self.0.sender.push(frontends, &lost, request, options, look_up).await
    }

    /// Notes that frontends have gone, each as (id, type). Until the store has none of their members
    /// any more, pushes miss those, and say so.
    pub(super) fn servers_gone(&self, gone: impl IntoIterator<Item = (String, String)>) {
        self.0.lost.lock().extend(gone);
    }

    /// Notes that a frontend has begun another life: what it had before is cleared away.
    pub(super) fn server_came(&self, sid: &str) {
        self.0.lost.lock().remove(sid);
    }

    fn lost_of(&self, server_type: &str, up: &[String]) -> Vec<String> {
        let lost = self.0.lost.lock();
        let of_type = lost.iter().filter(|(sid, kind)| *kind == server_type && !up.contains(sid));
        of_type.map(|(sid, _)| sid.clone()).collect()
    }

    /// The members at a frontend that has failed.
    async fn look_up(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        let store = self.reader(Some(sid)).await?;
        let members = store.members_by_server(channel, sid).await?;
        let lost = members.is_empty() && self.0.lost.lock().contains_key(sid);
        if lost && store.channels_of_server(sid).await?.is_empty() {
            self.0.lost.lock().remove(sid);
        }
        Ok(members)
    }

    /// How many changes at this server the store has not heard of yet, since it was out of reach.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.0.writer.owed()
    }

    /// Waits until the store can be used, at most for the timeout.
    pub(crate) async fn ready(&self) -> Result<()> {
        self.0.store.get().await.map(|_| ())
    }

    /// Ends this server's part: its members leave.
    pub(crate) async fn stop(&self) -> Result<()> {
        // Never started: nobody has joined, as far as it knows.
        let Some(manager) = self.0.store.manager() else { return Ok(()) };
        let mut ended = Ok(());
        if self.0.cluster.is_frontend() {
            let late =
                |_: Elapsed| Err(Error::new(ErrorKind::Timeout, "the store of global channels is slow"));
            ended = timeout(&self.0.runtime, self.0.config.timeout, self.0.writer.end())
                .await
                .unwrap_or_else(late);
        }
        ended.and(manager.stop().await)
    }

    /// The store, if it knows the members of a frontend, or of all.
    async fn reader(&self, sid: Option<&str>) -> Result<&dyn ChannelManager> {
        let store = self.0.store.get().await?;
        let own = &self.0.here.frontend.sid;
        let elsewhere = |sid: &str| sid != own;
        if !store.capability().shared
            && sid.map_or_else(|| self.0.cluster.frontends().iter().any(|sid| elsewhere(sid)), elsewhere)
        {
            let message = "this channel manager is known to its own process only: choose a store that processes \
                           share, such as \"sqlite\" or \"redis\", to read the members at other servers";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(store)
    }

    /// Asks the frontend whose member it is.
    async fn change(&self, sid: &str, request: Request) -> Result<()> {
        if sid == self.0.here.frontend.sid {
            return self.carry_out(request).await;
        }
        check_name("frontend", sid)?;
        let limit = self.0.config.timeout * 2 + WAY;
        self.0.cluster.call(sid, CHANNEL, wire::encode(&request)?, limit).await.map(|_| ())
    }

    /// What another server asks of this one.
    pub(super) async fn answer(&self, request: &[u8]) -> Result<Vec<u8>> {
        self.carry_out(wire::decode(request)?).await.map(|()| Vec::new())
    }

    async fn carry_out(&self, request: Request) -> Result<()> {
        if !self.0.cluster.is_frontend() {
            let sid = &self.0.here.frontend.sid;
            let message =
                format!("{sid} has no users: say \"frontend\": true in servers.json, or name another");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        match request {
            Request::Add { channel, uids } => {
                self.0.here.check_sessions(&uids)?;
                self.0.writer.add(&channel, uids).await
            }
            Request::Leave { channel, uids } => self.0.writer.leave(&channel, uids).await,
            Request::LeaveAll { uid } => self.0.writer.leave_all(&uid).await,
            Request::LeaveEverybody { channel } => self.0.writer.drop_channel(&channel).await,
        }
    }
}

fn names<U: AsRef<str>>(uids: &[U]) -> Vec<String> {
    uids.iter().map(|uid| uid.as_ref().into()).collect()
}
