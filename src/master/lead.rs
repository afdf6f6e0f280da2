//! A leader: it drives the master's machine and does what the machine says.

use super::begin::Begun;
use super::events::{Event, MasterEvent};
use super::handing_over::HandingOver;
use super::launcher::{Launcher, PAST_DEADLINE};
use super::process::{Master, ReignEnd};
use super::purges::Purges;
use crate::link::{Closed, Inbox, Link};
use crate::time::{Elapsed, timeout, until};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use core::time::Duration;
use futures_lite::future;
use std::collections::HashMap;
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::master::{Action, ClusterState, Input, LinkId, Machine, Setup, StandbyInfo, Ticket};
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{
    Hello, Listing, MasterRole, MasterRow, MasterState, Message, Request, Response, Role,
};
use tangelo_core::{Instant, Leadership, Result};
use tracing::{debug, info, warn};

/// One reign.
struct Reign<'a> {
    master: &'a mut Master,
    leadership: Arc<dyn Leadership>,
    launcher: Launcher,
    purges: Purges,
    machine: Machine,
    /// What the machine was told last of the leadership.
    told: (LeadershipState, Instant),
    since: Instant,
    last_ticket: u64,
    /// Where to send the answer of each request that is not answered yet.
    asked: HashMap<Ticket, (LinkId, u32)>,
    /// The memory that servers registered with; later their heartbeats say it.
    registered_rss: HashMap<LinkId, u64>,
    handing_over: Option<HandingOver>,
    interrupts: u32,
    end: Option<ReignEnd>,
}

/// How long a coordinator may take to be told of the end of a reign.
const RESIGN: Duration = Duration::from_secs(5);

async fn resign(runtime: &Arc<dyn Runtime>, leadership: &dyn Leadership) {
    match timeout(runtime, RESIGN, leadership.resign()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            warn!(%error, "the coordinator could not be told that this master leads no longer");
        }
        Err(Elapsed) => warn!("the coordinator does not take in that this master leads no longer"),
    }
}

impl Master {
    /// Leads until the reign ends, one way or another.
    ///
    /// # Errors
    /// If the stored state cannot be read, and only a person can mend it.
    pub(super) async fn lead(&mut self, leadership: Arc<dyn Leadership>) -> Result<ReignEnd> {
        let (stored, waiting) = match self.begin(&leadership).await? {
            Begun::Loaded(stored, waiting) => (stored, waiting),
            Begun::Over => return Ok(ReignEnd::SteppedDown),
            Begun::Interrupted => {
                resign(&self.runtime, &*leadership).await;
                return Ok(ReignEnd::Left);
            }
        };
        // A cluster that had ended before this process heard of any is history: a new one begins.
        let heard = self.heard.load(Ordering::Acquire);
        let stored = stored.map(|mut state| {
            state.ended &= heard;
            state
        });
        let epoch = leadership.epoch();
        let setup = Setup {
            mode: self.options.mode,
            declared: self.options.declared.clone(),
            only: self.options.only.clone(),
            allowed_cpus: self.options.allowed_cpus.clone(),
            master: self.options.def.clone(),
            purges: self.options.purger.is_some(),
            seed: fastrand::u64(..),
        };
        let since = Instant::now();
        let deadline = leadership.deadline();
        let (machine, actions) = Machine::elected(since, setup, epoch, deadline, stored);
        let servers = machine.listing(since).servers.len();
        info!(epoch = epoch.0, servers, "leading");
        (self.options.observer)(&MasterEvent::Leading { epoch, servers });
        self.watch(&leadership);
        let launcher = Launcher::new(self, Arc::clone(&leadership))?;
        let purges = Purges::new(self, &leadership);
        let mut reign = Reign {
            master: self,
            told: (LeadershipState::Leading, deadline),
            leadership,
            launcher,
            purges,
            machine,
            since,
            last_ticket: 0,
            asked: HashMap::new(),
            registered_rss: HashMap::new(),
            handing_over: None,
            interrupts: 0,
            end: None,
        };
        reign.act(actions);
        waiting.into_iter().for_each(|event| reign.take(event));
        let end = match reign.turn().await {
            // Asked to go, it goes: to be a standby is not what was asked for.
            ReignEnd::SteppedDown if reign.interrupts > 0 => ReignEnd::Left,
            end => end,
        };
        if let Some(handing_over) = reign.handing_over.take() {
            handing_over.ended().await;
        }
        resign(&reign.master.runtime, &*reign.leadership).await;
        if end != ReignEnd::SteppedDown {
            reign.launcher.leave().await;
        }
        Ok(end)
    }

