#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "tokio", feature = "smol")))]
compile_error!("tangelo-sql needs its feature `tokio` or `smol`: its connections run on one of them");

extern crate alloc;

#[cfg(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
compile_error!(
    "tangelo-sql keeps nothing without a store: choose its feature `postgres`, `mysql` or `sqlite`"
);

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
mod url;

pub use config::{DEFAULT_PREFIX, Database, SqlConfig};
pub use manager::SqlChannelManager;
