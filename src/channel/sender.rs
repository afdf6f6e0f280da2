//! Drives a push at its sender.

use super::cluster::Cluster;
use super::here::Here;
use super::wire::{self, PUSH};
use crate::time::until;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::channel::{
    PushError, PushInput, PushLookUp, PushOptions, PushPlan, PushReply, PushReport, PushRequest, PushTarget,
};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Error, ErrorKind, Instant, Result};

/// The longest route, in bytes, as in the protocol of Pomelo's clients.
const MAX_ROUTE: usize = 255;

/// Sends pushes from this server.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) here: Here,
}

impl Sender {
    /// Sends one message to each of `frontends`, and gathers what became of it. `lost` are others that
    /// have gone and may have members yet. `look_up` says whose members a frontend that failed has.
    pub(super) async fn push(
        &self,
        mut frontends: Vec<String>,
        lost: &[String],
        request: PushRequest,
        options: &PushOptions,
        look_up: impl Fn(&str) -> BoxFuture<'static, Result<Vec<String>>>,
    ) -> Result<PushReport> {
        check(&request.route, options)?;
        let (request, encoded) = (Arc::new(request.clone()), Arc::new(wire::encode(&request)?));
        frontends.extend_from_slice(lost);
        let report = self.gather(frontends, options, look_up, |sid, limit| {
            if lost.contains(&sid) {
                let gone = Error::new(ErrorKind::Unavailable, format!("{sid} has gone"));
                return Box::pin(future::ready(Err(gone)));
            }
            self.ask(sid, Arc::clone(&request), Arc::clone(&encoded), limit)
        });
        let mut report = report.await?;
        report.frontends -= lost.len();
        // Whoever has gone and left nobody behind has missed nobody.
        report.failed.retain(|failure| {
            !lost.contains(&failure.sid) || !failure.users.is_empty() || failure.more != Some(0)
        });
        Ok(report)
    }

    /// As [`push`](Self::push), to users that are known here, frontend by frontend.
    pub(super) async fn push_to(
        &self,
        users: Vec<(String, Vec<String>)>,
        route: &str,
        message: Vec<u8>,
        options: &PushOptions,
    ) -> Result<PushReport> {
        check(route, options)?;
        let users: alloc::collections::BTreeMap<String, Arc<Vec<String>>> =
            users.into_iter().map(|(sid, users)| (sid, Arc::new(users))).collect();
        let look_up = |sid: &str| -> BoxFuture<'static, Result<Vec<String>>> {
            let users = users.get(sid).map(|users| users.to_vec()).unwrap_or_default();
            Box::pin(future::ready(Ok(users)))
        };
        let message = Arc::new((String::from(route), message));
        self.gather(users.keys().cloned().collect(), options, look_up, |sid, limit| {
            let (sender, message) = (self.clone(), Arc::clone(&message));
            let users = users.get(&sid).cloned().unwrap_or_default();
            Box::pin(async move { sender.ask_in_parts(&sid, &users, &message, limit).await })
        })
        .await
    }

    async fn gather(
        &self,
        frontends: Vec<String>,
        options: &PushOptions,
        look_up: impl Fn(&str) -> BoxFuture<'static, Result<Vec<String>>>,
        ask: impl Fn(String, Duration) -> BoxFuture<'static, Result<PushReply>>,
    ) -> Result<PushReport> {
        let now = Instant::now();
        let mut plan = PushPlan::new(now, frontends.iter().cloned(), options);
        let limit = plan.answer_by().saturating_since(now);
        // Room for an answer and a look-up of each: nobody who answers ever waits.
        let (tell, told) = async_channel::bounded(frontends.len() * 2 + 1);
        for sid in frontends {
            let (asked, tell) = (ask(sid.clone(), limit), tell.clone());
            let mut asking: BoxFuture<'static, ()> = Box::pin(async move {
                let result = asked.await.map_err(PushError::from);
                let _ = tell.try_send(PushInput::Answered { sid, result });
            });
            // Begun here, so that pushes go out in their order: tasks run in any.
            if future::poll_once(&mut asking).await.is_none() {
                self.runtime.spawn(asking);
            }
        }
        while let Some(deadline) = plan.next_deadline() {
            let input = future::or(async { told.recv().await.unwrap_or(PushInput::Tick) }, async {
                until(&self.runtime, Some(deadline)).await;
                PushInput::Tick
            });
            for PushLookUp { sid } in plan.handle(Instant::now(), input.await) {
                let (looking, tell) = (look_up(&sid), tell.clone());
                self.runtime.spawn(Box::pin(async move {
                    let result = looking.await.map_err(PushError::from);
                    let _ = tell.try_send(PushInput::LookedUp { sid, result });
                }));
            }
        }
        Ok(plan.report())
    }

    fn ask(
        &self,
        sid: String,
        request: Arc<PushRequest>,
        encoded: Arc<Vec<u8>>,
        limit: Duration,
    ) -> BoxFuture<'static, Result<PushReply>> {
        let sender = self.clone();
        Box::pin(async move {
            if sid == sender.here.frontend.sid {
                return Ok(sender.here.deliver(&request).await);
            }
            let reply = sender.cluster.call(&sid, PUSH, encoded.to_vec(), limit).await?;
            wire::decode(&reply)
        })
    }

    /// Sends to users in parts that fit into a message; who comes behind a part that failed has failed too.
    async fn ask_in_parts(
        &self,
        sid: &str,
        users: &[String],
        message: &(String, Vec<u8>),
        limit: Duration,
    ) -> Result<PushReply> {
        let (mut whole, end) = (PushReply::default(), Instant::now() + limit);
        for (n, part) in users.chunks(AT_ONCE).enumerate() {
            let target = PushTarget::Users(part.to_vec());
            let request = PushRequest { route: message.0.clone(), target, message: message.1.clone() };
            let encoded = Arc::new(wire::encode(&request)?);
            let left = end.saturating_since(Instant::now());
            match self.ask(sid.into(), Arc::new(request), encoded, left).await {
                Ok(reply) => {
                    whole.delivered += reply.delivered;
                    whole.failed.extend(reply.failed);
                }
                Err(error) if n == 0 => return Err(error),
                Err(error) => {
                    let reason = PushError::from(error);
                    users[n * AT_ONCE..].iter().for_each(|uid| whole.fail(uid, reason.clone()));
                    break;
                }
            }
        }
        Ok(whole)
    }
}

/// How many users fit into a message besides the pushed one, however long their names are.
const AT_ONCE: usize = 10_000;

fn check(route: &str, options: &PushOptions) -> Result<()> {
    options.check()?;
    if (1..=MAX_ROUTE).contains(&route.len()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "the route of a push has 1 to 255 bytes"))
}
