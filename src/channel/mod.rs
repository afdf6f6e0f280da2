//! Channels: named sets of users, each at one frontend.

mod memory;

pub use memory::MemoryChannelManager;
