//! A server's way up and its way down.

use super::hook::Hook;
use super::{App, BoxError};
use crate::channel;
use crate::connector;
use crate::handler;
use crate::session;
use crate::sync::Mutex;
use crate::time::{Elapsed, timeout};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use futures_lite::FutureExt;
use tangelo_core::{Error, ErrorKind, Instant, Result};
use tracing::{error, info, warn};

/// How long clients, to go, and all components, to stop, may take together.
const COMPONENTS_STOP: Duration = Duration::from_secs(5);

/// Brings the server up: hooks, components, their `after_start`; then clients may come.
pub(crate) async fn start(app: &App) -> Result<()> {
    let shared = app.shared();
    if let Some(mistake) = shared.mistakes.lock().first() {
        return Err(Error::new(ErrorKind::Invalid, mistake.clone()));
    }
    handler::start(app);
    session::start(app);
    run_all(&shared.before_start, app, "before-start hook").await?;
    connector::prepare(app)?;
    channel::start(app).await?;
    let components = shared.components.lock().clone();
    for component in &components {
        let name = component.name();
        guarded(component.start(app))
            .await
            .map_err(|e| failed(format!("component {name} cannot start"), e))?;
        *shared.started.lock() += 1;
    }
    for component in &components {
        let name = component.name();
        guarded(component.after_start(app))
            .await
            .map_err(|e| failed(format!("component {name} failed after its start"), e))?;
    }
    connector::open(app).await?;
    Ok(())
}

/// Tells the server that the whole cluster is up.
pub(crate) async fn started_all(app: &App) {
    if let Err(error) = run_all(&app.shared().after_start_all, app, "after-start-all hook").await {
        error!(%error, "an after-start-all hook failed");
    }
}

/// Takes the server down: before-stop hooks, within `hooks_timeout` together (none for a server
/// that was never up), then clients are told to go, then the components that had started stop, in the
/// reverse order.
pub(crate) async fn stop(app: &App, hooks_timeout: Option<Duration>) {
    let shared = app.shared();
    let mut hooks = core::mem::take(&mut *shared.before_stop.lock());
    hooks.truncate(if hooks_timeout.is_some() { hooks.len() } else { 0 });
    let until = Instant::now() + hooks_timeout.unwrap_or_default();
    for (index, hook) in hooks.iter().enumerate() {
        let left = until.saturating_since(Instant::now());
        let name = format!("before-stop hook {} of {}", index + 1, hooks.len());
        report(&name, timeout(app.runtime(), left, guarded(hook.run(app.clone()))).await);
    }
    let until = Instant::now() + COMPONENTS_STOP;
    connector::stop(app).await;
    let started = *shared.started.lock();
    let components = shared.components.lock().clone();
    for component in components[..started].iter().rev() {
        let left = until.saturating_since(Instant::now());
        let name = format!("stopping component {}", component.name());
        report(&name, timeout(app.runtime(), left, guarded(component.stop(app))).await);
    }
    let left = until.saturating_since(Instant::now());
    match timeout(app.runtime(), left, channel::stop(app)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "this server's users are still in global channels for the store"),
        Err(Elapsed) => {
            warn!("this server's users are still in global channels for the store: no time was left")
        }
    }
}

fn report(what: &str, outcome: Result<Result<(), BoxError>, Elapsed>) {
    match outcome {
        Ok(Ok(())) => info!("{what}: done"),
        Ok(Err(error)) => error!("{what} failed: {error}"),
        Err(Elapsed) => {
            error!("{what} overran its time and was cut off: raise `stop-timeout` in servers.json")
        }
    }
}

async fn run_all(hooks: &Mutex<Vec<Hook>>, app: &App, name: &str) -> Result<()> {
    let hooks = core::mem::take(&mut *hooks.lock());
    for hook in &hooks {
        guarded(hook.run(app.clone())).await.map_err(|e| failed(format!("a {name} failed"), e))?;
    }
    Ok(())
}

/// A panic of the user's code becomes an error.
async fn guarded(future: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Err(format!("panicked: {text}").into())
        }
    }
}

fn failed(what: String, source: BoxError) -> Error {
    Error::new(ErrorKind::Io, what).with_source(source)
}
