//! Tangelo keeps a fleet of realtime servers alive as one highly available cluster.

mod app;
#[cfg(feature = "cli")]
mod cli;
mod config;
mod embedded;
mod link;
mod master;
mod member;
