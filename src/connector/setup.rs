//! A frontend's connector, as it begins and ends.

use super::accept::accept;
use super::frame::Frame;
use super::hub::Hub;
use super::sink::ClientSink;
use super::stats::ConnectorStats;
use super::tls::Tls;
use super::why::Why;
use super::wire::Wire;
use crate::app::App;
use crate::config;
use crate::handler::dispatch;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use core::time::Duration;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tangelo_core::client::connection::kick_body;
use tangelo_core::client::{Dictionary, PackageType, Protobuf};
use tangelo_core::config::ConnectorConfig;
use tangelo_core::{Error, ErrorKind, Result};
use tracing::{info, warn};

/// How long clients may take to hear that the server stops, and to hang up.
const STOPS_WITHIN: Duration = Duration::from_millis(2500);

/// What the application and `config/connector.json` say about clients; the file goes before the application.
///
/// # Errors
/// For the first thing that is wrong, with its place.
fn configured(app: &App) -> Result<ConnectorConfig> {
    let code = app.get::<ConnectorConfig>().map_or_else(ConnectorConfig::default, |config| (*config).clone());
    code.check().map_err(|what| Error::new(ErrorKind::Invalid, format!("ConnectorConfig: {what}")))?;
    let mut config = config::load_connector(app.dir(), app.env(), code)?;
    if let Some(max) = app.server().max_connections {
        config.max_connections = Some(max);
    }
    Ok(config)
}

/// Makes this server's connector, if it takes clients and the application does not see to them itself. From now on
/// what is pushed to users goes to clients.
///
/// # Errors
/// For the first thing that is wrong with its configuration, with its place.
pub(crate) fn prepare(app: &App) -> Result<()> {
    let shared = app.shared();
    if !app.server().frontend || app.server().client_port.is_none() || shared.channels.has_sink(app) {
        return Ok(());
    }
    let hub = hub(app)?;
    if shared.connector.set(Arc::clone(&hub)).is_err() {
        return Err(Error::new(ErrorKind::AlreadyExists, "this server has started already"));
    }
    app.push_sink(ClientSink(hub));
    Ok(())
}

/// What all clients of this server share, as it is configured.
///
/// # Errors
/// As for [`prepare`].
pub(super) fn hub(app: &App) -> Result<Arc<Hub>> {
    let config = configured(app)?;
    let tls = config.tls.as_ref().map(|files| Tls::load(app.dir(), files)).transpose()?;
    let dictionary = match config.use_dict {
        true => {
            let more = config::load_dictionary(app.dir(), app.env())?;
            Some(Dictionary::new(dispatch::routes(app), more))
        }
        false => None,
    };
    let protobuf = match config.use_protobuf {
        true => config::load_protos(app.dir(), app.env())?,
        false => None,
    };
    let protobuf = protobuf.map(|(server, client)| Protobuf::new(server, client));
    let wire = Wire::new(&config, dictionary, protobuf);
    let heartbeat = Frame::package(PackageType::Heartbeat, &[])?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Arc::new(Hub::new(app.clone(), config, wire, tls, heartbeat, threads)))
}

/// Opens the port for clients.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open(app: &App) -> Result<()> {
    let (Some(hub), Some(port)) = (app.shared().connector.get(), app.server().client_port) else {
        return Ok(());
    };
    raise_descriptors();
    let host = hub.config.host.as_deref().unwrap_or(&app.server().host);
    let what =
        |error| Error::io(format_args!("listen on {host}:{port}, the `clientPort` of {}", app.id()), error);
    let listener = app.runtime().listen(host, port).await.map_err(what)?;
    let address = listener.local_addr().map_err(what)?;
    begin(hub);
    let (listening, stop) = async_channel::bounded(1);
    *hub.listening.lock() = Some(listening);
    app.runtime().spawn(Box::pin(accept(Arc::clone(hub), listener, stop)));
    info!(%address, "open for clients");
    // It is opened once.
    let _ = hub.bound.set(address);
    Ok(())
}

/// Starts what writes to clients.
pub(super) fn begin(hub: &Arc<Hub>) {
    for flusher in &hub.flushers {
        let (flusher, counters) = (Arc::clone(flusher), Arc::clone(&hub.counters));
        hub.app.runtime().spawn(Box::pin(async move { flusher.run(&counters).await }));
    }
}

/// Closes the port, tells every client that the server stops, and closes its connection.
pub(crate) async fn stop(app: &App) {
    let Some(hub) = app.shared().connector.get() else { return };
    hub.stopping.store(true, Ordering::Release);
    drop(hub.listening.lock().take());
    if let Ok(kick) = Frame::package(PackageType::Kick, &kick_body("the server stops")) {
        for client in hub.clients().connections() {
            match client.is_working() {
                true => client.shut_down(&kick),
                false => client.close(Why::STOPPING),
            }
        }
    }
    let gone = async {
        loop {
            let left = hub.left.listen();
            match hub.clients().open() {
                0 => return,
                _ => left.await,
            }
        }
    };
    if crate::time::timeout(app.runtime(), STOPS_WITHIN, gone).await.is_err() {
        warn!(connections = hub.clients().open(), "some clients did not hang up when the server stopped");
    }
    hub.flushers.iter().for_each(|flusher| flusher.end());
}

/// What this server's connector has counted.
pub(crate) fn stats(app: &App) -> Option<ConnectorStats> {
    let hub = app.shared().connector.get()?;
    Some(hub.counters.snapshot(hub.clients().open(), hub.clients().len()))
}

/// As many descriptors as this user may have: shells often give 1024, and each client takes one.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            warn!(%error, "cannot raise the number of descriptors");
        }
    }
}
