//! The [`Coordinator`](tangelo_core::Coordinator) of masters on several hosts, on ZooKeeper.

extern crate alloc;

mod campaign;
mod command;
mod config;
mod context;
mod coordinator;
mod error;
mod guard;
mod guardian;
mod look;
mod observe;
mod published;
mod reign;
mod session;
mod standing;
mod state;
mod succession;
mod sweep;
mod sync;
mod tree;

pub use command::GuardCommand;
pub use coordinator::ZooKeeperCoordinator;
pub use guard::run_guard;
