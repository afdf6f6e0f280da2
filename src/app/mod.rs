//! The application: what a user configures, and what runs in each process.

mod component;
mod hook;
mod lifecycle;
mod servers;
mod settings;
mod shared;

pub use component::{BoxError, Component};
pub(crate) use hook::Hook;
pub use hook::Outcome;
pub(crate) use lifecycle::{start, started_all, stop};
pub(crate) use servers::ByType;

use crate::channel::{ChannelService, GlobalChannelService};
use crate::connector::{self, ConnectorStats};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;
use serde_json::Value;
use shared::Shared;
use std::path::{Path, PathBuf};
use tangelo_core::channel::PushSink;
use tangelo_core::config::{Incarnation, ServerDef};
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::ServerInfo;
use tangelo_core::{Error, ErrorKind, Result};

/// What the names begin with that servers use among themselves; no client reaches them.
pub(crate) const INTERNAL: &str = "tangelo.";

/// Where and as what this process runs.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) env: String,
    pub(crate) def: ServerDef,
    pub(crate) incarnation: Incarnation,
}

/// The application in this process; a cheap handle to be cloned into tasks, hooks and components.
///
/// One program is the master and every server: the function given to [`run`](crate::run) is called
/// in each process, and [`configure`](Self::configure) chooses what applies there.
#[derive(Debug, Clone)]
pub struct App(Arc<Shared>);

impl App {
    pub(crate) fn new(place: Place, runtime: Arc<dyn Runtime>) -> Self {
        Self(Arc::new(Shared::new(place, runtime)))
    }

    /// Calls `then` at once if this process runs in one of `envs`: names joined by `|`, such as
    /// `production|development`, or `all`.
    pub fn configure(&self, envs: &str, then: impl FnOnce(&Self)) -> &Self {
        self.configure_for(envs, "all", then)
    }

    /// Calls `then` at once if this process runs in one of `envs` and is a server of one of
    /// `types`: names joined by `|`, such as `gate|connector`, or `all`. The type of a master is `master`, and
    /// so is that of a command, and of what acts for a master on another host.
    pub fn configure_for(&self, envs: &str, types: &str, then: impl FnOnce(&Self)) -> &Self {
        if names(envs, self.env()) && names(types, self.server_type()) {
            then(self);
        }
        self
    }

