//! Channels: named sets of users, each at one frontend.
//!
//! [`global`] spans the cluster and [`local`] is known to one process; both push through [`sender`].
//! At a frontend, [`here`] holds its own users, [`writer`] is the only one who changes them, and
//! [`deliver`] hands messages to its sink.

mod cluster;
mod deliver;
pub(crate) mod direct;
mod global;
mod here;
mod local;
mod memory;
mod purger;
mod ready;
mod roster;
mod sender;
mod setup;
#[cfg(test)]
mod sinks;
mod stores;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub use global::GlobalChannelService;
pub use local::ChannelService;
pub use memory::MemoryChannelManager;
pub(crate) use purger::{Purger, purger};
pub(crate) use setup::{Channels, check, start, stop};
