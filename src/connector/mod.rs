//! Clients at this frontend.

mod client;
mod clients;

pub(crate) use client::Client;
pub(crate) use clients::Clients;
