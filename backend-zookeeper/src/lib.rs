//! The [`Coordinator`](tangelo_core::Coordinator) of masters on several hosts, on ZooKeeper.

extern crate alloc;

mod command;
mod coordinator;
#[allow(dead_code, reason = "the coordinator is being written")]
mod guard;

pub use command::GuardCommand;
pub use coordinator::ZooKeeperCoordinator;
pub use guard::run_guard;
