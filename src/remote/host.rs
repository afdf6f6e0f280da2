//! One other host: a connection to its agent, opened when somebody needs it, and again when it breaks.

use super::connection::Connection;
use super::reach::Reach;
use super::ssh::{Ssh, explain};
use crate::sync::Mutex;
use crate::time::{Elapsed, timeout};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use event_listener::Event;
use futures_lite::future;
use std::process::Command;
use tangelo_core::runtime::{Runtime, unblock};
use tangelo_core::{Error, ErrorKind, Instant, Result};
use tracing::{debug, info, warn};

/// The pause before another attempt: short at first, longer each time, with jitter.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// How long logging in and starting the agent may take.
const GREETING: Duration = Duration::from_secs(20);

/// How often an agent is made to say something, and how often it may be asked in vain.
const BEAT: Duration = Duration::from_secs(2);
const IN_VAIN: u32 = 5;

/// How long ssh may take to go by itself: one round trip, mostly.
const GRACE: Duration = Duration::from_secs(1);

/// Another host.
pub(super) struct Host {
    name: String,
    runtime: Arc<dyn Runtime>,
    reach: Reach,
    /// Makes the command that is ssh.
    command: Box<dyn Fn() -> Command + Send + Sync>,
    state: Mutex<State>,
    changed: Event,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// How many need it now.
    wanted: usize,
    /// How many attempts have failed, and how the last one has.
    failures: u64,
    error: String,
    closed: bool,
    /// The task that keeps it has ended, and its ssh too.
    ended: bool,
}

impl Host {
    /// A host that `reach` describes.
    pub(super) fn new(runtime: &Arc<dyn Runtime>, reach: &Reach, name: &str) -> Arc<Self> {
        let (to, at) = (reach.clone(), name.to_owned());
        Self::by_command(runtime, reach, name, Box::new(move || to.command(&at)))
    }

    /// The same with another command in place of ssh.
    pub(super) fn by_command(
        runtime: &Arc<dyn Runtime>,
        reach: &Reach,
        name: &str,
        command: Box<dyn Fn() -> Command + Send + Sync>,
    ) -> Arc<Self> {
        let host = Arc::new(Self {
            name: name.into(),
            runtime: Arc::clone(runtime),
            reach: reach.clone(),
            command,
            state: Mutex::default(),
            changed: Event::new(),
        });
        let keeper = Keeper(Arc::clone(&host));
        runtime.spawn(Box::pin(async move { keeper.run().await }));
        host
    }

    /// The connection; waits for one attempt if there is none, and for no second.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) with the reason; [`Fenced`](ErrorKind::Fenced) when this
    /// master gives no more orders.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>> {
        let _want = self.want();
        let failures = self.state.lock().failures;
        self.until(|state| {
            if state.closed {
                return Some(Err(over()));
            }
            // One that is over is about to be replaced.
            if let Some(connection) = state.connection.as_ref().filter(|c| c.over_now().is_none()) {
                return Some(Ok(Arc::clone(connection)));
            }
            (state.failures > failures).then(|| Err(Error::new(ErrorKind::Unavailable, state.error.clone())))
        })
        .await
    }

    /// As long as this lives the connection is kept, and opened again whenever it breaks.
    pub(super) fn want(&self) -> Want<'_> {
        self.state.lock().wanted += 1;
        self.changed.notify(usize::MAX);
        Want(self)
    }

    /// No more orders: whoever waits is told, and ssh goes.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify(usize::MAX);
    }

    /// Waits until ssh has gone after [`close`](Self::close).
    pub(super) async fn ended(&self) {
        self.until(|state| state.ended.then_some(())).await;
    }

    async fn until<T>(&self, condition: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.listen();
            if let Some(found) = condition(&self.state.lock()) {
                return found;
            }
            changed.await;
        }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify(usize::MAX);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Somebody who needs the connection.
#[derive(Debug)]
pub(super) struct Want<'a>(&'a Host);

