//! Opening and taking links.

use super::config::LinkConfig;
use super::handles::{Inbox, Link, handles};
use super::handshake::{self, Session};
use super::shared::Shared;
use super::task::Task;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::FutureExt as _;
use tangelo_core::runtime::{Runtime, Stream};
use tangelo_core::wire::{Hello, Role};
use tangelo_core::{Error, ErrorKind, Result};

/// Opens a link to a process that listens on `host` and `port`.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) if nobody listens there, [`Timeout`](ErrorKind::Timeout),
/// [`Denied`](ErrorKind::Denied) if the secrets differ, [`Unsupported`](ErrorKind::Unsupported)
/// if the versions do, [`Protocol`](ErrorKind::Protocol) if it is no Tangelo.
///
/// # Cancel safety
/// Cancel safe: the connection is dropped.
pub(crate) async fn connect(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    host: &str,
    port: u16,
) -> Result<(Link, Inbox, Hello)> {
    let address = format!("{host}:{port}");
    let connecting = async {
        let stream = runtime.connect(host, port).await;
        stream.map_err(|e| Error::io(format_args!("connect to {address}"), e))
    };
    let mut stream =
        within(runtime, config.connect_timeout, &address, "accepted no connection", connecting).await?;
    let shaking = handshake::open(&mut *stream, config, &address);
    let session =
        within(runtime, config.handshake_timeout, &address, "did not finish its handshake", shaking);
    let session = session.await?;
    Ok(start(runtime, config, stream, session, &address, false))
}

/// Takes a link on a connection that was accepted from `address`.
///
/// # Errors
/// As for [`connect`].
///
/// # Cancel safety
/// Cancel safe: the connection is dropped.
pub(super) async fn accept(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    mut stream: Box<dyn Stream>,
    address: &str,
) -> Result<(Link, Inbox, Hello)> {
    let shaking = handshake::accept(&mut *stream, config, address);
    let session = within(runtime, config.handshake_timeout, address, "did not finish its handshake", shaking);
    let session = session.await?;
    Ok(start(runtime, config, stream, session, address, true))
}

fn start(
    runtime: &Arc<dyn Runtime>,
    config: &LinkConfig,
    stream: Box<dyn Stream>,
    session: Session,
    address: &str,
    beats: bool,
) -> (Link, Inbox, Hello) {
    let hello = session.peer.hello.clone();
    let role = match hello.role {
        Role::Server => "server",
        Role::Master => "master",
        Role::Admin => "command line",
    };
    let name = format!("{role} {} at {address}", hello.id.escape_debug());
    let shared = Arc::new(Shared::new(hello.clone(), name, config.queue));
    let (link, inbox) = handles(&shared);
    runtime.spawn(Box::pin(Task::new(Arc::clone(runtime), shared, stream, session, config, beats)));
    (link, inbox, hello)
}

async fn within<T>(
    runtime: &Arc<dyn Runtime>,
    limit: Duration,
    address: &str,
    failure: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let late = async {
        runtime.sleep(limit).await;
        Err(Error::new(ErrorKind::Timeout, format!("{address} {failure} within {limit:?}")))
    };
    work.or(late).await
}
