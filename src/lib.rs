//! Tangelo keeps a fleet of realtime servers alive as one highly available cluster.

extern crate alloc;

mod app;
mod channel;
#[cfg(feature = "cli")]
mod cli;
mod config;
mod connector;
mod context;
mod custom;
mod election;
mod embedded;
mod handler;
mod link;
mod log;
mod master;
mod member;
mod parts;
mod peer;
mod program;
mod remote;
mod rpc;
mod session;
mod sync;
mod time;

pub use app::{App, BoxError, Component, Outcome};
/// Goes above an `impl` of [`Component`].
pub use async_trait::async_trait;
pub use channel::{ChannelService, GlobalChannelService, MemoryChannelManager};
pub use connector::ConnectorStats;
pub use custom::{
    AffinityContext, CoordinatorContext, Custom, CustomAffinity, CustomCoordinator, CustomSupervisor,
    SupervisorContext,
};
pub use election::{MasterHa, MasterHaConfig};
pub use handler::{HandlerError, Request};
#[cfg(feature = "load-test")]
pub use member::simulate_servers;
pub use program::{Program, run};
pub use rpc::{Caller, Rpc, RpcTo};
pub use session::Session;
/// The traits, values and state machines that everything is made of.
pub use tangelo_core as core;
pub use tangelo_core::channel::{
    ChannelManager, ChannelMember, ManagerContext, PushError, PushFailure, PushMessage, PushOptions,
    PushReport, PushSink,
};
pub use tangelo_core::config::{
    ChannelStore, ConnectorConfig, GlobalChannelConfig, Login, Password, SessionsPerUser, SlowClient,
    StoreUrl, TlsFiles,
};
pub use tangelo_core::{Error, ErrorKind, Result, wire::ServerInfo};

/// For `cargo xtask fuzz`: plays `bytes` as the peer of a link.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_link(bytes: &[u8]) {
    link::fuzzing::run(bytes);
}

/// The program in README.md compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