impl Drop for Want<'_> {
    fn drop(&mut self) {
        self.0.state.lock().wanted -= 1;
    }
}

/// What is said when this master gives no more orders.
pub(super) fn over() -> Error {
    Error::new(ErrorKind::Fenced, "this master leads no longer: it gives no orders to other hosts")
}

/// The task that keeps a host connected.
struct Keeper(Arc<Host>);

impl Keeper {
    async fn run(self) {
        let mut pause = RETRY_MIN;
        while self.wanted().await {
            match self.open().await {
                Ok((ssh, connection)) => {
                    let since = Instant::now();
                    self.attend(ssh, connection).await;
                    if Instant::now().saturating_since(since) >= GOOD {
                        pause = RETRY_MIN;
                    }
                }
                Err(error) => self.failed(&error),
            }
            let rest = self.0.runtime.sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0));
            future::or(rest, self.closed()).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Waits until somebody needs the host; false: nobody will any more.
    async fn wanted(&self) -> bool {
        self.0.until(|state| (state.closed || state.wanted > 0).then_some(!state.closed)).await
    }

    async fn closed(&self) {
        self.0.until(|state| state.closed.then_some(())).await;
    }

    async fn open(&self) -> Result<(Ssh, Arc<Connection>)> {
        let host = &*self.0;
        let command = (host.command)();
        debug!(host = host.name, ?command, "connecting");
        let (ssh, stdin, stdout) = unblock(&*host.runtime, move || Ssh::start(command)).await??;
        let connection = Connection::open(stdout, stdin)?;
        let greeted = future::or(timeout(&host.runtime, GREETING, connection.greeted()), async {
            self.closed().await;
            Ok(false)
        });
        let (why, grace) = match greeted.await {
            Ok(true) => return Ok((ssh, Arc::new(connection))),
            // ssh ends by itself, with a reason.
            Ok(false) => (connection.over_now().unwrap_or_default(), GRACE),
            Err(Elapsed) => (format!("no answer within {} s", GREETING.as_secs()), Duration::ZERO),
        };
        connection.close(&why);
        let end = ssh.end(&host.runtime, grace).await;
        Err(explain(&host.reach, &host.name, &end, &connection.stray(), &why))
    }

    /// Keeps the connection as long as it lives.
    async fn attend(&self, ssh: Ssh, connection: Arc<Connection>) {
        let host = &*self.0;
        info!(host = host.name, "connected");
        host.set(|state| state.connection = Some(Arc::clone(&connection)));
        let silent = async {
            // Beats are counted, not seconds: a master that was frozen itself must not blame others.
            let (mut in_vain, mut heard) = (0, None);
            while in_vain < IN_VAIN {
                connection.beat();
                host.runtime.sleep(BEAT).await;
                let now = connection.heard();
                in_vain = if now == heard { in_vain + 1 } else { 0 };
                heard = now;
            }
            (format!("it says nothing, though asked {IN_VAIN} times"), Duration::ZERO)
        };
        let over = async { (connection.over().await, GRACE) };
        let closed = async {
            self.closed().await;
            ("this master gives no more orders".to_owned(), GRACE)
        };
        let (why, grace) = future::or(closed, future::or(over, silent)).await;
        host.set(|state| state.connection = None);
        connection.close(&why);
        drop(connection);
        let end = ssh.end(&host.runtime, grace).await;
        if !host.state.lock().closed {
            let said = end.said;
            warn!(host = host.name, %why, %said, "the connection is lost; its servers are left as they are");
        }
    }

    fn failed(&self, error: &Error) {
        let host = &*self.0;
        let message = error.to_string();
        let state = host.state.lock();
        let news = !state.closed && state.error != message;
        drop(state);
        if news {
            warn!(host = host.name, error = %message, "cannot connect");
        }
        host.set(|state| {
            state.failures += 1;
            state.error = message;
        });
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Should it panic, nobody waits for it in vain.
        self.0.set(|state| {
            state.closed = true;
            state.ended = true;
            state.connection = None;
        });
    }
}
