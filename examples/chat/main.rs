//! The chat demo: a gate, three connectors and three chat servers, as in Pomelo's own.
//!
//! ```text
//! cargo run --example chat -- start     # the whole cluster; Ctrl-C stops it
//! cargo run --example chat -- list      # in a second terminal: who is up, and what they do
//! ```
//!
//! Then open http://127.0.0.1:3014 in two tabs, or chat in terminals:
//!
//! ```text
//! cargo run --example chat -- client --name ann
//! cargo run --example chat -- bots --count 20
//! ```
//!
//! Kill a server (`kill -9` of a PID in the list) while people chat, and look again. Rooms are global channels, kept in
//! `run/channels.db`. The README beside this file says more, and how to take another store.

#![allow(clippy::std_instead_of_alloc, reason = "an application has std")]

mod chat;
mod choose;
mod client;
mod connector;
mod gate;
mod rooms;
mod user;

use std::process::ExitCode;

fn main() -> ExitCode {
    if client::is_asked() {
        return client::run();
    }
    tangelo::Program::new().dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/chat")).run(|app| {
        app.configure("production|development", |app| {
            gate::routes(app);
            connector::routes(app);
            chat::routes(app);
        });
        app.configure_for("production|development", "gate", gate::configure);
        app.configure_for("production|development", "connector", connector::configure);
        app.configure_for("production|development", "chat", chat::configure);
    })
}
