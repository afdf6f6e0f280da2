//! The life of a guard process.

use super::keeper::Keeper;
use super::link::{self, Link};
use super::master::Master;
use super::orders::{Answer, Assignment, Hold, Order, parse};
use super::removal::remove;
use super::time::within;
use crate::config::Settings;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use futures_lite::future::or;
use tangelo_core::process::ProcessRef;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// The whole life of a guard process: reads its orders from stdin, and returns when it has nothing left to do.
///
/// A master starts it (see `ZooKeeperCoordinator::with_guard`), with a socket as its stdin. It keeps a session
/// with ZooKeeper and waits. When the master process is dead it deletes the lock nodes that the master has told
/// it of, each only if the session that the master told owns it, and returns. It does nothing to ZooKeeper in
/// any other case.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if it was not started by a master, [`Denied`](ErrorKind::Denied) if
/// ZooKeeper refuses the credentials or the deletion, [`Unavailable`](ErrorKind::Unavailable) if ZooKeeper was
/// out of reach for two session timeouts after the master's death, [`Protocol`](ErrorKind::Protocol) for
/// orders of another version.
///
/// # Cancel safety
/// Not cancel safe: call it once, and end the process after it.
pub async fn run_guard(runtime: Arc<dyn Runtime>) -> Result<()> {
    let mut link = Link::stdin(&*runtime).map_err(|e| {
        let message = "a guard is started by its master, which speaks to it through a socket on stdin";
        Error::new(ErrorKind::Invalid, message).with_source(e)
    })?;
    // Away from the terminal of the master and its signals. In a session of its own a stopped guard also is not sent
    // SIGHUP when its master dies, as a stopped child in another group of the same session is.
    let _ = rustix::process::setsid();
    let Some(line) = link.line().await.map_err(unread)? else {
        // The master has died, or has no more use for a guard, before it said what to guard.
        return Ok(());
    };
    let assignment: Assignment = parse(&line, "assignment of a guard")?;
    let settings = Settings::new(assignment.config())?;
    let locks = settings.lock_node("");
    let keeper = Keeper::new(Arc::clone(&runtime), settings);
    let guard = Guarding {
        master: Master::watch(&*runtime, &assignment.master)?,
        process: assignment.master.clone(),
        linger: assignment.linger(),
        link,
        answer: Answer { number: 0, connected: false },
        holds: Vec::new(),
        locks,
        runtime: &*runtime,
        keeper: &keeper,
    };
    let result = or(guard.run(), keeper.run()).await;
    keeper.close().await;
    result
}

struct Guarding<'a> {
    master: Master,
    process: ProcessRef,
    linger: Duration,
    link: Link,
    answer: Answer,
    holds: Vec<Hold>,
    /// What the path of every lock node begins with.
    locks: String,
    runtime: &'a dyn Runtime,
    keeper: &'a Keeper,
}

enum Event {
    /// The master says something.
    Line(Vec<u8>),
    /// The line is cut: nobody says anything any more.
    Cut,
    /// The master is dead.
    Dead,
    /// The session came or went.
    Connection,
}

impl Guarding<'_> {
    async fn run(mut self) -> Result<()> {
        loop {
            match self.next().await? {
                Event::Line(line) => self.obey(&line)?,
                Event::Connection => self.report(),
                Event::Cut => {
                    // The kernel closes a dying process's files just before it announces the end. If the
                    // master lives on, it has let its guard go.
                    if self.holds.is_empty()
                        || within(self.runtime, self.linger, self.master.ended()).await.is_none()
                    {
                        return Ok(());
                    }
                    return self.act().await;
                }
                Event::Dead => {
                    // Its last words may be unread yet. Nobody can add to them.
                    while let Ok(Some(line)) = self.link.available() {
                        self.obey(&line)?;
                    }
                    return self.act().await;
                }
            }
        }
    }

    async fn next(&mut self) -> Result<Event> {
        let connected = self.answer.connected;
        let line = async {
            let line = self.link.line().await.map_err(unread)?;
            Ok(line.map_or(Event::Cut, Event::Line))
        };
        let dead = async {
            self.master.ended().await;
            Ok(Event::Dead)
        };
        let connection = async {
            self.keeper.connection_changed(connected).await;
            Ok(Event::Connection)
        };
        or(line, or(dead, connection)).await
    }

    fn obey(&mut self, line: &[u8]) -> Result<()> {
        let order: Order = parse(line, "order to a guard")?;
        if let Some(other) = order.holds.iter().find(|hold| !hold.lock.starts_with(&self.locks)) {
            let message = alloc::format!("{} is no lock node: those are in {}", other.lock, self.locks);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        self.holds = order.holds;
        self.answer.number = order.number;
        self.report();
        Ok(())
    }

    /// Tells the master how things stand.
    fn report(&mut self) {
        self.answer.connected = self.keeper.connected();
        // A master that is frozen does not read; it is answered again when it asks again.
        let _ = link::send(self.link.stream(), &self.answer);
    }

    /// Does what it is there for.
    async fn act(&self) -> Result<()> {
        self.keeper.hurry();
        let deadline = Instant::now() + self.keeper.timeout() * 2;
        let mut result = Ok(());
        // The newest is the one that others wait for.
        for hold in self.holds.iter().rev() {
            match remove(self.runtime, self.keeper, hold, deadline).await {
                Ok(outcome) => {
                    tracing::info!(
                        "the master, {}, is dead; its lock node {} is {outcome}",
                        self.process,
                        hold.lock
                    );
                }
                Err(e) => {
                    let message = alloc::format!("the lock node {} of a dead master remains", hold.lock);
                    result = Err(Error::new(e.kind(), message).with_source(e));
                }
            }
        }
        result
    }
}

fn unread(e: std::io::Error) -> Error {
    Error::io("read the orders of the master", e)
}
