//! One machine with nothing installed: masters meet in `run/`, channels are kept in SQLite, all on tokio.

use std::process::ExitCode;
use tangelo::{ChannelStore, GlobalChannelConfig, Request, Session};

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.set(GlobalChannelConfig { channel_manager: ChannelStore::Sqlite, ..Default::default() });
        app.handler("connector.entryHandler.enter", async |request: Request, session: Session| {
            let name: String = request.json()?; // and ask for a password
            session.bind(&name).await?;
            session.app().global_channels()?.add("lobby", &name, session.frontend_id()).await?;
            Ok("welcome")
        });
        app.handler("chat.chatHandler.send", async |request: Request, session: Session| {
            let (words, rooms) = (request.body(), session.app().global_channels()?);
            let report = rooms.push("connector", "onChat", words, "lobby", &Default::default()).await?;
            Ok(report.delivered)
        });
    })
}
