//! A standby: it stands for election, keeps a link to the leader so that the leader can list and
//! stop it, and passes on what the command line asks it.

use super::events::{Event, MasterEvent};
use super::process::{Master, Outcome};
use super::requests::forward;
use crate::link::{LinkConfig, connect};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::Sender;
use core::time::Duration;
use futures_lite::{StreamExt, future};
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::master::Mode;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Message, Role};
use tangelo_core::{Coordinator, Leadership, Result};
use tracing::{debug, info, warn};

/// The pause before a standby tries again to link with the same leader.
const RETRY: Duration = Duration::from_millis(500);

/// How following has ended.
pub(super) enum Followed {
    /// This master leads now.
    Won(Box<dyn Leadership>),
    /// It leaves.
    Left(Outcome),
}

impl Master {
    /// Follows until this master has won the election, or is to leave.
    ///
    /// # Errors
    /// What no waiting can cure.
    pub(super) async fn follow(&mut self) -> Result<Followed> {
        let follower = Follower {
            runtime: Arc::clone(&self.runtime),
            config: self.link_config.clone(),
            coordinator: Arc::clone(&self.options.coordinator),
            candidate: self.candidate(),
            events: self.events.clone(),
        };
        // Following ends with the guard.
        let (_guard, ended) = async_channel::bounded::<()>(1);
        self.runtime.spawn(Box::pin(async move {
            let cancelled = async {
                let _ = ended.recv().await;
            };
            future::or(follower.run(), cancelled).await;
        }));
        let coordinator = Arc::clone(&self.options.coordinator);
        let mut campaign = coordinator.campaign(self.candidate());
        let incoming = self.incoming.clone();
        loop {
            let won = async { Err(campaign.as_mut().await) };
            let event = match future::or(won, async { Ok(incoming.recv().await) }).await {
                Err(won) => return won.map(Followed::Won),
                Ok(event) => event,
            };
            // We hold a sender too, so there is always an event.
            match event {
                Ok(Event::Interrupt) | Err(_) => return Ok(Followed::Left(Outcome::Left)),
                Ok(Event::Ended) => return Ok(Followed::Left(Outcome::ClusterEnded)),
                Ok(event) => self.standby_takes(event),
            }
        }
    }

    /// What a standby does with what comes in.
    fn standby_takes(&mut self, event: Event) {
        match event {
            Event::Linked(link, inbox, hello) if hello.role == Role::Admin => {
                self.links.insert(link, inbox);
            }
            Event::Linked(link, ..) => link.close("this master is a standby: look for the leader"),
            Event::Message(link, Message::Request { id, request }) => {
                if let Some(link) = self.links.get(link).cloned() {
                    let leaders = self.options.coordinator.observe();
                    forward(&self.runtime, &self.link_config, leaders, link, id, request);
                }
            }
            Event::Message(link, _) => self.links.close(link, "it sent what no command line sends"),
            Event::Closed(link, _) => drop(self.links.ended(link)),
            Event::Following(leader) => {
                // There is a cluster: should this master ever lead, it goes on with what there is.
                self.options.mode = Mode::TakeOver;
                (self.options.observer)(&MasterEvent::Standby(&leader));
            }
            Event::Reign(..) | Event::Ended | Event::Interrupt => {}
        }
    }
}

/// Keeps a standby linked to whoever leads.
struct Follower {
    runtime: Arc<dyn Runtime>,
    config: LinkConfig,
    coordinator: Arc<dyn Coordinator>,
    candidate: Candidate,
    events: Sender<Event>,
}

impl Follower {
    async fn run(self) {
        let mut leaders = self.coordinator.observe();
        let mut current = None;
        loop {
            let changed = async {
                match leaders.next().await {
                    // Our own address is an old one, or that of the reign which we begin just now.
                    Some(Ok(leader)) => Some(leader.filter(|leader| !self.is_ourselves(leader))),
                    Some(Err(error)) => {
                        warn!(%error, "cannot see who leads");
                        None
                    }
                    None => future::pending().await,
                }
            };
            let following = async {
                match &current {
                    Some(leader) => self.keep_linked(leader).await,
                    None => future::pending().await,
                }
            };
            if let Some(leader) = future::or(changed, following).await {
                current = leader;
            }
        }
    }

    fn is_ourselves(&self, leader: &LeaderInfo) -> bool {
        (&leader.host, leader.port) == (&self.candidate.host, self.candidate.port)
    }

    /// Never ends: what ends it is a new leader, or that this master leaves or leads.
    async fn keep_linked(&self, leader: &LeaderInfo) -> Option<Option<LeaderInfo>> {
        loop {
            if let Err(error) = self.link(leader).await {
                debug!(%error, leader = %leader.id, "the link to the leader");
            }
            self.runtime.sleep(RETRY).await;
        }
    }

    async fn link(&self, leader: &LeaderInfo) -> Result<()> {
        let (link, mut inbox, _) = connect(&self.runtime, &self.config, &leader.host, leader.port).await?;
        let Candidate { host, port, .. } = &self.candidate;
        link.send(Message::Standby { host: host.clone(), port: *port }).await?;
        // If nobody takes events any more, the process ends.
        let _ = self.events.send(Event::Following(leader.clone())).await;
        while let Ok(message) = inbox.next().await {
            if let Message::Stop { epoch, .. } = message
                && epoch >= leader.epoch
            {
                info!("the leader ends the cluster");
                let _ = self.events.send(Event::Ended).await;
            }
        }
        Ok(())
    }
}