    /// Lets changes of the leadership come in as events.
    fn watch(&self, leadership: &Arc<dyn Leadership>) {
        let (leadership, to) = (Arc::clone(leadership), self.events.clone());
        self.runtime.spawn(Box::pin(async move {
            let mut seen = LeadershipState::Leading;
            while seen != LeadershipState::Lost {
                seen = leadership.changed(seen).await;
                let input = Input::Leadership { state: seen, deadline: leadership.deadline() };
                if to.send(Event::Reign(leadership.epoch(), input)).await.is_err() {
                    return;
                }
            }
        }));
    }
}

impl Reign<'_> {
    async fn turn(&mut self) -> ReignEnd {
        let incoming = self.master.incoming.clone();
        loop {
            if let Some(end) = self.end {
                return end;
            }
            let now = Instant::now();
            // Past its deadline the machine lets its timers stand.
            let past = now >= self.leadership.deadline();
            let due =
                self.machine.next_deadline().map(|due| if past { due.max(now + PAST_DEADLINE) } else { due });
            let runtime = Arc::clone(&self.master.runtime);
            let event = future::or(async { incoming.recv().await.ok() }, async {
                until(&runtime, due).await;
                None
            });
            match event.await {
                Some(event) => self.take(event),
                None => self.feed(Input::Tick),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Linked(link, inbox, hello) => self.linked(link, inbox, &hello),
            Event::Message(link, message) => self.message(link, message),
            Event::Closed(link, closed) => self.closed(link, &closed),
            Event::Reign(epoch, input) if epoch == self.machine.epoch() => self.feed(input),
            Event::Reign(..) | Event::Following(_) | Event::Ended => {}
            Event::Interrupt => self.interrupt(),
        }
    }

    /// A signal: whoever began the cluster ends it; a master that was only added leaves alone.
    fn interrupt(&mut self) {
        if !self.master.options.ends_cluster {
            self.end = Some(ReignEnd::Left);
            return;
        }
        self.interrupts += 1;
        (self.master.options.observer)(&MasterEvent::Ending);
        if self.interrupts == 1 {
            self.feed(Input::End);
        } else {
            // Asked twice: nobody waits for hooks any more.
            self.last_ticket += 1;
            let request = Request::Kill(tangelo_core::wire::Selection::default());
            self.feed(Input::Request { ticket: Ticket(self.last_ticket), request });
        }
    }

    fn linked(&mut self, link: Link, inbox: Inbox, hello: &Hello) {
        debug!(role = ?hello.role, id = %hello.id, "linked");
        self.master.links.insert(link, inbox);
    }

    fn message(&mut self, link: LinkId, message: Message) {
        let Some(role) = self.master.links.get(link).map(|link| link.peer().role) else { return };
        match (role, message) {
            (Role::Admin, Message::Request { id, request }) => {
                self.last_ticket += 1;
                let ticket = Ticket(self.last_ticket);
                self.asked.insert(ticket, (link, id));
                self.feed(Input::Request { ticket, request });
            }
            (Role::Master, Message::Standby { host, port }) => self.standby(link, host, port),
            (Role::Server, message) => {
                if let Message::Register(register) = &message {
                    self.registered_rss.insert(link, register.rss_bytes);
                }
                self.feed(Input::Member { link, message });
            }
            (role, _) => {
                warn!(?role, "a peer sent what it has no business to send");
                self.drop_link(link, "it sent what it has no business to send");
                self.feed(Input::LinkClosed { link, silent: false });
            }
        }
    }

    fn standby(&mut self, link: LinkId, host: String, port: u16) {
        let Some(peer) = self.master.links.get(link).map(Link::peer) else { return };
        info!(id = %peer.id, %host, port, "a standby has linked");
        let row = MasterRow {
            id: peer.id.clone(),
            host,
            port,
            pid: peer.pid,
            role: MasterRole::Standby,
            epoch: self.machine.epoch(),
            state: MasterState::Ready,
        };
        self.feed(Input::Standby { link, info: StandbyInfo(row) });
    }

    fn closed(&mut self, link: LinkId, closed: &Closed) {
        if self.master.links.ended(link) {
            debug!(?link, %closed, "a link has ended");
            self.registered_rss.remove(&link);
            self.asked.retain(|_, (asker, _)| *asker != link);
            let silent = matches!(closed, Closed::Silent(_));
            self.feed(Input::LinkClosed { link, silent });
        }
    }

    fn drop_link(&mut self, link: LinkId, reason: &str) {
        self.master.links.close(link, reason);
        self.registered_rss.remove(&link);
        self.asked.retain(|_, (asker, _)| *asker != link);
    }

    /// Gives the machine what happened, and does what it says.
    fn feed(&mut self, input: Input) {
        let now = Instant::now();
        let leadership = (self.leadership.state(), self.leadership.deadline());
        if leadership != self.told {
            self.told = leadership;
            let (state, deadline) = leadership;
            let actions = self.machine.handle(now, Input::Leadership { state, deadline });
            self.act(actions);
        }
        let actions = self.machine.handle(now, input);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Store { version, state } => self.store(version, state),
                Action::Launch { def, cpus, incarnation } => self.launcher.launch(def, cpus, incarnation),
                Action::Adopt { id, incarnation, process } => self.launcher.adopt(id, incarnation, process),
                Action::Purge(frontend) => self.purges.purge(frontend),
                Action::Signal { process, signal } => self.launcher.signal(process, signal),
                Action::Send { link, message } => {
                    let order = matches!(message, Message::Stop { .. });
                    if !order || self.launcher.may_act() {
                        self.master.links.send(link, &message);
                    }
                }
                Action::Broadcast { links, message } => {
                    links.into_iter().for_each(|link| self.master.links.send(link, &message));
                }
                Action::Close { link, reason } => {
                    debug!(?link, %reason, "closing a link");
                    self.drop_link(link, &reason);
                }
                Action::Reply { ticket, response } => self.reply(ticket, response),
                Action::HandOver { ticket, to } => self.hand_over(ticket, to),
                Action::Report { id, what } => {
                    (self.master.options.observer)(&MasterEvent::Server { id: &id, report: &what });
                }
                Action::Settled { up, failed } => {
                    let after = Instant::now().saturating_since(self.since);
                    info!(up, failed, ms = after.as_millis(), "all servers registered");
                    (self.master.options.observer)(&MasterEvent::Settled { up, failed, after });
                }
                Action::StepDown => {
                    warn!(epoch = self.machine.epoch().0, "the leadership is lost");
                    self.end.get_or_insert(ReignEnd::SteppedDown);
                }
                Action::Exit => {
                    self.end.get_or_insert(ReignEnd::ClusterEnded);
                }
            }
        }
    }

    fn hand_over(&mut self, ticket: Ticket, to: Option<String>) {
        let Some((link, id)) = self.asked.remove(&ticket) else { return };
        let Some(link) = self.master.links.get(link).cloned() else { return };
        let Master { runtime, options, .. } = &*self.master;
        let standbys = self.machine.listing(Instant::now()).masters;
        let linked = standbys.into_iter().map(|standby| (standby.host, standby.port)).collect();
        let begun =
            HandingOver::begin(runtime, &options.coordinator, &self.leadership, to, linked, (link, id));
        self.handing_over = Some(begun);
    }

    fn store(&self, version: u64, state: ClusterState) {
        let (leadership, to) = (Arc::clone(&self.leadership), self.master.events.clone());
        self.master.runtime.spawn(Box::pin(async move {
            let result = match state.encode() {
                Ok(bytes) => leadership.store(&bytes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &result {
                warn!(%error, "the cluster's state could not be stored");
            }
            let input = Input::Stored { version, result };
            // If nobody takes events any more, the process ends.
            let _ = to.send(Event::Reign(leadership.epoch(), input)).await;
        }));
    }

    fn reply(&mut self, ticket: Ticket, mut response: Response) {
        let Some((link, id)) = self.asked.remove(&ticket) else { return };
        if let Response::Listing(listing) = &mut response {
            self.complete(listing);
        }
        self.master.links.send(link, &Message::Response { id, response });
    }

    /// Puts this master in front and adds the servers' memory.
    fn complete(&self, listing: &mut Listing) {
        let def = &self.master.options.def;
        let row = MasterRow {
            id: def.id.clone(),
            host: def.host.clone(),
            port: def.port,
            pid: std::process::id(),
            role: MasterRole::Leader,
            epoch: self.machine.epoch(),
            state: self.leadership.state().into(),
        };
        listing.masters.insert(0, row);
        if let Some(channels) = &mut listing.channels {
            self.purges.explain(&mut channels.purges);
        }
        for server in &mut listing.servers {
            let link = self.machine.link_of(&server.id);
            server.rss_bytes = link.and_then(|id| {
                let link = self.master.links.get(id)?;
                link.peer_rss().or_else(|| self.registered_rss.get(&id).copied())
            });
        }
    }
}
