//! Redis of Debian's package: one server, with a Sentinel trio, or as a Cluster, in processes of our own.

mod certificates;
mod cluster;
mod options;
mod resp;
mod sentinels;
mod server;

pub use certificates::Certificates;
pub use cluster::Cluster;
pub use options::{Durability, Options, Security};
pub use resp::{Connection, Reply};
pub use sentinels::Sentinels;
pub use server::Redis;

/// The Debian packages with all that is needed.
pub const PACKAGES: [&str; 3] = ["redis-server", "redis-tools", "openssl"];

/// How to name the cure when something is missing.
fn missing(program: &str) -> String {
    let packages = PACKAGES.join(", ");
    format!("cannot run {program}: `cargo xtask services install` installs Debian's packages {packages}")
}
