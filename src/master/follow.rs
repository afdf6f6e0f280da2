//! A standby: it stands for election, keeps a link to the leader so that the leader can list and
//! stop it, and passes on what the command line asks it.

use super::events::{Event, MasterEvent};
use super::process::{Master, Outcome};
use super::requests::{Asked, forward};
use crate::link::{LinkConfig, connect};
use crate::time::until;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use async_channel::Sender;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use futures_lite::{StreamExt, future};
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::master::Mode;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Message, Role};
use tangelo_core::{Coordinator, Instant, Leadership, Result};
use tracing::{debug, info, warn};

/// The pause before a standby tries again to link with the same leader.
const RETRY: Duration = Duration::from_millis(500);

/// How long a link may be early, and how many may be.
const EARLY: Duration = Duration::from_millis(500);
const MANY_EARLY: usize = 1024;

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
            heard: Arc::clone(&self.heard),
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
        let (incoming, runtime) = (self.incoming.clone(), Arc::clone(&self.runtime));
        let mut early = Early::default();
        loop {
            let event = async { Step::Event(incoming.recv().await.ok()) };
            let expired = async {
                until(&runtime, early.deadline()).await;
                Step::Expired
            };
            let won = async { Step::Won(campaign.as_mut().await) };
            match future::or(won, future::or(event, expired)).await {
                Step::Won(leadership) => {
                    early.hand_over(&self.events);
                    return leadership.map(Followed::Won);
                }
                // We hold a sender too, so there is always an event.
                Step::Event(Some(Event::Interrupt) | None) => return Ok(Followed::Left(Outcome::Left)),
                Step::Event(Some(Event::Ended)) => return Ok(Followed::Left(Outcome::ClusterEnded)),
                Step::Event(Some(Event::Linked(link, inbox, hello))) if hello.role != Role::Admin => {
                    early.keep(Event::Linked(link, inbox, hello));
                }
                Step::Event(Some(event)) => self.standby_takes(event),
                Step::Expired => early.expire(),
            }
        }
    }

    /// What a standby does with what comes in.
    fn standby_takes(&mut self, event: Event) {
        match event {
            Event::Linked(link, inbox, _) => {
                self.links.insert(link, inbox);
            }
            Event::Message(number, Message::Request { id, request }) => {
                if let Some(link) = self.links.get(number).cloned() {
                    let (leaders, events) = (self.options.coordinator.observe(), self.events.clone());
                    let own = (self.options.def.host.clone(), self.options.def.port);
                    let asked = Asked { number, link, id, request };
                    forward(&self.runtime, &self.link_config, own, leaders, events, asked);
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

/// What ends a wait of a standby.
enum Step {
    Won(Result<Box<dyn Leadership>>),
    Event(Option<Event>),
    Expired,
}

/// Links of servers and masters that have heard of this reign before it has begun here: they wait
/// for it a moment. Those that only have an old address are turned away then.
#[derive(Default)]
struct Early(VecDeque<(Instant, Event)>);

impl Early {
    fn keep(&mut self, linked: Event) {
        self.0.push_back((Instant::now() + EARLY, linked));
        if self.0.len() > MANY_EARLY {
            self.turn_away();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.front().map(|(until, _)| *until)
    }

    fn expire(&mut self) {
        while self.deadline().is_some_and(|until| until <= Instant::now()) {
            self.turn_away();
        }
    }

    fn turn_away(&mut self) {
        if let Some((_, Event::Linked(link, ..))) = self.0.pop_front() {
            link.close("this master is a standby: look for the leader");
        }
    }

    /// The reign begins. A link that does not fit among the events is dropped, and comes again.
    fn hand_over(self, events: &Sender<Event>) {
        for (_, linked) in self.0 {
            let _ = events.try_send(linked);
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
    heard: Arc<AtomicBool>,
}

impl Follower {
    async fn run(self) {
        let mut leaders = self.coordinator.observe();
        let mut current = None;
        let mut blind = false;
        loop {
            // A link lasts as long as its leader does: not to see that one for a while changes nothing.
            let changed = async {
                loop {
                    match leaders.next().await {
                        Some(Ok(leader)) => {
                            blind = false;
                            // Our own address is an old one, or that of the reign which we begin just now.
                            let leader = leader.filter(|leader| !self.is_ourselves(leader));
                            if leader != current {
                                break leader;
                            }
                        }
                        // Said once: while it lasts, the candidacy has the same to complain of.
                        Some(Err(error)) if blind => debug!(%error, "still cannot see who leads"),
                        Some(Err(error)) => {
                            blind = true;
                            warn!(%error, "cannot see who leads");
                        }
                        None => future::pending().await,
                    }
                }
            };
            let following = async {
                match &current {
                    Some(leader) => self.keep_linked(leader).await,
                    None => future::pending().await,
                }
            };
            let leader = future::or(changed, following).await;
            self.heard.fetch_or(leader.is_some(), Ordering::AcqRel);
            current = leader;
        }
    }

    fn is_ourselves(&self, leader: &LeaderInfo) -> bool {
        (&leader.host, leader.port) == (&self.candidate.host, self.candidate.port)
    }

    /// Never ends: what ends it is a new leader, or that this master leaves or leads.
    async fn keep_linked(&self, leader: &LeaderInfo) -> Option<LeaderInfo> {
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