    /// Keeps a typed setting; a later one of the same type replaces it.
    pub fn set<T: Send + Sync + 'static>(&self, setting: T) -> &Self {
        self.0.settings.set(setting);
        self
    }

    /// The setting of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.settings.get()
    }

    /// Switches a feature on: the same as [`set`](Self::set) of its marker, for reading's sake.
    pub fn enable<T: Send + Sync + 'static>(&self, feature: T) -> &Self {
        self.set(feature)
    }

    /// Switches a feature off again.
    pub fn disable<T: Send + Sync + 'static>(&self) -> &Self {
        self.0.settings.remove::<T>();
        self
    }

    /// Whether a feature is on.
    #[must_use]
    pub fn enabled<T: Send + Sync + 'static>(&self) -> bool {
        self.get::<T>().is_some()
    }

    /// Adds a component. Components start in the order in which they were added, and stop in the
    /// reverse order.
    pub fn component(&self, component: impl Component) -> &Self {
        self.0.components.lock().push(Arc::new(component));
        self
    }

    /// Runs `hook` before the components start; an error keeps the server from starting.
    pub fn before_start<F, Fut>(&self, hook: F) -> &Self
    where
        F: Fn(Self) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.0.before_start.lock().push(Hook::new(hook));
        self
    }

    /// Runs `hook` when every server of the cluster has come up for the first time; in a server
    /// that is started later, once it is up.
    pub fn after_start_all<F, Fut>(&self, hook: F) -> &Self
    where
        F: Fn(Self) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.0.after_start_all.lock().push(Hook::new(hook));
        self
    }

    /// Runs `hook` before this server closes, whether by `stop`, `restart`, SIGTERM or Ctrl-C,
    /// while its components still work.
    ///
    /// Several may be given; they run in the order of registration. Together they have 10 s, or
    /// what `"stop-timeout"` of the server in servers.json says (in seconds). One that fails,
    /// panics or overruns is reported in the log, and stopping goes on.
    pub fn before_stop<F, Fut>(&self, hook: F) -> &Self
    where
        F: Fn(Self) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.0.before_stop.lock().push(Hook::new(hook));
        self
    }

    /// Calls `then` with servers that have come up, also those that have come back in a new life.
    /// It runs on the link's task and must not block.
    pub fn on_servers_added(&self, then: impl Fn(&[ServerInfo]) + Send + Sync + 'static) -> &Self {
        self.0.on_added.lock().push(Arc::new(then));
        self
    }

    /// Calls `then` with servers that have gone. It runs on the link's task and must not block.
    pub fn on_servers_removed(&self, then: impl Fn(&[ServerInfo]) + Send + Sync + 'static) -> &Self {
        self.0.on_removed.lock().push(Arc::new(then));
        self
    }

    /// Answers calls of other servers to `route`, with the caller's id and the bytes it sent; see
    /// [`call`](Self::call). Calls of one caller are begun in the order in which it made them: until its
    /// first await an answer runs on the link's own task, so long computations belong behind one.
    ///
    /// Names that begin with `tangelo.` are taken; such a one keeps the server from starting.
    pub fn remote<F, Fut>(&self, route: &str, answer: F) -> &Self
    where
        F: Fn(String, Vec<u8>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<u8>>> + Send + 'static,
    {
        if route.starts_with(INTERNAL) {
            self.0
                .mistakes
                .lock()
                .push(format!("remote {route}: names that begin with {INTERNAL} are taken"));
        } else {
            self.0.remotes.insert(route, move |from, body| answer(String::from(&**from), body));
        }
        self
    }

    /// Calls `route` of another server that is up, and waits for its answer.
    ///
    /// # Errors
    /// `NotFound` at once if there is no such server, or it has no such route; `Unavailable` at once when
    /// its link breaks; `Timeout`; or what the remote itself answered. After the middle two the call may
    /// or may not have been carried out, and nothing is tried again by itself.
    ///
    /// # Cancel safety
    /// Not cancel safe: the call may be carried out all the same.
    pub async fn call(&self, id: &str, route: &str, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>> {
        let peers = self.0.peers()?;
        let Some(server) = self.0.server(id) else {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no server {id} that is up")));
        };
        peers.call(&server, route, body, timeout).await
    }

    /// Channels that this process alone knows, with users at any frontend.
    #[must_use]
    pub fn channels(&self) -> ChannelService {
        self.0.channels.local(self)
    }

    /// Channels that span the cluster. They are off until they are configured: by
    /// `config/globalChannel.json`, or by `app.set(GlobalChannelConfig { … })`, for the masters too: the
    /// leader purges the members of frontends that have died.
    ///
    /// # Errors
    /// How to configure them, or what is wrong with the configuration;
    /// [`Unsupported`](ErrorKind::Unsupported) with the feature that is missing in this build.
    pub fn global_channels(&self) -> Result<GlobalChannelService> {
        self.0.channels.global(self)
    }

    /// Hands what is pushed to users at this server to `sink`; a later one replaces it. A frontend that has
    /// one when it starts takes no clients by itself: they are the application's business.
    pub fn push_sink(&self, sink: impl PushSink + 'static) -> &Self {
        self.0.channels.set_sink(self, Arc::new(sink));
        self
    }

    /// What this server's connector has counted; none if it takes no clients, or the application sees to
    /// them itself.
    #[must_use]
    pub fn connector_stats(&self) -> Option<ConnectorStats> {
        connector::stats(self)
    }

    /// The environment this process runs in, such as `development`.
    #[must_use]
    pub fn env(&self) -> &str {
        &self.0.place.env
    }

    /// The directory that holds `config/`, `logs/` and `run/`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.place.dir
    }

    /// This server, as servers.json defines it; unknown keys are in its `extra`.
    #[must_use]
    pub fn server(&self) -> &ServerDef {
        &self.0.place.def
    }

    /// A key of this server that Tangelo does not know itself.
    #[must_use]
    pub fn extra(&self, key: &str) -> Option<&Value> {
        self.server().extra.get(key)
    }

    /// This server's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.server().id
    }

    /// This server's type, `master` in a master.
    #[must_use]
    pub fn server_type(&self) -> &str {
        &self.server().server_type
    }

    /// Which life of this server this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.0.place.incarnation
    }

    /// The servers that are up, this one among them, in the order of their ids.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerInfo> {
        self.0.servers.lock().all().cloned().collect()
    }

    /// The servers that are up, by type.
    #[must_use]
    pub fn servers_by_type(&self) -> BTreeMap<String, Vec<ServerInfo>> {
        let mut by_type: BTreeMap<String, Vec<ServerInfo>> = BTreeMap::new();
        for server in self.servers() {
            by_type.entry(server.def.server_type.clone()).or_default().push(server);
        }
        by_type
    }

    /// Says in a line what this server is doing, for `list`. Only the first 200 characters are kept.
    pub fn set_status(&self, status: &str) {
        let status = status.lines().next().unwrap_or_default().chars().take(200).collect();
        self.0.agent.status(status);
    }

    /// Stops this server in order, as SIGTERM does.
    pub fn stop(&self) {
        self.0.agent.stop();
    }

    /// Starts a task on the runtime that this build has chosen.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.runtime.spawn(Box::pin(task));
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        self.0.runtime.sleep(duration).await;
    }

    /// The runtime that this build has chosen.
    #[must_use]
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.0.runtime
    }

    /// A server of the type chat in a directory that does not exist.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let pairs = [("id", "a"), ("serverType", "chat"), ("host", "127.0.0.1"), ("port", "6050")];
        let def = ServerDef::from_pairs_beside(pairs, core::iter::empty()).unwrap().remove(0);
        let place = Place { dir: "/nowhere".into(), env: "test".into(), def, incarnation: Incarnation(1) };
        Self::new(place, crate::parts::runtime().unwrap())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

