//! A master process: it listens, stands for election, follows, leads, and follows again.

use super::events::{Event, MasterEvent, Observer};
use super::follow::Followed;
use super::links::Links;
use super::port;
use crate::channel::Purger;
use crate::link::{LinkConfig, Secret, Server, serve};
use crate::log::keep_rotated;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender, bounded};
use core::sync::atomic::AtomicBool;
use futures_lite::StreamExt;
use std::path::PathBuf;
use tangelo_core::config::{MasterDef, ServerDef};
use tangelo_core::coordinator::Candidate;
use tangelo_core::master::Mode;
use tangelo_core::process::LogSpec;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Hello, Role};
use tangelo_core::{Coordinator, CpuSet, Error, Result, Supervisor};

/// What a master process needs.
pub(crate) struct MasterOptions {
    pub(crate) dir: PathBuf,
    pub(crate) env: String,
    /// What master.json says, with this master's own id, host and port.
    pub(crate) def: MasterDef,
    /// Whether another port does as well, if a master of this cluster listens on that of `def` already.
    pub(crate) any_port: bool,
    pub(crate) declared: Vec<ServerDef>,
    /// Those of the declared that a fresh cluster starts; `None`: all.
    pub(crate) only: Option<Vec<String>>,
    /// Whether it begins a cluster, or only takes over what there is.
    pub(crate) mode: Mode,
    /// Whether a signal to it as the leader ends the whole cluster, or only this master.
    pub(crate) ends_cluster: bool,
    pub(crate) allowed_cpus: CpuSet,
    pub(crate) secret: Secret,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) supervisor: Arc<dyn Supervisor>,
    pub(crate) observer: Observer,
    /// Purges the members of frontends that are over, if there are global channels in a shared store.
    pub(crate) purger: Option<Arc<Purger>>,
    /// This process's own output, if it goes to a file.
    pub(crate) log: Option<LogSpec>,
}

/// How a master process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ended the cluster.
    ClusterEnded,
    /// It left; the cluster goes on, or had no leader.
    Left,
}

/// How a reign has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReignEnd {
    SteppedDown,
    ClusterEnded,
    Left,
}

/// A master process.
pub(crate) struct Master {
    pub(super) options: MasterOptions,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) link_config: LinkConfig,
    pub(super) links: Links,
    pub(super) events: Sender<Event>,
    pub(super) incoming: Receiver<Event>,
    /// Whether this process has ever heard of another leader: then the end of a cluster that it
    /// finds was the end of its own.
    pub(super) heard: Arc<AtomicBool>,
    /// Keeps the port open.
    _server: Server,
}

impl Master {
    /// Opens the master's port.
    ///
    /// # Errors
    /// If the port cannot be opened.
    pub(crate) async fn listen(runtime: Arc<dyn Runtime>, mut options: MasterOptions) -> Result<Self> {
        let hello = Hello { role: Role::Master, id: options.def.id.clone(), pid: std::process::id() };
        let mut link_config = LinkConfig::new(options.secret.clone(), hello);
        link_config.heartbeat = options.def.timing.heartbeat;
        let (listener, port) = port::listen(&runtime, &options, &link_config).await?;
        options.def.port = port;
        let (events, incoming) = bounded(1024);
        let to = events.clone();
        let server = serve(&runtime, listener, Arc::new(link_config.clone()), move |link, inbox, hello| {
            let to = to.clone();
            // If nobody takes events any more, the process ends and its links with it.
            Box::pin(async move { drop(to.send(Event::Linked(link, inbox, hello)).await) })
        });
        let links = Links::new(Arc::clone(&runtime), events.clone());
        Ok(Self {
            options,
            runtime,
            link_config,
            links,
            events,
            incoming,
            heard: Arc::default(),
            _server: server,
        })
    }

    /// Stands for election, and leads whenever it has won, until it is told to go.
    ///
    /// # Errors
    /// What no waiting can cure, such as a coordinator that denies access.
    pub(crate) async fn run(mut self) -> Result<Outcome> {
        self.forward_signals()?;
        if let Some(log) = self.options.log.take() {
            keep_rotated(&self.runtime, log);
        }
        loop {
            let leadership = match self.follow().await? {
                Followed::Won(leadership) => leadership,
                Followed::Left(outcome) => {
                    self.leave("this master leaves").await;
                    return Ok(outcome);
                }
            };
            let end = self.lead(Arc::from(leadership)).await?;
            match end {
                ReignEnd::SteppedDown => {
                    self.links.close_all("this master leads no longer");
                    (self.options.observer)(&MasterEvent::SteppedDown);
                    // The next reign takes over what is; only the first one begins a cluster.
                    self.options.mode = Mode::TakeOver;
                }
                ReignEnd::ClusterEnded => {
                    self.leave("the cluster has ended").await;
                    return Ok(Outcome::ClusterEnded);
                }
                ReignEnd::Left => {
                    self.leave("this master leaves").await;
                    return Ok(Outcome::Left);
                }
            }
        }
    }

    pub(super) fn candidate(&self) -> Candidate {
        let MasterDef { id, host, port, priority, .. } = &self.options.def;
        Candidate { id: id.clone(), host: host.clone(), port: *port, priority: *priority }
    }

    fn forward_signals(&self) -> Result<()> {
        let mut signals = self.runtime.signals().map_err(|e| Error::io("listen for signals", e))?;
        let to = self.events.clone();
        self.runtime.spawn(Box::pin(async move {
            while signals.next().await.is_some() && to.send(Event::Interrupt).await.is_ok() {}
        }));
        Ok(())
    }

    /// Closes all links, and waits until what was sent on them is out; lets go of the store of channels.
    async fn leave(&mut self, why: &str) {
        for link in self.links.close_all(why) {
            link.ended().await;
        }
        if let Some(purger) = self.options.purger.take() {
            purger.stop().await;
        }
    }
}
