//! The gate: clients ask it first, and it sends each to a connector that is up. Browsers get the page from it.

use crate::choose;
use serde::Deserialize;
use serde_json::{Value, json};
use tangelo::{App, ConnectorConfig, HandlerError, Request, Session};

/// `gate.gateHandler.queryEntry`: which connector is for this user?
#[derive(Deserialize)]
struct Query {
    uid: String,
}

/// On all servers: whatever routes they know have short codes in the frontends' dictionaries.
pub(crate) fn routes(app: &App) {
    app.handler("gate.gateHandler.queryEntry", query_entry);
}

pub(crate) fn configure(app: &App) {
    app.set(ConnectorConfig::default().page(include_str!("page.html")));
    let (added, removed) = (app.clone(), app.clone());
    app.on_servers_added(move |_| look(&added));
    app.on_servers_removed(move |_| look(&removed));
    app.before_start(|app| async move { look(&app) });
}

async fn query_entry(request: Request, _: Session) -> Result<Value, HandlerError> {
    let Query { uid } = request.json()?;
    let connectors = request.app().servers_by_type().remove("connector").unwrap_or_default();
    let Some(server) = choose::best(&connectors, &uid) else {
        return Err(HandlerError::new(500, "no connector is up"));
    };
    let host = server.def.client_host.as_ref().unwrap_or(&server.def.host);
    Ok(json!({"code": 200, "host": host, "port": server.def.client_port}))
}

fn look(app: &App) {
    let connectors = app.servers_by_type().remove("connector").unwrap_or_default();
    let ports: Vec<String> =
        connectors.iter().filter_map(|server| server.def.client_port).map(|port| port.to_string()).collect();
    app.set_status(&format!("{} connectors are up: {}", connectors.len(), ports.join(" ")));
}
