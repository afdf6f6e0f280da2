//! Calls from server to server, over links on the servers' own ports.

mod calls;
mod life;
mod remotes;
mod turns;

pub(crate) use remotes::{Remotes, serve_peers};
pub(crate) use turns::Turns;

use crate::link::{LinkConfig, connect};
use crate::sync::Mutex;
use crate::time::timeout;
use alloc::sync::Arc;
use calls::Calls;
pub(crate) use calls::{Asked, Late, Outcome, Then};
use core::time::Duration;
pub(crate) use life::{Ask, Unsent};
use life::{Peer, Ready};
use std::collections::HashMap;
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
        let (tell, told) = async_channel::bounded(1);
        let then = Box::new(move |outcome| drop(tell.try_send(outcome)));
        let _asked = match self.ask(server, route, body, limit, then) {
            Some(Ask::Sent(asked)) => Some(asked),
            Some(Ask::Unsent(unsent)) => self.send(server, unsent).await,
            None => None,
        };
        let outcome = told.recv().await.unwrap_or_else(|_| Ok(Err(stopping())));
        outcome.unwrap_or_else(|Late| {
            let (id, limit) = (&server.def.id, limit.as_millis());
            let message = format!(
                "{id} has not answered {route} within {limit} ms: it may or may not have been carried out"
            );
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    /// Calls a route of `server`, and has `then` told the outcome; `None`: it has been told already. Calls
    /// arrive in their order, as long as the link lives.
    pub(crate) fn ask(
        &self,
        server: &ServerInfo,
        route: &str,
        body: Vec<u8>,
        limit: Duration,
        then: Then,
    ) -> Option<Ask> {
        let now = Instant::now();
        let peer = match self.peer(server) {
            Ok(peer) => peer,
            Err(error) => {
                then(Ok(Err(error)));
                return None;
            }
        };
        let deadline = now + limit;
        // Mostly the link is open and has room: then there is neither a timer nor a queue.
        let ready = match peer.opened() {
            None => Ready::Body(route.into(), body, then),
            Some(calls) => {
                let (asked, frame) = calls.prepare(route, body, deadline, then)?;
                match peer.send_at_once(&calls, frame) {
                    None => return Some(Ask::Sent(asked)),
                    Some(frame) => Ready::Frame(asked, calls, frame),
                }
            }
        };
        Some(Ask::Unsent(Unsent { peer, ready, since: now, deadline }))
    }

    /// Sends what could not be sent at once. It has its place in the order from the first poll on.
    ///
    /// `None`: the outcome has been told already.
    ///
    /// # Cancel safety
    /// It may have been sent or not, and nobody is told the outcome.
    pub(crate) async fn send(&self, server: &ServerInfo, unsent: Unsent) -> Option<Asked> {
        let Unsent { peer, ready, since, deadline } = unsent;
        let limit = deadline.saturating_since(Instant::now());
        let place = peer.turns.enter();
        match ready {
            // If it is too late its caller is told so anyway.
            Ready::Frame(asked, calls, frame) => {
                let sending = async {
                    let _turn = place.await;
                    calls.send(frame).await;
                };
                let _ = timeout(&self.runtime, limit, sending).await;
                return Some(asked);
            }
            Ready::Body(route, body, then) => {
                let opening = async {
                    let turn = place.await;
                    self.calls(server, &peer, since).await.map(|calls| (turn, calls))
                };
                match timeout(&self.runtime, limit, opening).await {
                    Ok(Ok((_turn, calls))) => {
                        let (asked, frame) = calls.prepare(&route, body, deadline, then)?;
                        let limit = deadline.saturating_since(Instant::now());
                        let _ = timeout(&self.runtime, limit, calls.send(frame)).await;
                        return Some(asked);
                    }
                    Ok(Err(error)) => then(Ok(Err(error))),
                    Err(_) => then(Err(Late)),
                }
            }
        }
        None
    }

    /// Closes the link to a server that has gone.
    pub(crate) fn forget(&self, server: &ServerInfo) {
        let mut links = self.links.lock();
        if links.get(&server.def.id).is_some_and(|peer| peer.incarnation <= server.incarnation) {
            links.remove(&server.def.id);
        }
    }

    /// How many calls wait for an answer of this server.
    #[cfg(test)]
    pub(crate) fn waiting(&self, id: &str) -> usize {
        let peer = self.links.lock().get(id).cloned();
        peer.and_then(|peer| peer.opened()).map_or(0, |calls| calls.waiting())
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
        let fresh = Arc::new(Peer::new(incarnation));
        links.insert(id.clone(), Arc::clone(&fresh));
        Ok(fresh)
    }
}

fn stopping() -> Error {
    Error::new(ErrorKind::Unavailable, "this server stops: the call may or may not have been carried out")
}
