//! Real servers for tests, chaos runs and benchmarks: each on a port of its own on loopback, with
//! temporary data, ended by its pid when it is dropped, and by the kernel when this process dies.
//!
//! Everything here blocks the calling thread.

extern crate alloc;

mod account;
pub mod clock;
mod family;
pub mod mariadb;
pub mod netns;
pub mod ports;
pub mod postgres;
mod process;
pub mod proxy;
pub mod redis;
mod spawner;
pub mod sql;
pub mod sshd;
pub mod zookeeper;
