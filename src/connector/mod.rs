//! Clients: a frontend's `clientPort`, where they connect with TCP or WebSocket, and speak Pomelo's protocol.
//!
//! ```text
//! accept ─▶ task (one per client) ─▶ input: http, websocket ─▶ packages, core's machine ─▶ handler::dispatch
//!             │ flushes what it is blocked on                                                  │ respond
//!             ▼                                                                                ▼
//!           pipe ◀──── flusher (one per CPU) ◀──── outbox ◀──── sink, Client::push ─────── Client
//! ```
//!
//! - **A push encodes once** ([`frame`]) and only queues ([`outbox`]); the flusher of each client writes
//!   what waits ([`flush`]), and no client's task is woken. So pushes that come fast go together.
//! - **A client's own task** ([`task`]) reads, and waits for room when a write found none.
//! - **Nobody waits for a slow client**: its queue is bounded; when it is full it is disconnected, or misses messages.
//! - **No timers**: [`sweep`] looks at all deadlines; a task has one buffer for all clients of its thread.
//! - Every connection that closes is counted by why ([`stats`], [`why`]).

mod accept;
mod client;
mod clients;
#[cfg(test)]
mod doubles;
mod flush;
#[cfg(test)]
pub(crate) mod for_tests;
mod frame;
mod http;
mod hub;
mod input;
mod outbox;
mod packages;
mod pipe;
mod setup;
mod sink;
mod stats;
mod sweep;
mod task;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;
mod why;
mod wire;

pub(crate) use client::Client;
pub(crate) use clients::Clients;
pub(crate) use hub::Hub;
pub(crate) use setup::{open, prepare, stats, stop};
pub use stats::ConnectorStats;
