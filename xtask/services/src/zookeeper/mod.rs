//! ZooKeeper of Debian's package, alone or as an ensemble, in processes of our own.

mod ensemble;
mod epoch;
mod jute;
mod node;
mod options;
mod shell;
pub mod words;

pub use ensemble::Ensemble;
pub use options::Options;
pub use shell::{Change, Happened, Shell, Znode};

/// The class path: what must exist to run ZooKeeper, besides `java`.
pub const JARS: [&str; 2] = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"];
/// The Debian packages with all that is needed.
pub const PACKAGES: [&str; 3] = ["default-jre-headless", "libslf4j-java", "zookeeper"];
