//! Seeing who leads, at no cost while nothing changes.

use crate::config::Settings;
use crate::context::{Context, backoff};
use crate::error::{Fault, why_over};
use crate::published::{Publication, Published};
use crate::session::Session;
use crate::tree;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::patience::Backoff;
use tangelo_core::{BoxFuture, BoxStream, Error, ErrorKind, Instant, Result};
use zookeeper_client::{SessionState, WatchedEvent};

/// A connection that is lost for longer than this is told of; before, it is a hiccup.
const HICCUP: Duration = Duration::from_secs(1);
/// Between two errors, at least.
const QUIET: Duration = Duration::from_secs(1);

type Item = Result<Option<LeaderInfo>>;
type Watch = BoxFuture<'static, WatchedEvent>;

/// The leader now, then every change.
pub(crate) fn observe(context: Arc<Context>) -> BoxStream<'static, Item> {
    let observer =
        Observer { context, eye: None, last: Last::Nothing, backoff: backoff(), resume: None, told: None };
    Box::pin(futures_lite::stream::unfold(observer, |mut observer| async move {
        let item = observer.next().await;
        Some((item, observer))
    }))
}

struct Observer {
    context: Arc<Context>,
    eye: Option<Eye>,
    last: Last,
    backoff: Backoff,
    /// After a failure: not before this.
    resume: Option<Instant>,
    /// When an error came out last.
    told: Option<Instant>,
}

/// What came out of the stream last.
#[derive(PartialEq, Eq)]
enum Last {
    Nothing,
    Leader(Option<LeaderInfo>),
    Failure,
}

/// What one session sees, kept up to date by watches.
struct Eye {
    session: Session,
    path: Option<Watch>,
    /// On the lock node of the leader.
    lock: Option<Watch>,
    /// Whether that lock node is there.
    lives: bool,
    /// What stands in `<path>`, if that is there.
    seen: Option<Published>,
}

impl Observer {
    async fn next(&mut self) -> Item {
        loop {
            if let Some(resume) = self.resume.take() {
                let pause = self.context.sleep(resume.saturating_since(Instant::now()));
                match &mut self.eye {
                    // What was wrong may be put right before.
                    Some(eye) => future::or(eye.changed(), pause).await,
                    None => pause.await,
                }
            }
            let error = match self.look().await {
                Ok(leader) => {
                    self.backoff.reset();
                    let now = Last::Leader(leader.clone());
                    if self.last != now {
                        self.last = now;
                        return Ok(leader);
                    }
                    match self.wait().await {
                        Ok(()) => continue,
                        Err(error) => {
                            // What it has seen is old: nothing comes out before it can be read anew.
                            self.eye = None;
                            error
                        }
                    }
                }
                Err(error) => {
                    self.resume = Some(Instant::now() + self.backoff.pause());
                    error
                }
            };
            self.last = Last::Failure;
            let now = Instant::now();
            if self.told.is_none_or(|told| now.saturating_since(told) >= QUIET) {
                self.told = Some(now);
                return Err(error);
            }
        }
    }

    /// Reads what has changed.
    async fn look(&mut self) -> Item {
        let context = Arc::clone(&self.context);
        let mut eye = match self.eye.take().filter(|eye| !eye.session.is_over()) {
            Some(eye) => eye,
            None => {
                let session = context.sessions.get().await?;
                // Another server than the last session's may lag behind.
                let path = context.settings.path();
                session.sync(path).await.map_err(|fault| context.settings.error("read", path, fault))?;
                Eye { session, path: None, lock: None, lives: false, seen: None }
            }
        };
        let seen = eye.look(&context).await;
        self.eye = Some(eye);
        let leader = seen?.map(|leader| leader.info());
        if let Some(leader) = &leader {
            context.saw(leader.epoch);
        }
        Ok(leader)
    }

    /// Waits until there is something new to read.
    ///
    /// # Errors
    /// If the connection is lost.
    async fn wait(&mut self) -> Result<()> {
        let Some(eye) = &mut self.eye else { return Ok(()) };
        let session = eye.session.clone();
        let lost = self.context.lost(&session);
        let changed = async {
            eye.changed().await;
            Ok(())
        };
        // A change that is there already comes first.
        future::or(changed, async { Err(lost.await) }).await
    }
}

impl Eye {
    async fn look(&mut self, context: &Context) -> Result<Option<Publication>> {
        let settings = &context.settings;
        if self.path.is_none() {
            let before = self.seen.take();
            let read = self.read_path(settings).await;
            self.seen = read.map_err(|fault| settings.error("read", settings.path(), fault))?;
            if self.seen != before {
                self.lock = None;
            }
        }
        let leader = match &self.seen {
            Some(Published::Leader(leader)) => leader,
            Some(Published::Nobody { epoch, .. }) => {
                epoch.iter().for_each(|epoch| context.saw(*epoch));
                return Ok(None);
            }
            Some(Published::Garbage(found)) => return Err(settings.foreign(found)),
            // The first master will make it.
            None if settings.config().create => return Ok(None),
            None => return Err(tree::missing(settings)),
        };
        if self.lock.is_none() {
            let lock = settings.lock_node(&leader.lock);
            let look = self.session.bounded(self.session.client().check_and_watch_stat(&lock)).await;
            let (stat, watcher) = look.map_err(|fault| settings.error("read", &lock, fault))?;
            self.lock = Some(Box::pin(watcher.changed()));
            self.lives = stat.is_some();
        }
        Ok(self.lives.then(|| leader.clone()))
    }

    /// Reads `<path>`, if it is there, and watches it.
    async fn read_path(&mut self, settings: &Settings) -> Result<Option<Published>, Fault> {
        let client = self.session.client();
        for _ in 0..3 {
            match self.session.bounded(client.get_and_watch_data(settings.path())).await {
                Ok((data, _, watcher)) => {
                    self.path = Some(Box::pin(watcher.changed()));
                    return Ok(Some(Published::parse(&data)));
                }
                Err(Fault::NoNode) => {}
                Err(fault) => return Err(fault),
            }
            let look = self.session.bounded(client.check_and_watch_stat(settings.path())).await?;
            if let (None, watcher) = look {
                self.path = Some(Box::pin(watcher.changed()));
                return Ok(None);
            }
            // It was made between the two.
        }
        Err(Fault::NoNode)
    }

    /// Waits until a watch has fired.
    async fn changed(&mut self) {
        let Self { path, lock, .. } = self;
        future::or(fired(path), fired(lock)).await;
    }
}

/// Ends when the watch has fired, which then is none any more.
async fn fired(watch: &mut Option<Watch>) {
    match watch {
        Some(future) => drop(future.await),
        None => future::pending().await,
    }
    *watch = None;
}

impl Context {
    /// Ends with the reason when `session` is over, or has had no connection for longer than a hiccup.
    async fn lost(&self, session: &Session) -> Error {
        let mut watcher = session.client().state_watcher();
        let mut state = session.client().state();
        loop {
            let changed = watcher.changed();
            state = match state {
                SessionState::Disconnected => {
                    let waited = async {
                        self.sleep(HICCUP).await;
                        None
                    };
                    match future::or(async { Some(changed.await) }, waited).await {
                        Some(state) => state,
                        None => break,
                    }
                }
                over if over.is_terminated() => break,
                _ => changed.await,
            };
        }
        let server = self.settings.server();
        let why =
            if session.is_over() { why_over(session.client().state()) } else { "the connection is lost" };
        Error::new(ErrorKind::Unavailable, format!("cannot see who leads: {why} (ZooKeeper at {server})"))
    }
}
