//! Processes on this host: the supervisor that every runtime shares, and what a process can say
//! and do about itself.
//!
//! [`LocalSupervisor`] is written against the [`Runtime`](crate::runtime::Runtime) trait, so
//! tokio and smol run the same code. It needs Linux 5.4 (pidfds that can be waited for).

mod launch;
pub mod log;
mod procfs;
mod spawner;
mod supervisor;
mod table;
mod watched;

pub use log::rotate_own_output;
#[cfg(feature = "conformance")]
pub(crate) use procfs::stat;
pub use procfs::{alive, find_process, process_ref, rss_bytes};
pub use supervisor::LocalSupervisor;
