//! The heart of Tangelo: what a cluster *is*, without any input or output.
//!
//! Everything here is `no_std` with `alloc` (feature `std`, on by default, adds the [`runtime`]
//! trait and the cluster clock). It holds
//!
//! - the traits that a part of your own can implement: [`Coordinator`], [`ChannelManager`],
//!   [`Supervisor`], [`Affinity`] and, with `std`, [`Runtime`](runtime::Runtime);
//! - the value types they speak: [`ServerDef`](config::ServerDef), [`CpuSet`], [`ProcessRef`], …;
//! - the [`wire`] messages and their codec, and the protocol that [clients](client) speak;
//! - the state machines of a [`master`] and of a [`member`]: `handle(now, input) -> actions`.
//!
//! The machines own no clock, socket, thread or process, so a simulator can run years of a
//! cluster's life in seconds, and both runtimes run the same decisions.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod affinity;
pub mod channel;
pub mod client;
pub mod config;
pub mod coordinator;
pub mod cpu;
pub mod error;
pub mod liveness;
pub mod master;
pub mod member;
pub mod process;
pub mod restart;
pub mod supervisor;
pub mod time;
pub mod wire;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(all(feature = "local", target_os = "linux"))]
pub mod local;
#[cfg(feature = "std")]
pub mod patience;
#[cfg(feature = "std")]
pub mod runtime;

pub use affinity::Affinity;
pub use channel::ChannelManager;
pub use coordinator::{Coordinator, Leadership};
pub use cpu::CpuSet;
pub use error::{Error, ErrorKind, Result};
pub use process::{Exit, LaunchSpec, ProcessRef};
pub use supervisor::Supervisor;
pub use time::Instant;

use alloc::boxed::Box;
use core::pin::Pin;

/// A boxed future, as object-safe traits hand them out.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed stream, as object-safe traits hand them out.
pub type BoxStream<'a, T> = Pin<Box<dyn futures_core::Stream<Item = T> + Send + 'a>>;
