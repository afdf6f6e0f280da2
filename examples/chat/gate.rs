//! The gate: clients ask it first, and it sends each to a connector. It knows who is up.

use tangelo::App;

pub(crate) fn configure(app: &App) {
    let (added, removed) = (app.clone(), app.clone());
    app.on_servers_added(move |_| look(&added));
    app.on_servers_removed(move |_| look(&removed));
    app.before_start(|app| async move { look(&app) });
}

fn look(app: &App) {
    let connectors = app.servers_by_type().remove("connector").unwrap_or_default();
    let ports: Vec<String> =
        connectors.iter().filter_map(|server| server.def.client_port).map(|port| port.to_string()).collect();
    app.set_status(&format!("{} connectors are up: {}", connectors.len(), ports.join(" ")));
}
