//! Messages of clients: who answers them, and where.
//!
//! [`dispatch`] takes a message at its frontend. Its route says the server type that answers it: this
//! one ([`run`]), or another one, of which [`choose`] picks a server and [`forward`] asks it.

mod app;
mod choose;
pub(crate) mod dispatch;
mod error;
mod forward;
mod request;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use choose::{choose, hash, mix};
pub use error::HandlerError;
pub(crate) use forward::start;
pub use request::Request;
pub(crate) use run::panic_text;
pub(crate) use table::{Handlers, type_of};
