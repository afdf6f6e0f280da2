//! One machine with nothing installed: masters meet in `run/`, channels are kept in SQLite, all on tokio.

use std::process::ExitCode;
use tangelo::{App, ChannelStore, GlobalChannelConfig};

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.set(GlobalChannelConfig { channel_manager: ChannelStore::Sqlite, ..Default::default() });
        app.configure_for("production|development", "chat", chat);
        app.configure_for("production|development", "connector", |app| {
            app.before_stop(|app| async move { println!("{} says goodbye", app.id()) });
        });
    })
}

fn chat(app: &App) {
    app.remote("chat.echo", |caller, words| async move {
        println!("{caller} says something");
        Ok(words)
    });
    app.set_status("the lobby is open"); // shows in `list`
}
