//! The [`Coordinator`](tangelo_core::Coordinator) of masters on several hosts, on ZooKeeper.

extern crate alloc;

mod command;
mod coordinator;

pub use command::{GuardCommand, run_guard};
pub use coordinator::ZooKeeperCoordinator;
