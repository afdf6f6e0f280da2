//! A standby passes requests of the command line on to the leader.

use super::events::Event;
use crate::link::{Inbox, Link, LinkConfig, connect};
use crate::time::{Elapsed, timeout};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::Sender;
use core::time::Duration;
use futures_lite::{StreamExt, future};
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::master::LinkId;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Message, Request, Response, Role};
use tangelo_core::{BoxStream, Error, ErrorKind, Result};
use tracing::debug;

/// How long a request waits for a leader to be elected.
const ELECTION: Duration = Duration::from_secs(10);

/// How soon a leader that could not be reached is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// A request of the command line.
pub(super) struct Asked {
    /// The link that it came on.
    pub(super) number: LinkId,
    pub(super) link: Link,
    /// Names the answer.
    pub(super) id: u32,
    pub(super) request: Request,
}

/// Asks the leader, as soon as there is one, and sends what it answers on the link that asked. Should `own`
/// address be published, this master is about to lead, or its reign has just ended: then the request comes
/// again among its `events`.
pub(super) fn forward(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    own: (String, u16),
    leaders: BoxStream<'static, Result<Option<LeaderInfo>>>,
    events: Sender<Event>,
    Asked { number, link, id, request }: Asked,
) {
    let (asker, mut config) = (Arc::clone(runtime), config.clone());
    config.hello.role = Role::Admin;
    runtime.spawn(Box::pin(async move {
        let nobody = "this master is a standby and nobody leads: ask again";
        let response = match timeout(&asker, ELECTION, reach(&asker, &config, &own, leaders)).await {
            Ok(Some((open, address))) => answer(open, &address, request).await,
            Ok(None) => {
                asker.sleep(TRY_AGAIN).await;
                // If nobody takes events any more, the process ends.
                let _ = events.send(Event::Message(number, Message::Request { id, request })).await;
                return;
            }
            Err(Elapsed) => Err(Error::new(ErrorKind::Unavailable, nobody)),
        };
        let response = response.unwrap_or_else(Into::into);
        // Whoever asked may have gone.
        let _ = link.send(Message::Response { id, response }).await;
    }));
}

/// Links with the leader, whoever that is by then; `None` if it is this master.
async fn reach(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    (own_host, own_port): &(String, u16),
    mut leaders: BoxStream<'static, Result<Option<LeaderInfo>>>,
) -> Option<((Link, Inbox), String)> {
    let mut current = None;
    loop {
        let changed = async {
            loop {
                match leaders.next().await {
                    Some(Ok(leader)) => break leader,
                    // The leader that is known may still be there.
                    Some(Err(error)) => debug!(%error, "cannot see who leads"),
                    None => future::pending().await,
                }
            }
        };
        let Some(LeaderInfo { host, port, .. }) = &current else {
            current = changed.await;
            continue;
        };
        if (host, port) == (own_host, own_port) {
            return None;
        }
        let linked = async { Err(open(runtime, config, host, *port).await) };
        match future::or(async { Ok(changed.await) }, linked).await {
            Ok(leader) => current = leader,
            Err(Ok(open)) => return Some((open, format!("{host}:{port}"))),
            Err(Err(error)) => {
                debug!(%error, "cannot reach the leader yet");
                runtime.sleep(TRY_AGAIN).await;
            }
        }
    }
}

/// Opens a link to a master, as the command line does. Nothing is asked yet, so a failure may be tried again.
///
/// # Errors
/// If the master cannot be reached, or it is none.
pub(crate) async fn open(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    host: &str,
    port: u16,
) -> Result<(Link, Inbox)> {
    let (link, inbox, hello) = connect(runtime, config, host, port).await?;
    if hello.role != Role::Master {
        let message = format!("{host}:{port} is the server {}, not a master: see master.json", hello.id);
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok((link, inbox))
}

/// Asks once over a link of one's own and waits for the answer: as long as the link lives, since a
/// stop takes as long as the servers' hooks do.
///
/// # Errors
/// If the master goes before it has answered.
pub(crate) async fn answer(
    (link, mut inbox): (Link, Inbox),
    address: &str,
    request: Request,
) -> Result<Response> {
    link.send(Message::Request { id: 1, request }).await?;
    loop {
        match inbox.next().await {
            Ok(Message::Response { id: 1, response }) => return Ok(response),
            Ok(_) => {}
            Err(closed) => {
                let message = format!("the master {address} has gone before it answered: {closed}");
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
    }
}
