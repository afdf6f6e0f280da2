#![doc = include_str!("../README.md")]

extern crate alloc;

mod backoff;
mod change;
mod clean;
mod config;
mod dialect;
mod error;
mod lanes;
mod manager;
mod pool;
mod read;
mod schema;
mod session;
mod statements;
mod store;
mod sweep;
mod time;
mod url;

pub use config::{DEFAULT_PREFIX, Database, SqlConfig};
pub use manager::SqlChannelManager;
