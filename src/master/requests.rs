//! A standby passes requests of the command line on to the leader.

use crate::link::{Link, LinkConfig, connect};
use alloc::boxed::Box;
use alloc::sync::Arc;
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Message, Request, Response, Role};
use tangelo_core::{Error, ErrorKind, Result};

/// Asks the leader and sends what it answers on `link`.
pub(super) fn forward(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    leader: Option<LeaderInfo>,
    link: Link,
    id: u32,
    request: Request,
) {
    let (asker, mut config) = (Arc::clone(runtime), config.clone());
    config.hello.role = Role::Admin;
    runtime.spawn(Box::pin(async move {
        let response = match leader {
            Some(leader) => ask(&asker, &config, &leader.host, leader.port, request).await,
            None => Err(Error::new(
                ErrorKind::Unavailable,
                "this master is a standby and nobody leads: ask again",
            )),
        };
        let response = response.unwrap_or_else(Into::into);
        // Whoever asked may have gone.
        let _ = link.send(Message::Response { id, response }).await;
    }));
}

/// Opens a link as the command line does, asks once and waits for the answer: as long as the link
/// lives, since a stop takes as long as the servers' hooks do.
///
/// # Errors
/// If the master cannot be reached, or goes before it has answered.
pub(crate) async fn ask(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    host: &str,
    port: u16,
    request: Request,
) -> Result<Response> {
    let (link, mut inbox, hello) = connect(runtime, config, host, port).await?;
    if hello.role != Role::Master {
        let message = format!("{host}:{port} is the server {}, not a master: see master.json", hello.id);
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    link.send(Message::Request { id: 1, request }).await?;
    loop {
        match inbox.next().await {
            Ok(Message::Response { id: 1, response }) => return Ok(response),
            Ok(_) => {}
            Err(closed) => {
                let message = format!("the master {host}:{port} has gone before it answered: {closed}");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
        }
    }
}
