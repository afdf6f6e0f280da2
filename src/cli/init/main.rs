//! One program: the command line, the master, and every server of config/servers.json.

use serde_json::{Value, json};
use tangelo::{ConnectorConfig, HandlerError, PushOptions, Request, Session};

fn main() -> std::process::ExitCode {
    tangelo::run(|app| {
        // Every server knows all routes, and answers those that begin with its own type.
        app.handler("gate.gateHandler.queryEntry", query_entry);
        app.handler("connector.entryHandler.enter", enter);
        app.handler("chat.chatHandler.send", send);
        app.configure_for("production|development", "gate", |app| {
            app.set(ConnectorConfig::default().page(include_str!("page.html")));
        });
        app.configure_for("production|development", "connector", |app| {
            app.set_status("at your service"); // shows in `list`
            // Runs before a connector stops, however it is told to, while its clients are still there.
            app.before_stop(|app| async move { println!("{} says goodbye", app.id()) }); // goes to logs/<id>.log
        });
    })
}

/// Clients ask the gate first: it sends each to a connector that is up.
async fn query_entry(request: Request, session: Session) -> Result<Value, HandlerError> {
    let connectors = request.app().servers_by_type().remove("connector").unwrap_or_default();
    let turn = session.id() % connectors.len().max(1) as u64;
    let Some((server, _)) = connectors.iter().zip(0..).find(|(_, number)| *number == turn) else {
        return Err(HandlerError::new(503, "no connector is up"));
    };
    Ok(json!({"code": 200, "host": server.def.host, "port": server.def.client_port}))
}

/// A client says who it is, and is in the lobby from now on: a channel that spans all connectors.
async fn enter(request: Request, session: Session) -> Result<Value, HandlerError> {
    let message: Value = request.json()?;
    let Some(name) = message["name"].as_str().filter(|name| (1..=40).contains(&name.len())) else {
        return Err(HandlerError::new(400, "a name has 1 to 40 bytes"));
    };
    session.bind(name).await?;
    request.app().global_channels()?.add("lobby", name, session.frontend_id()).await?;
    Ok(json!({"code": 200}))
}

/// What a client says to a chat server reaches everybody in the lobby, wherever they are connected.
async fn send(request: Request, session: Session) -> Result<Value, HandlerError> {
    let message: Value = request.json()?;
    let Some(name) = session.uid() else { return Err(HandlerError::new(403, "enter first")) };
    let said = json!({"from": name, "text": message["text"]}).to_string();
    let lobby = request.app().global_channels()?;
    let report = lobby.push("connector", "onChat", said, "lobby", &PushOptions::new()).await?;
    let missed: Vec<&str> = report.unreached().map(|(_, name)| name).collect();
    Ok(json!({"code": 200, "missed": missed}))
}
