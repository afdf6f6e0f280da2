//! The cluster's configuration, in Pomelo's own files: `master.json`, `servers.json`, `zookeeper.json`.

mod checks;
mod cluster;
mod clusters;
mod connector;
mod cpus;
mod error;
mod global_channel;
mod master;
mod masterha;
mod names;
mod node;
mod pairs;
mod password;
mod protocol;
mod secret;
mod server;
mod server_fields;
mod source;
mod ssh;
mod timing;
mod value;
mod zookeeper;

#[cfg(test)]
mod tests;

pub use checks::{check_cpus, check_servers};
pub use cluster::{ClusterConfig, ConfigFile, Layout, envs};
pub use clusters::MAX_SERVERS;
pub use connector::{ConnectorConfig, HandshakeHook, SessionsPerUser, SlowClient, TlsFiles};
pub use cpus::resolve_cpus;
pub use error::ConfigError;
pub use global_channel::{ChannelStore, GlobalChannelConfig, StoreUrl};
pub use master::MasterDef;
pub use masterha::StandbyDef;
pub use names::{MAX_NAME, check_name, is_loopback};
pub use password::Password;
pub use protocol::{dictionary_routes, protos_json};
pub use secret::Secret;
pub use server::{Incarnation, ServerDef};
pub use ssh::SshConfig;
pub use timing::Timing;
pub use zookeeper::{Login, ZooKeeperConfig};
