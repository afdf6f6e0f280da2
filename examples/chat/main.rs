//! The chat demo: a gate, three connectors and three chat servers, as in Pomelo's own.
//!
//! ```text
//! cargo run --example chat -- start     # the whole cluster; Ctrl-C stops it
//! cargo run --example chat -- list      # in a second terminal: who is up, and what they do
//! ```
//!
//! Kill a server (`kill -9` of a PID in the list) and look again. Clients are played by bots in the connectors; their
//! rooms are global channels, kept in `run/channels.db`. The README beside this file says more, and how to take another store.

#![allow(clippy::std_instead_of_alloc, reason = "an application has std")]

mod chat;
mod client;
mod connector;
mod gate;

use std::process::ExitCode;

fn main() -> ExitCode {
    if client::is_asked() {
        return client::run();
    }
    tangelo::Program::new().dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/chat")).run(|app| {
        app.configure_for("production|development", "gate", gate::configure);
        app.configure_for("production|development", "connector", connector::configure);
        app.configure_for("production|development", "chat", chat::configure);
    })
}
