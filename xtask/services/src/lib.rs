//! Real servers for tests, chaos runs and benchmarks: each on a port of its own on loopback, with
//! temporary data, ended by its pid when it is dropped, and by the kernel when this process dies.
//!
//! Everything here blocks the calling thread.

extern crate alloc;

pub mod clock;
pub mod netns;
pub mod ports;
mod process;
pub mod proxy;
pub mod redis;
mod spawner;
pub mod sshd;
pub mod zookeeper;
