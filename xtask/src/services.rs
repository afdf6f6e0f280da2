//! `cargo xtask services`: what tests, chaos runs and benchmarks start beside Tangelo itself.

use crate::install::{self, Need, Probe, Source};
use anyhow::Result;
use tangelo_services::{mariadb, postgres, redis, zookeeper};

/// ZooKeeper with the Java machine that runs it.
pub(crate) const ZOOKEEPER: Need = Need {
    what: "ZooKeeper and java",
    probe: Probe::ProgramWithFiles("java", &zookeeper::JARS),
    source: Source::Debian(&zookeeper::PACKAGES),
};
/// For servers on other hosts, which are launched through ssh.
pub(crate) const SSH: Need = Need {
    what: "ssh and its server",
    probe: Probe::ProgramWithFiles("ssh", &["/usr/sbin/sshd"]),
    source: Source::Debian(&["openssh-client", "openssh-server"]),
};
/// Hosts of one machine: network namespaces and what links them.
pub(crate) const NETWORK: Need =
    Need { what: "ip", probe: Probe::Program("ip"), source: Source::Debian(&["iproute2"]) };

/// Redis, and what makes the certificates of one with TLS.
pub(crate) const REDIS: Need = Need {
    what: "Redis and openssl",
    probe: Probe::ProgramWithFiles("redis-server", &["/usr/bin/redis-benchmark", "/usr/bin/openssl"]),
    source: Source::Debian(&redis::PACKAGES),
};

/// PostgreSQL; Debian keeps its programs where no PATH leads.
pub(crate) const POSTGRES: Need = Need {
    what: "PostgreSQL",
    probe: Probe::Found(postgres_is_there),
    source: Source::Debian(&postgres::PACKAGES),
};
/// MariaDB and its client.
pub(crate) const MARIADB: Need = Need {
    what: "MariaDB",
    probe: Probe::ProgramWithFiles("mariadb", &[mariadb::PROGRAM, "/usr/bin/mariadb-install-db"]),
    source: Source::Debian(&mariadb::PACKAGES),
};

fn postgres_is_there() -> bool {
    ["initdb", "postgres", "psql"].iter().all(|program| postgres::program(program).is_some())
}

const ALL: [Need; 6] = [ZOOKEEPER, SSH, NETWORK, REDIS, POSTGRES, MARIADB];

/// The servers that tests, chaos runs and benchmarks start.
#[derive(clap::Subcommand)]
pub(crate) enum Task {
    /// Installs their Debian packages where they are missing (as root, or by a sudo without password)
    Install,
}

/// Runs a task.
pub(crate) fn run(task: &Task) -> Result<()> {
    match task {
        Task::Install => {
            for need in ALL {
                println!("{}: {}", need.what, if need.probe.is_there() { "is there" } else { "is missing" });
            }
            install::ensure(&ALL)
        }
    }
}
