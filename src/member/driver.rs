//! Drives the member machine: the one task that a server process turns around.

use super::launch::Launch;
use super::master_link::{LinkEvent, MasterLink};
use crate::app::{self, App};
use crate::link::{LinkConfig, Secret};
use crate::log::keep_rotated;
use crate::peer::{Peers, serve_peers};
use crate::time::{timeout, until};
use alloc::sync::Arc;
use async_channel::{Receiver, Sender, bounded};
use core::time::Duration;
use futures_lite::{StreamExt, future};
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::member::{Action, Input, Machine};
use tangelo_core::wire::{Digest, Hello, Message, Phase, Register, Role};
use tangelo_core::{Coordinator, Error, ErrorKind, Instant, Result, local};
use tracing::{error, info, warn};

/// How long after its hooks' time a server that still runs ends itself, whatever hangs.
const LAST_RESORT: Duration = Duration::from_secs(6);

/// How a server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// In order.
    Stopped,
    /// A master would not have it.
    Refused,
    /// It could not start.
    Failed,
}

/// What happens in a server process.
#[derive(Debug)]
pub(super) enum Event {
    Leader(Option<LeaderInfo>),
    Link(u64, LinkEvent),
    Started(Result<()>),
    Status(String),
    Stop,
    Stopped,
}

struct Driver {
    app: App,
    launch: Launch,
    machine: Machine,
    link: MasterLink,
    peer_config: LinkConfig,
    events: Sender<Event>,
    /// Closes when the start is through, however it ended.
    starting: Option<Receiver<()>>,
    up: bool,
    ended: Option<Ended>,
}

/// Runs the server whose process this is, from its registration to its end.
pub(crate) async fn run(
    app: App,
    launch: Launch,
    secret: Secret,
    coordinator: Arc<dyn Coordinator>,
) -> Result<Ended> {
    keep_rotated(app.runtime(), launch.log.clone());
    let mut signals = app.runtime().signals().map_err(|e| Error::io("listen for signals", e))?;
    let signalled = app.clone();
    app.spawn(async move {
        while signals.next().await.is_some() {
            signalled.stop();
        }
    });
    drive(app, launch, secret, coordinator).await
}

/// Runs a server, whoever else is in this process.
pub(super) async fn drive(
    app: App,
    launch: Launch,
    secret: Secret,
    coordinator: Arc<dyn Coordinator>,
) -> Result<Ended> {
    let runtime = Arc::clone(app.runtime());
    let process =
        local::process_ref(&launch.def.host).map_err(|e| Error::io("find out who this process is", e))?;
    let hello = Hello { role: Role::Server, id: launch.def.id.clone(), pid: process.pid };
    let mut config = LinkConfig::new(secret, hello);
    config.heartbeat = launch.timing().heartbeat;
    let register = Register {
        id: launch.def.id.clone(),
        incarnation: launch.incarnation,
        cpus: crate::parts::affinity(&app)?.of(process.pid).ok(),
        process,
        phase: Phase::Starting,
        status: String::new(),
        epoch: launch.epoch,
        rss_bytes: local::rss_bytes(),
        age: Duration::ZERO,
        known: Digest::default(),
    };
    let (events, incoming) = bounded(256);
    listen_to_all(&app, coordinator, &events);
    let mut driver = Driver {
        machine: Machine::new(Instant::now(), register, fastrand::u64(..)),
        link: MasterLink::new(runtime, config.clone(), events.clone()),
        peer_config: config,
        app,
        launch,
        events,
        starting: None,
        up: false,
        ended: None,
    };
    driver.turn(incoming).await;
    driver.link.leave().await;
    Ok(driver.ended.unwrap_or(Ended::Stopped))
}

