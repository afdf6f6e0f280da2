#![doc = include_str!("../README.md")]

extern crate alloc;

mod change;
mod clean;
mod config;
mod connect;
mod error;
mod keys;
mod lanes;
mod link;
mod manager;
mod read;
mod script;
mod tls;
mod url;

pub use config::{Address, DEFAULT_PORT, DEFAULT_PREFIX, DEFAULT_SENTINEL_PORT, RedisConfig, Topology};
pub use manager::RedisChannelManager;
pub use tls::RedisTls;
