//! Calls from server to server, over links on the servers' own ports.

mod calls;
mod remotes;

pub(crate) use remotes::{Remotes, serve_peers};

use crate::link::{LinkConfig, connect};
use crate::sync::Mutex;
use crate::time::timeout;
use alloc::sync::Arc;
use calls::Calls;
use core::time::Duration;
use std::collections::HashMap;
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::ServerInfo;
use tangelo_core::{Error, ErrorKind, Result};

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
    calls: async_lock::Mutex<Option<Arc<Calls>>>,
}

impl Peers {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, config: LinkConfig) -> Self {
        Self { runtime, config, links: Mutex::default() }
    }

    /// Calls a route of `server` and waits for the answer.
    pub(crate) async fn call(
        &self,
        server: &ServerInfo,
        route: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>> {
        let id = &server.def.id;
        let calling = async { self.calls(server).await?.call(route, body).await };
        timeout(&self.runtime, limit, calling).await.unwrap_or_else(|_| {
            let message = format!("{id} has not answered {route} within {} ms", limit.as_millis());
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

    async fn calls(&self, server: &ServerInfo) -> Result<Arc<Calls>> {
        let def = &server.def;
        let Some(port) = def.port else {
            let message = format!("{} takes no calls: give it a `port` in servers.json", def.id);
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let peer = self.peer(server);
        let mut calls = peer.calls.lock().await;
        if let Some(open) = calls.as_ref().filter(|calls| !calls.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let (link, inbox, hello) = connect(&self.runtime, &self.config, &def.host, port).await?;
        if hello.id != def.id {
            let message = format!("{}:{port} is {}, not {}: its port was taken", def.host, hello.id, def.id);
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let opened = Calls::open(&self.runtime, def.id.clone(), link, inbox);
        *calls = Some(Arc::clone(&opened));
        drop(calls);
        Ok(opened)
    }

    fn peer(&self, server: &ServerInfo) -> Arc<Peer> {
        let mut links = self.links.lock();
        let fresh =
            || Arc::new(Peer { incarnation: server.incarnation, calls: async_lock::Mutex::new(None) });
        let peer = links.entry(server.def.id.clone()).or_insert_with(fresh);
        if peer.incarnation != server.incarnation {
            *peer = fresh();
        }
        Arc::clone(peer)
    }
}