/// Forwards the leader's changes and what the application says.
fn listen_to_all(app: &App, coordinator: Arc<dyn Coordinator>, events: &Sender<Event>) {
    let runtime = app.runtime();
    let to = events.clone();
    runtime.spawn(Box::pin(async move {
        let mut leaders = coordinator.observe();
        while let Some(leader) = leaders.next().await {
            let sent = match leader {
                Ok(leader) => to.send(Event::Leader(leader)).await,
                Err(error) => {
                    warn!(%error, "cannot see who leads");
                    Ok(())
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }));
    let (to, app) = (events.clone(), app.clone());
    app.runtime().clone().spawn(Box::pin(async move {
        loop {
            let (status, stop) = app.shared().agent.news().await;
            if let Some(status) = status
                && to.send(Event::Status(status)).await.is_err()
            {
                return;
            }
            if stop && to.send(Event::Stop).await.is_err() {
                return;
            }
        }
    }));
}

impl Driver {
    /// Takes events, one after the other, until the server has ended.
    async fn turn(&mut self, incoming: Receiver<Event>) {
        loop {
            let deadline = self.machine.next_deadline();
            let runtime = Arc::clone(self.app.runtime());
            let event = future::or(async { incoming.recv().await.ok() }, async {
                until(&runtime, deadline).await;
                None
            });
            match event.await {
                Some(Event::Stopped) => return,
                Some(event) => self.take(event),
                None => self.feed(Input::Tick),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Leader(leader) => self.feed(Input::Leader(leader)),
            Event::Link(attempt, event) if self.link.is_current(attempt) => self.link_says(event),
            Event::Link(..) => {}
            Event::Started(Ok(())) => {
                self.up = true;
                if self.ended.is_none() {
                    info!(server = self.app.id(), incarnation = self.launch.incarnation.0, "up");
                    self.feed(Input::Phase(Phase::Up));
                }
            }
            Event::Started(Err(error)) => {
                error!(server = self.app.id(), %error, "cannot start");
                self.stop(Ended::Failed, None);
            }
            Event::Status(status) => self.feed(Input::Status(status)),
            Event::Stop => self.stop(Ended::Stopped, None),
            Event::Stopped => {}
        }
    }

    fn link_says(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Linked(linked) => {
                let linked = self.link.linked(linked);
                self.feed(Input::Connected(linked));
            }
            LinkEvent::Message(message) => self.hear(message),
            LinkEvent::Closed(why) => {
                info!(%why, "the link to the master is gone");
                self.link.disconnect("it is gone");
                self.feed(Input::Disconnected);
            }
        }
    }

    /// Whom this server obeys is what one wants to know after a failover.
    fn hear(&mut self, message: Message) {
        let seen = self.machine.epoch();
        let (epoch, welcome) = match &message {
            Message::Welcome(welcome) => (welcome.epoch, true),
            Message::Stop { epoch, .. } => (*epoch, false),
            _ => return self.feed(Input::Message(message)),
        };
        if epoch < seen {
            warn!(epoch = epoch.0, seen = seen.0, "a master of the past is not obeyed");
        } else if !welcome {
            info!(epoch = epoch.0, seen = seen.0, "the master says stop");
        }
        self.feed(Input::Message(message));
        if welcome && self.machine.is_welcome() {
            let incarnation = self.launch.incarnation.0;
            info!(incarnation, epoch = epoch.0, seen = seen.0, "registered with the master");
        }
    }

    fn feed(&mut self, input: Input) {
        for action in self.machine.handle(Instant::now(), input) {
            match action {
                Action::Connect { host, port } => self.link.connect(host, port),
                Action::Disconnect => self.link.disconnect("another master leads"),
                Action::Send(message) => self.link.send(&message),
                Action::Start => self.start(),
                Action::Servers { added, removed } => self.app.shared().servers_changed(&added, &removed),
                Action::AllStarted => {
                    let app = self.app.clone();
                    self.app.spawn(async move { app::started_all(&app).await });
                }
                Action::Stop { refused: Some(why), .. } => {
                    error!(server = self.app.id(), %why, "a master would not have this server");
                    self.stop(Ended::Refused, None);
                }
                Action::Stop { timeout, refused: None } => self.stop(Ended::Stopped, timeout),
            }
        }
    }

    fn start(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let (through, starting) = bounded(1);
        self.starting = Some(starting);
        let (app, events, config) = (self.app.clone(), self.events.clone(), self.peer_config.clone());
        self.app.spawn(async move {
            let started = match listen_to_peers(&app, config).await {
                Ok(()) => app::start(&app).await,
                Err(error) => Err(error),
            };
            drop(through);
            // If the driver has gone, the process ends.
            let _ = events.send(Event::Started(started)).await;
        });
    }

    /// Begins to stop, once.
    fn stop(&mut self, how: Ended, hooks_timeout: Option<Duration>) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(how);
        if how != Ended::Failed {
            // A failed start is told by the exit code: to the master it is no stop.
            self.feed(Input::Phase(Phase::Stopping));
        }
        let hooks_timeout = hooks_timeout.unwrap_or(self.launch.def.stop_timeout);
        end_by_force_after(hooks_timeout + LAST_RESORT);
        info!(server = self.app.id(), "stopping");
        let (app, events, up, starting) =
            (self.app.clone(), self.events.clone(), self.up, self.starting.take());
        self.app.spawn(async move {
            if let Some(starting) = starting {
                // A start that is under way is let finish; it fails to be through only if it hangs.
                let _ = timeout(app.runtime(), hooks_timeout, starting.recv()).await;
            }
            app::stop(&app, up.then_some(hooks_timeout)).await;
            let _ = events.send(Event::Stopped).await;
        });
    }
}

/// Opens this server's own port, if it has one, and its way to the others.
async fn listen_to_peers(app: &App, config: LinkConfig) -> Result<()> {
    let (def, shared, runtime) = (app.server(), app.shared(), app.runtime());
    if let Some(port) = def.port {
        let listener = runtime.listen(&def.host, port).await.map_err(|error| {
            Error::io(format_args!("listen on {}:{port}, the `port` of {}", def.host, def.id), error)
        })?;
        let server = serve_peers(runtime, listener, config.clone(), &shared.remotes);
        if shared.listening.set(server).is_err() {
            return Err(Error::new(ErrorKind::AlreadyExists, "this server has started already"));
        }
    }
    // Only a second start could find it set, and that has returned above or has no port to guard.
    let _ = shared.peers.set(Peers::new(Arc::clone(runtime), config));
    Ok(())
}

/// Nothing that hangs keeps a stopping server alive: not a hook that blocks its thread either.
fn end_by_force_after(limit: Duration) {
    let (never, forever) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::Builder::new().name("last-resort".into()).spawn(move || {
        let _ = forever.recv_timeout(limit);
        error!("still not stopped after {} s: ending by force", limit.as_secs());
        std::process::exit(1);
    });
    match guard {
        // It waits for the whole time: nobody ever sends.
        Ok(_) => core::mem::forget(never),
        Err(error) => warn!(%error, "no thread for the last resort: only the master bounds this stop"),
    }
}