/// Whether `list`, names joined by `|` or `all`, has `name`.
fn names(list: &str, name: &str) -> bool {
    list.split('|').map(str::trim).any(|one| one == "all" || one == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};

    fn app() -> App {
        App::for_tests()
    }

    /// Runs a task on the application's runtime.
    fn run<T: Send>(app: &App, task: impl Future<Output = T> + Send) -> T {
        let mut output = None;
        app.runtime().block_on(Box::pin(async { output = Some(task.await) }));
        output.unwrap()
    }

    #[test]
    fn a_listener_may_add_another_and_one_that_panics_takes_nobody_with_it() {
        let app = app();
        let calls = Arc::new(AtomicUsize::new(0));
        app.on_servers_added(|_| panic!("a listener that panics"));
        let (inner, counted) = (app.clone(), Arc::clone(&calls));
        app.on_servers_added(move |_| {
            let counted = Arc::clone(&counted);
            inner.on_servers_added(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
            });
        });
        let added = [ServerInfo { def: app.server().clone(), incarnation: Incarnation(1) }];
        app.shared().servers_changed(&added, &[]);
        assert_eq!(calls.load(Ordering::Relaxed), 0, "it was added too late for this change");
        app.shared().servers_changed(&added, &[]);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        app.0.on_added.lock().clear();
    }

    #[test]
    fn a_hook_that_panics_before_its_first_await_is_an_error() {
        let app = app();
        app.before_start(|app| {
            assert!(app.extra("never").is_some(), "not there");
            async {}
        });
        let error = run(&app, start(&app)).unwrap_err().to_string();
        assert!(error.contains("a before-start hook failed: panicked: not there"), "{error}");

        let ran = Arc::new(AtomicUsize::new(0));
        app.before_stop(|app| {
            assert!(app.extra("never").is_some(), "not there");
            async {}
        });
        let counted = Arc::clone(&ran);
        app.before_stop(move |_| {
            let counted = Arc::clone(&counted);
            async move {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        run(&app, stop(&app, Some(Duration::from_secs(10))));
        assert_eq!(ran.load(Ordering::Relaxed), 1, "stopping goes on");
    }

    #[test]
    fn lists_of_names_are_joined_by_bars() {
        assert!(names("production|development", "development"));
        assert!(names("gate | connector", "connector"));
        assert!(names("all", "anything"));
        assert!(!names("production", "development"));
        assert!(!names("", "chat"));
    }
}
