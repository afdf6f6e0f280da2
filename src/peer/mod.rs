//! Calls from server to server, over links on the servers' own ports.

mod calls;
mod remotes;
mod turns;

pub(crate) use remotes::{Remotes, serve_peers};
pub(crate) use turns::Turns;

use crate::link::{Frame, LinkConfig, connect};
use crate::sync::Mutex;
use crate::time::timeout;
use alloc::sync::Arc;
use calls::{Calls, Late, Sent};
use core::time::Duration;
use std::collections::HashMap;
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::ServerInfo;
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// The links that this server has opened to others, one to each life of a server.
#[derive(Debug)]
pub(crate) struct Peers {
    runtime: Arc<dyn Runtime>,
    config: LinkConfig,
    links: Mutex<HashMap<String, Arc<Peer>>>,
}

/// One life of another server; its link is opened by the first call.
#[derive(Debug)]
struct Peer {
    incarnation: Incarnation,
    open: Mutex<Option<Arc<Calls>>>,
    /// Calls go out in the order in which they came, also while the link is being opened, or is full.
    turns: Turns,
    /// The last failure to open the link: whoever has waited through it need not try again.
    failed: Mutex<Option<(Instant, ErrorKind, String)>>,
}

impl Peers {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, config: LinkConfig) -> Self {
        Self { runtime, config, links: Mutex::default() }
    }

    /// Calls a route of `server` and waits for the answer. Calls arrive in the order in which their
    /// futures were first polled, as long as the link lives.
    pub(crate) async fn call(
        &self,
        server: &ServerInfo,
        route: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>> {
        let now = Instant::now();
        let peer = self.peer(server)?;
        // Mostly the link is open and has room: then there is neither a timer nor a queue.
        let answer = match peer.send_at_once(route, body, now + limit)? {
            Ok(sent) => sent.await,
            Err(unsent) => {
                let sending = self.send(server, &peer, route, unsent, now, now + limit);
                match timeout(&self.runtime, limit, sending).await {
                    Ok(sent) => sent?.await,
                    Err(_) => Err(Late),
                }
            }
        };
        answer.unwrap_or_else(|Late| {
            let (id, limit) = (&server.def.id, limit.as_millis());
            let message = format!(
                "{id} has not answered {route} within {limit} ms: it may or may not have been carried out"
            );
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    /// Closes the link to a server that has gone.
    pub(crate) fn forget(&self, server: &ServerInfo) {
        let mut links = self.links.lock();
        if links.get(&server.def.id).is_some_and(|peer| peer.incarnation <= server.incarnation) {
            links.remove(&server.def.id);
        }
    }

    async fn send(
        &self,
        server: &ServerInfo,
        peer: &Peer,
        route: &str,
        unsent: Unsent,
        since: Instant,
        deadline: Instant,
    ) -> Result<Sent> {
        let _turn = peer.turns.enter().await;
        let (calls, sent, frame) = match unsent {
            Unsent::Frame(calls, sent, frame) => (calls, sent, frame),
            Unsent::Body(body) => {
                let calls = self.calls(server, peer, since).await?;
                let (sent, frame) = calls.prepare(route, body, deadline)?;
                (calls, sent, frame)
            }
        };
        calls.send(frame).await?;
        Ok(sent)
    }

    /// The open link, or a new one.
    async fn calls(&self, server: &ServerInfo, peer: &Peer, since: Instant) -> Result<Arc<Calls>> {
        let def = &server.def;
        if let Some(open) = peer.opened() {
            return Ok(open);
        }
        let Some(port) = def.port else {
            let message = format!("{} takes no calls: give it a `port` in servers.json", def.id);
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        if let Some((at, kind, message)) = &*peer.failed.lock()
            && *at >= since
        {
            return Err(Error::new(*kind, message.clone()));
        }
        let opened = self.connect(server, port).await;
        match &opened {
            Ok(calls) => *peer.open.lock() = Some(Arc::clone(calls)),
            Err(error) => *peer.failed.lock() = Some((Instant::now(), error.kind(), error.to_string())),
        }
        opened
    }

    async fn connect(&self, server: &ServerInfo, port: u16) -> Result<Arc<Calls>> {
        let def = &server.def;
        let (link, inbox, hello) = connect(&self.runtime, &self.config, &def.host, port).await?;
        if hello.id != def.id {
            let message = format!("{}:{port} is {}, not {}: its port was taken", def.host, hello.id, def.id);
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(Calls::open(&self.runtime, def.id.clone(), link, inbox))
    }

    fn peer(&self, server: &ServerInfo) -> Result<Arc<Peer>> {
        let (id, incarnation) = (&server.def.id, server.incarnation);
        let mut links = self.links.lock();
        match links.get(id) {
            Some(peer) if peer.incarnation == incarnation => return Ok(Arc::clone(peer)),
            // Whoever has looked the server up a moment ago means the life that is over.
            Some(peer) if peer.incarnation > incarnation => {
                let message = format!("{id} has gone, and has come back since");
                return Err(Error::new(ErrorKind::NotFound, message));
            }
            _ => {}
        }
        let fresh = Arc::new(Peer {
            incarnation,
            open: Mutex::default(),
            turns: Turns::default(),
            failed: Mutex::default(),
        });
        links.insert(id.clone(), Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// A call that could not be sent at once.
#[derive(Debug)]
enum Unsent {
    Frame(Arc<Calls>, Sent, Frame),
    Body(Vec<u8>),
}

impl Peer {
    fn opened(&self) -> Option<Arc<Calls>> {
        self.open.lock().as_ref().filter(|calls| !calls.is_closed()).cloned()
    }

    fn send_at_once(&self, route: &str, body: Vec<u8>, deadline: Instant) -> Result<Result<Sent, Unsent>> {
        let Some(calls) = self.opened() else { return Ok(Err(Unsent::Body(body))) };
        let (sent, frame) = calls.prepare(route, body, deadline)?;
        let mut frame = Some(frame);
        let sending = self.turns.at_once(|| match calls.try_send(frame.take()?) {
            Ok(Ok(())) => Some(Ok(())),
            Ok(Err(full)) => {
                frame = Some(full);
                None
            }
            Err(error) => Some(Err(error)),
        });
        match (sending, frame) {
            (Some(Err(error)), _) => Err(error),
            (None, Some(frame)) => Ok(Err(Unsent::Frame(calls, sent, frame))),
            _ => Ok(Ok(sent)),
        }
    }
}
