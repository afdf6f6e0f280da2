//! What goes wrong, on a real ZooKeeper. Tests whose names begin with `pomelo` are faults of the original.

extern crate alloc;

#[path = "../support/mod.rs"]
mod support;

mod connection;
mod ensemble;
mod fencing;
mod input;
mod permission;
mod state;
mod succession;
