//! Links between processes: framed, authenticated and encrypted.
//!
//! A link is one TCP connection between two processes that hold the cluster's secret. It carries
//! [`Message`](tangelo_core::wire::Message)s both ways, in order, until it is closed or its peer
//! counts as dead. From the bottom up:
//!
//! - `handshake`: version, proof of the secret, who is who;
//! - `record`: encryption, and many frames in one write;
//! - `frame`: messages, heartbeats, credit, goodbye;
//! - `task`: the one task that drives a connection; `shared`: its queues;
//! - [`Link`] and [`Inbox`]: the two handles;
//! - [`connect`], [`serve`]: where links come from.

mod closed;
mod config;
mod frame;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod handles;
mod handshake;
mod open;
mod record;
mod secret;
mod serve;
mod shared;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use closed::Closed;
pub(crate) use config::LinkConfig;
pub(crate) use handles::{Frame, Inbox, Link};
pub(crate) use open::connect;
pub(crate) use secret::Secret;
pub(crate) use serve::{Server, serve};
